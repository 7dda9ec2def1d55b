import type { Clock, Random } from '../../core/clock.ts'
import { json } from '../answers.ts'
import { connectionRefused, connectionReset } from '../connection.ts'
import type { Emulator, Work } from '../contract.ts'
import { deliver } from '../deliver.ts'
import { type ActiveFaults, createDice, type FaultRule } from '../faults.ts'
import { createInputs } from '../inputs.ts'
import { loseCreate, misanswerCancel, misanswerStatus, refuseCreate } from '../misbehave.ts'
import type { Settings } from '../settings.ts'
import { busy, settingUp, wording } from './answers.ts'
import { describeModel, describeServer } from './describe.ts'
import { createLife } from './life.ts'
import { parsePrediction } from './prediction-request.ts'
import { billedMs, type CogVersion, heldView, isOver, type Run, type RunRequest, view } from './run.ts'
import { createWebhooks } from './webhooks.ts'

export interface CogEmulatorOptions {
  readonly clock: Clock
  readonly random: Random
  readonly work: Work
  readonly faults?: readonly (string | FaultRule)[]
  /** Default `coglet`. */
  readonly version?: CogVersion
  /** Runs at the same time. Default: the server's, 1. */
  readonly slots?: number
  /** The model's setup, from the making of this emulator. Default 2 s. */
  readonly bootMs?: number
  /** Carries webhooks and the worker's own calls: inputs, a kit's hello and upload. Default: the real `fetch`. */
  readonly send?: typeof globalThis.fetch
  /** `bucket` (the default): outputs are put to an `--upload-url`, which this emulator serves as well; else data URIs. */
  readonly answers?: 'bucket' | 'inline'
  /** How its bucket's URLs begin; default: as the caller reached it. */
  readonly origin?: string
  /** The `authorization` that a proxy in front demands; default: none. */
  readonly authorization?: string
  /** `WEBHOOK_AUTH_TOKEN`. */
  readonly webhookToken?: string
  /** USD per second of the machine. Default 0.0002. */
  readonly pricePerSecond?: number
  /** Of `root` and `openapi`; see `Settings`. */
  readonly settings?: Settings
}

export interface CogEmulator extends Emulator {
  /** The container is gone, with all that ran in it and its webhooks that were not delivered yet; another one sets up. */
  replace(): void
}

const maxRequestBytes = 100 * 1024 * 1024

/**
 * One Cog server on an injected clock: predictions by POST and PUT, held or asynchronous, cancel, health, webhooks; setup,
 * places, a worker that can crash; no list, no memory of what has ended, and no way to ask for a run; with faults on
 * demand. A run whose input holds `surefoot` is played as our own kit would. Source: see `docs/providers/cog.md`.
 */
export function createCogEmulator(options: CogEmulatorOptions): CogEmulator {
  const { clock, random, work, version = 'coglet', slots = 1, answers = 'bucket', pricePerSecond = 0.0002 } = options
  const bootMs = options.bootMs ?? 2000
  const send = options.send ?? globalThis.fetch
  const closed = new AbortController()
  /** By the order of their starts; ids may come again after their end. */
  const runs: Run[] = []
  let readyAt = clock.now() + bootMs
  let broken: 'setup-failed' | 'crashed' | null = null
  let roll = createDice(options.faults ?? [], random)
  const webhooks = createWebhooks({ clock, version, token: options.webhookToken, send })
  const life = createLife({
    clock,
    version,
    work,
    answers,
    send,
    closed: closed.signal,
    fetchFiles: createInputs(send),
    notify: webhooks.notify,
    crashed() {
      broken = 'crashed'
    },
    replaced: replace,
  })

  function replace(): void {
    broken = null
    readyAt = clock.now() + bootMs
    webhooks.drop()
    for (const run of inFlight()) life.lose(run)
  }

  function inFlight(): Run[] {
    return runs.filter(run => run.isInFlight)
  }

  function find(id: string): Run | undefined {
    return inFlight().findLast(run => run.id === id)
  }

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const [first, id, verb, ...rest] = url.pathname
      .split('/')
      .filter(part => part !== '')
      .map(decodeURIComponent)
    if (first === 'bucket') return deliverFile(request, id ?? '', Number(verb))
    const { authorization } = options
    if (authorization !== undefined && request.headers.get('authorization') !== authorization)
      return wording.refusal(401)
    // Python's server ends itself when its worker has died.
    if (broken === 'crashed' && version === 'python') throw connectionRefused()
    switch (`${request.method} ${first ?? ''}`) {
      case 'GET ':
        return describeServer(options.settings, version)
      case 'GET openapi.json':
        return describeModel(options.settings)
      case 'GET health-check':
        return (await misanswerHealth(request)) ?? json(health())
      case 'POST predictions':
        if (id === undefined) return predict(request, null, url.origin)
        if (verb === 'cancel' && rest.length === 0) return cancel(id)
        break
      case 'PUT predictions':
        if (id !== undefined && verb === undefined) return predict(request, id, url.origin)
        break
    }
    return first === 'predictions' ? json({ detail: 'Method Not Allowed' }, 405) : wording.refusal(404)
  }

  /** Health knows no runs; the newest one's faults decide how it is answered. */
  async function misanswerHealth(request: Request): Promise<Response | null> {
    const newest = runs.at(-1)
    if (newest === undefined) return null
    return misanswerStatus({ ...newest, forgotten: false }, clock, signalsOf(request), wording)
  }

  function health(): Record<string, unknown> {
    const isDone = clock.now() >= readyAt
    const setup = broken === 'setup-failed' ? 'failed' : isDone ? 'succeeded' : 'starting'
    return {
      status: stateWord(),
      setup: version === 'python' && !isDone ? {} : { status: setup, logs: '' },
      ...(version === 'python' ? {} : { version: { coglet: '0.23.1' } }),
      ...(stateWord() === 'UNHEALTHY' ? { user_healthcheck_error: 'Healthcheck error: channel closed' } : {}),
    }
  }

  function stateWord(): string {
    if (broken === 'setup-failed') return 'SETUP_FAILED'
    if (broken === 'crashed') return 'UNHEALTHY'
    if (clock.now() < readyAt) return 'STARTING'
    return inFlight().length >= slots ? 'BUSY' : 'READY'
  }

  async function predict(request: Request, pathId: string | null, origin: string): Promise<Response> {
    const faults = roll()
    startAnew(faults)
    const refusal =
      (faults.has('create-409') ? busy(version) : null) ??
      (faults.has('create-422') ? wording.refusal(422) : null) ??
      refuseCreate(faults, clock.now(), wording)
    if (refusal !== null) return refusal
    const text = await request.text()
    if (version === 'coglet' && Buffer.byteLength(text) > maxRequestBytes) return wording.refusal(413)
    const asked = parsePrediction(text, pathId)
    if (asked instanceof Response) return asked
    const known = pathId === null ? undefined : find(pathId)
    if (known !== undefined) return json({ ...view(known, version), input: known.input }, 202)
    if (broken === 'setup-failed' || clock.now() < readyAt) return settingUp(version)
    if (broken === 'crashed' || inFlight().length >= slots) return busy(version)
    const run = begin(asked, faults, request.headers.get('prefer') !== 'respond-async', options.origin ?? origin)
    const signals = signalsOf(request)
    try {
      const lost = await loseCreate(faults, signals, wording)
      if (lost !== null) return hangUp(run, lost)
      if (!run.held) return json(version === 'coglet' ? { id: run.id, status: 'starting' } : view(run, version), 202)
      await over(run, signals)
      return json(heldView(run, version))
    } catch (error) {
      hangUp(run, error)
      throw error
    }
  }

  /** What faults make of the server before it looks at a start: it has just begun anew. */
  function startAnew(faults: ActiveFaults): void {
    if (faults.has('setup-failed')) broken = 'setup-failed'
    if (faults.has('boot-forever')) readyAt = Number.POSITIVE_INFINITY
    if (faults.has('boot-slow')) readyAt = Math.max(readyAt, clock.now() + faults.number('boot-slow') * 1000)
  }

  function begin(asked: RunRequest, faults: ActiveFaults, held: boolean, origin: string): Run {
    const run: Run = {
      ...asked,
      id: asked.id ?? `pred_${Math.floor(random() * 2 ** 48).toString(16)}`,
      held,
      origin,
      faults,
      startedAt: clock.now(),
      status: 'starting',
      completedAt: null,
      logs: '',
      output: undefined,
      error: null,
      files: [],
      isInFlight: true,
      forgotten: false,
      shown: new Map(),
      stop: new AbortController(),
      waiters: new Set(),
    }
    runs.push(run)
    life.begin(run)
    return run
  }

  /** coglet cancels a run whose request was held when that connection breaks. */
  function hangUp<T>(run: Run, answer: T): T {
    if (run.held && version === 'coglet') life.cancel(run)
    return answer
  }

  function over(run: Run, signals: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const gone = AbortSignal.any([...signals])
      if (gone.aborted) return reject(connectionReset())
      gone.addEventListener('abort', () => reject(connectionReset()), { once: true })
      run.waiters.add(() => (run.status === 'lost' ? reject(connectionReset()) : resolve()))
    })
  }

  function cancel(id: string): Response {
    const run = find(id)
    if (run === undefined || isOver(run)) return json({}, 404)
    const lost = misanswerCancel(run, wording)
    if (lost === null) life.cancel(run)
    return lost ?? json({})
  }

  function deliverFile(request: Request, id: string, index: number): Response {
    const run = runs.findLast(each => each.id === id)
    const file = run?.files[index]
    if (run === undefined || file === undefined || isExpired(run)) return new Response('NoSuchKey', { status: 404 })
    return deliver(request, { ...file, faults: run.faults, clock, closed: closed.signal })
  }

  function isExpired({ faults, completedAt }: Run): boolean {
    if (!faults.has('output-expired') || completedAt === null) return false
    return clock.now() >= completedAt + faults.number('output-expired') * 1000
  }

  function signalsOf(request: Request): AbortSignal[] {
    return [request.signal, closed.signal]
  }

  return {
    async fetch(request) {
      request.signal.throwIfAborted()
      if (closed.signal.aborted) throw connectionReset()
      const response = await answer(request)
      response.headers.set('date', new Date(clock.now()).toUTCString())
      return response
    },
    setFaults(faults) {
      roll = createDice(faults, random)
    },
    state() {
      const ledger = runs.map(run => {
        const ms = billedMs(run, clock.now())
        const { id, status, input, webhook } = run
        const amount = (ms / 1000) * pricePerSecond
        return { id, status, isRunning: !isOver(run), input, label: id, webhook, billedMs: ms, amount }
      })
      return { submits: runs.length, running: runs.filter(run => !isOver(run)).length, ledger }
    },
    replace,
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const run of runs) run.stop.abort(new Error('the emulator was closed'))
      webhooks.close()
    },
  }
}
