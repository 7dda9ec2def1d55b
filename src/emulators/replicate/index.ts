import type { Clock, Random } from '../../core/clock.ts'
import { json } from '../answers.ts'
import { connectionReset, pause } from '../connection.ts'
import type { Emulator, Work } from '../contract.ts'
import { deliver } from '../deliver.ts'
import { createDice, type FaultRule } from '../faults.ts'
import { createInputs } from '../inputs.ts'
import { loseCreate, misanswerCancel, misanswerStatus } from '../misbehave.ts'
import { createBucket } from '../rate-limit.ts'
import type { Settings } from '../settings.ts'
import { problem, throttled, wording } from './answers.ts'
import { parseCreate } from './create-request.ts'
import { createFiles } from './files.ts'
import { createLife } from './life.ts'
import { isExpired, refuseCreate } from './misbehave.ts'
import { account, hardware, type PageView, readDeployment, readModel } from './models.ts'
import { isOver, isPurged, listView, type Run, view } from './run.ts'
import { createWebhooks } from './webhooks.ts'

export interface ReplicateEmulatorOptions {
  readonly clock: Clock
  readonly random: Random
  readonly work: Work
  readonly faults?: readonly (string | FaultRule)[]
  /** The one token that is accepted; without it any token is. */
  readonly token?: string
  /** How its URLs begin; default: as the caller reached it. */
  readonly origin?: string
  /** Carries webhooks and fetches input URLs. Default: the real `fetch`. */
  readonly send?: typeof globalThis.fetch
  /** From creation to `processing`. Default 2 s. */
  readonly bootMs?: number
  /** USD per second of running. Default: the vendor's price of `gpu-l40s`. */
  readonly pricePerSecond?: number
  /** The vendor's limits by default. */
  readonly createsPerMinute?: number
  readonly readsPerMinute?: number
  /** Of `model`, `version` and `deployment`; see `Settings`. */
  readonly settings?: Settings
}

export interface ReplicateEmulator extends Emulator {
  /** `whsec_...`, as `GET /webhooks/default/secret` gives it. */
  readonly webhookSecret: string
}

const pageSize = 100
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * Replicate's HTTP API on an injected clock: predictions in all three forms, files, account, hardware, models, webhooks
 * with real signatures, rate limits and one hour of retention; with faults on demand. Any well-formed model exists.
 * Source: the vendor's reference and the behaviour of its published clients; see `docs/providers/replicate.md`.
 */
export function createReplicateEmulator(options: ReplicateEmulatorOptions): ReplicateEmulator {
  const { clock, random, work, token, bootMs = 2000, pricePerSecond = 0.000975 } = options
  const send = options.send ?? globalThis.fetch
  const closed = new AbortController()
  const newId = () => Array.from({ length: 26 }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
  const webhookSecret = `whsec_${Buffer.from(newId()).toString('base64')}`
  const creates = createBucket(clock, options.createsPerMinute ?? 600)
  const reads = createBucket(clock, options.readsPerMinute ?? 3000)
  const webhooks = createWebhooks({ clock, random, secret: webhookSecret, send })
  const files = createFiles({ clock, newId, secret: token ?? 'emulated' })
  const life = createLife({
    clock,
    work,
    bootMs,
    notify: webhooks.notify,
    fetchFiles: createInputs(send, files.resolve),
  })
  const runs = new Map<string, Run>()
  /** Runs that still hold bytes, oldest first. */
  const holding = new Set<Run>()
  let roll = createDice(options.faults ?? [], random)
  // Uploads have dice of their own: a plan's `times` and `after` count starts.
  let rollUpload = createDice(options.faults ?? [], random)
  let tokenRefused = false

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const parts = url.pathname.split('/').filter(part => part !== '')
    if (parts[0] === 'delivery') return deliverOutput(request, parts)
    if (parts[0] !== 'v1') return problem(404, 'The requested resource could not be found.')
    const [, first, second, third, fourth, fifth] = parts
    if (first === 'files' && second !== undefined && third === 'download')
      return files.download(second, url.searchParams)

    if (!isAuthorised(request.headers.get('authorization')))
      return problem(401, 'You did not pass a valid authentication token', 'Unauthenticated')
    const isCreate = request.method === 'POST' && parts.at(-1) === 'predictions'
    const room = (isCreate ? creates : reads).take()
    if (!room.ok) return throttled('body', room.resetSeconds, clock.now())

    const response = await route()
    response.headers.set('ratelimit-remaining', String(room.remaining))
    response.headers.set('ratelimit-reset', String(room.resetSeconds))
    return response

    async function route(): Promise<Response> {
      const origin = options.origin ?? url.origin
      switch (`${request.method} ${first}`) {
        case 'POST predictions':
          if (second === undefined) return create(request, origin, null, null)
          if (third === 'cancel') return cancel(second)
          break
        case 'GET predictions':
          return second === undefined ? list(url, origin) : read(second, request)
        case 'POST models':
          if (fourth === 'predictions')
            return create(request, origin, { model: `${second}/${third}`, version: 'hidden' }, null)
          break
        case 'GET models':
          return readModel({ settings: options.settings, origin, runs: runs.size }, [second, third, fourth, fifth])
        case 'GET deployments':
          if (third === undefined || fourth !== undefined) break
          return readDeployment({ settings: options.settings }, second, third)
        case 'POST deployments':
          if (fourth === 'predictions')
            return create(request, origin, { model: `${second}/${third}`, version: 'hidden' }, `${second}/${third}`)
          break
        case 'POST files':
          if (rollUpload().has('upload-503')) return problem(503, 'Service unavailable')
          return files.create(request, origin)
        case 'GET files':
          return second === undefined ? paged(url, origin, files.list()) : files.get(second)
        case 'DELETE files':
          return files.remove(second ?? '')
        case 'GET account':
          if (tokenRefused) return problem(401, 'You did not pass a valid authentication token', 'Unauthenticated')
          return json(account)
        case 'GET hardware':
          return json(hardware)
        case 'GET webhooks':
          if (second === 'default' && third === 'secret') return json({ key: webhookSecret })
      }
      return problem(404, 'The requested resource could not be found.')
    }
  }

  async function create(
    request: Request,
    origin: string,
    named: { model: string; version: string } | null,
    deployment: string | null,
  ): Promise<Response> {
    const faults = roll()
    tokenRefused = faults.has('create-422') && faults.text('create-422') === 'token'
    const refusal = refuseCreate(faults, clock.now())
    if (refusal !== null) return refusal
    const asked = parseCreate(await request.json().catch(() => null), request.headers, named)
    if (!asked.ok) return problem(asked.status, asked.detail, asked.title)

    const now = clock.now()
    const run: Run = {
      id: newId(),
      origin,
      faults,
      model: asked.model,
      version: asked.version,
      deployment,
      input: asked.input,
      webhook: asked.webhook,
      events: asked.events,
      createdAt: now,
      deadlineAt: asked.cancelAfterMs === null ? null : now + asked.cancelAfterMs,
      status: 'starting',
      startedAt: null,
      completedAt: null,
      logs: '',
      error: null,
      outputs: [],
      forgotten: false,
      shown: new Map(),
      work: new AbortController(),
      timers: new Set(),
      waiters: new Set(),
    }
    runs.set(run.id, run)
    holding.add(run)
    dropPurged(now)
    life.begin(run)
    const lost = await loseCreate(faults, [request.signal, closed.signal], wording)
    if (lost !== null) return lost
    return asked.waitMs === null ? json(view(run, now), 201) : hold(run, asked.waitMs, request.signal)
  }

  /** Frees what nobody can ask for any more, so that a long simulation stays small. */
  function dropPurged(now: number): void {
    for (const run of holding) {
      if (!isPurged(run, now)) return
      run.input = {}
      run.outputs = []
      run.logs = ''
      holding.delete(run)
    }
  }

  /**
   * `Prefer: wait` as the vendor does it: a good result comes back as `processing` with its output, and what outran the
   * wait as `starting`, whatever it really is.
   */
  async function hold(run: Run, waitMs: number, signal: AbortSignal): Promise<Response> {
    const over = new AbortController()
    run.waiters.add(() => over.abort())
    await pause(clock, waitMs, over.signal, signal, closed.signal).catch(() => undefined)
    if (closed.signal.aborted || signal.aborted) throw connectionReset()
    const shown = view(run, clock.now())
    if (!isOver(run)) return json({ ...shown, status: 'starting' }, 202)
    return json(run.status === 'succeeded' ? { ...shown, status: 'processing', completed_at: null } : shown, 201)
  }

  async function read(id: string, request: Request): Promise<Response> {
    const run = runs.get(id)
    if (run === undefined) return problem(404, 'The requested resource could not be found.')
    const wrong = await misanswerStatus(run, clock, [request.signal, closed.signal], wording)
    return wrong ?? json(view(run, clock.now()))
  }

  function cancel(id: string): Response {
    const run = runs.get(id)
    if (run === undefined || run.forgotten) return problem(404, 'The requested resource could not be found.')
    const wrong = misanswerCancel(run, wording)
    if (wrong !== null) return wrong
    life.cancel(run)
    return json(view(run, clock.now()))
  }

  function list(url: URL, origin: string): Response {
    const after = Date.parse(url.searchParams.get('created_after') ?? '')
    const before = Date.parse(url.searchParams.get('created_before') ?? '')
    const found = [...runs.values()]
      .filter(run => !(run.createdAt < after) && !(run.createdAt > before) && !run.forgotten)
      .reverse()
      .map(run => ({ id: run.id, show: () => listView(run, clock.now()) }))
    return paged(url, origin, found)
  }

  /** Newest first; the cursor names the last item of the page before. */
  function paged(url: URL, origin: string, all: readonly { id: string; show: () => unknown }[]): Response {
    const cursor = url.searchParams.get('cursor')
    const start = cursor === null ? 0 : all.findIndex(item => item.id === cursor) + 1
    const items = all.slice(start, start + pageSize)
    const more = start + pageSize < all.length
    const next = new URL(`${origin}${url.pathname}${url.search}`)
    next.searchParams.set('cursor', items.at(-1)?.id ?? '')
    const results = items.map(item => item.show())
    const shown: PageView<unknown> = { next: more ? next.href : null, previous: null, results }
    return json(shown)
  }

  function deliverOutput(request: Request, [, id = '', index = '']: readonly string[]): Response {
    const run = runs.get(id)
    const output = run?.outputs[Number(index)]
    if (run === undefined || output === undefined || isPurged(run, clock.now()) || isExpired(run, clock.now()))
      return new Response('Not found', { status: 404, headers: { 'content-type': 'text/plain' } })
    const { body, mediaType } = output
    return deliver(request, { body, mediaType, faults: run.faults, clock, closed: closed.signal })
  }

  function isAuthorised(header: string | null): boolean {
    const given = /^(?:Bearer|Token)\s+(\S+)$/i.exec(header ?? '')?.[1]
    return given !== undefined && (token === undefined || given === token)
  }

  return {
    webhookSecret,
    async fetch(request) {
      request.signal.throwIfAborted()
      if (closed.signal.aborted) throw connectionReset()
      const response = await answer(request)
      response.headers.set('date', new Date(clock.now()).toUTCString())
      return response
    },
    setFaults(faults) {
      roll = createDice(faults, random)
      rollUpload = createDice(faults, random)
    },
    state() {
      const ledger = [...runs.values()].map(run => {
        const end = run.completedAt ?? clock.now()
        const billedMs = run.startedAt === null ? 0 : end - run.startedAt
        const { id, status, input, webhook } = run
        const amount = (billedMs / 1000) * pricePerSecond
        return { id, status, isRunning: !isOver(run), input, label: null, webhook, billedMs, amount }
      })
      return { submits: runs.size, running: [...runs.values()].filter(run => !isOver(run)).length, ledger }
    },
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const run of runs.values()) life.stop(run)
      webhooks.close()
    },
  }
}
