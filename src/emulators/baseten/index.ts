import type { Clock, Random } from '../../core/clock.ts'
import { json } from '../answers.ts'
import { connectionReset, hang } from '../connection.ts'
import type { Emulator, Work } from '../contract.ts'
import { deliver } from '../deliver.ts'
import { createDice, type FaultRule } from '../faults.ts'
import { createInputs } from '../inputs.ts'
import { loseCreate, misanswerCancel, misanswerStatus, refuseCreate } from '../misbehave.ts'
import { createBucket } from '../rate-limit.ts'
import type { Settings } from '../settings.ts'
import { answerOf, problem, wording } from './answers.ts'
import { createLife } from './life.ts'
import { manage } from './management.ts'
import { createReplicas, type Replicas } from './replicas.ts'
import type { Answers } from './results.ts'
import { isOver, type Run, retentionMs, view } from './run.ts'
import { parsePredict, parseRequest } from './run-request.ts'
import { createWebhooks } from './webhooks.ts'

export interface BasetenEmulatorOptions {
  readonly clock: Clock
  readonly random: Random
  readonly work: Work
  readonly faults?: readonly (string | FaultRule)[]
  /** The one API key that is accepted; without it any key is. */
  readonly apiKey?: string
  /** The workspace's webhook secrets, newest first: each signs. Default none: webhooks are unsigned. */
  readonly webhookSecrets?: readonly string[]
  /** How its bucket's URLs begin; default: as the caller reached it. */
  readonly origin?: string
  /** Carries webhooks and the replicas' own calls: inputs, a kit's hello and upload. Default: the real `fetch`. */
  readonly send?: typeof globalThis.fetch
  /** How models that are none of our kits give files back. Default `bucket`. */
  readonly answers?: Answers
  /** Cold start of a replica. Default 2 s. */
  readonly bootMs?: number
  /** USD per minute of a replica. Default: the vendor's price of an L4. */
  readonly pricePerMinute?: number
  /** Replicas per deployment, and how long one idles. Defaults: 3, and the vendor's 15 min. */
  readonly maxReplicas?: number
  readonly idleMs?: number
  /** Of `deployment`; see `Settings`. */
  readonly settings?: Settings
}

/** Requests take at most so many bytes. Source: docs.baseten.co/inference/errors. */
const maxRequestBytes = { async: 262_144, sync: 100_000_000 } as const
/** Calls per minute, by the stricter of the vendor's two numbers where they differ (20 a second). */
const callsPerMinute = { async_predict: 12_000, async_request: 1_200, async_queue_status: 1_200 } as const

/**
 * Baseten's inference API on an injected clock: async_predict, predict, async_request (status, cancel), wake and
 * async_queue_status of any model, at `/model-<id>/...`; replicas that scale from zero, idle and are billed for all of it;
 * time in the queue, hidden attempts, the router's own, webhooks with signatures, retention and size limits; with faults
 * on demand. A request whose input holds `surefoot` is played as our own kit would: hello first, then the work, then the
 * upload. Source: see `docs/providers/baseten.md`.
 */
export function createBasetenEmulator(options: BasetenEmulatorOptions): Emulator {
  const { clock, random, work, apiKey, answers = 'bucket', pricePerMinute = 0.01414 } = options
  const send = options.send ?? globalThis.fetch
  const closed = new AbortController()
  const runs = new Map<string, Run>()
  const deployments = new Map<string, Replicas>()
  /** Model -> when somebody switches it on again. */
  const deactivated = new Map<string, number>()
  const limits = Object.fromEntries(
    Object.entries(callsPerMinute).map(([verb, calls]) => [verb, createBucket(clock, calls, calls / 60)]),
  )
  const webhooks = createWebhooks({ clock, secrets: options.webhookSecrets ?? [], send })
  const life = createLife({
    clock,
    work,
    answers,
    send,
    closed: closed.signal,
    replicasOf,
    fetchFiles: createInputs(send),
    notify: webhooks.notify,
    deactivate({ model, faults }) {
      deactivated.set(model, clock.now() + faults.number('deactivated') * 1000)
      for (const run of runs.values()) if (run.model === model && !isOver(run)) life.drop(run)
    },
  })
  let roll = createDice(options.faults ?? [], random)

  function newId(): string {
    return Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
  }

  function replicasOf(deployment: string): Replicas {
    const known = deployments.get(deployment)
    if (known !== undefined) return known
    const replicas = createReplicas({
      clock,
      bootMs: options.bootMs ?? 2000,
      idleMs: options.idleMs ?? 900_000,
      maxReplicas: options.maxReplicas ?? 3,
      take: run => life.run(run),
    })
    deployments.set(deployment, replicas)
    return replicas
  }

  /** Replicas of a deployment that are up, as the management API names it. */
  function replicasAt(model: string, kind: string, place: string): number {
    const named = place === 'production' || place === 'development' || kind === 'environments'
    const where = !named ? `deployment/${place}` : kind === 'environments' ? `environments/${place}` : place
    return deployments.get(`${model}/${where}`)?.active() ?? 0
  }

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const [host = '', ...path] = url.pathname.split('/').filter(part => part !== '')
    if (host === 'bucket') return deliverFile(request, path[0] ?? '', Number(path[1]))
    if (host === 'v1' && isAuthorised(request.headers.get('authorization')))
      return manage(options.settings, path, replicasAt)
    const model = /^model-([a-z0-9]+)$/i.exec(host)?.[1]
    if (model === undefined) return problem(404, 'no such host')
    if (!isAuthorised(request.headers.get('authorization'))) return wording.refusal(401)
    if (clock.now() < (deactivated.get(model) ?? 0)) return problem(404, 'the deployment is deactivated')
    const verb = path[0] === 'async_request' ? 'async_request' : (path.at(-1) ?? '')
    const room = limits[verb]?.take()
    if (room?.ok === false) return wording.throttled('seconds', room.resetSeconds, clock.now())
    if (verb === 'async_request') return ask(request, model, path[1] ?? '')
    const place = path.slice(0, -1).join('/')
    if (!/^(production|development|environments\/[^/]+|deployment\/[^/]+)$/.test(place))
      return problem(404, 'not found')
    const deployment = `${model}/${place}`
    switch (`${request.method} ${verb}`) {
      case 'POST async_predict':
        return submit(request, url, model, deployment, false)
      case 'POST predict':
        return submit(request, url, model, deployment, true)
      case 'POST wake':
        replicasOf(deployment).wake()
        return new Response(null, { status: 202 })
      case 'GET async_queue_status':
        return json({ model_id: model, deployment_id: deployment, ...countOf(deployment) })
    }
    return problem(405, 'method not allowed')
  }

  async function submit(
    request: Request,
    url: URL,
    model: string,
    deployment: string,
    sync: boolean,
  ): Promise<Response> {
    const faults = roll()
    const refusal = faults.has('create-400') ? wording.refusal(400) : refuseCreate(faults, clock.now(), wording)
    if (refusal !== null) return refusal
    const text = await request.text()
    const bytes = Buffer.byteLength(text)
    const max = maxRequestBytes[sync ? 'sync' : 'async']
    if (bytes > max) return problem(413, `payload size of ${bytes} bytes exceeds maximum size of ${max} bytes`)
    const asked = sync ? parsePredict(text) : parseRequest(text)
    if ('refused' in asked) return problem(400, asked.refused)
    const run: Run = {
      ...asked,
      id: newId(),
      model,
      deployment,
      origin: options.origin ?? url.origin,
      sync,
      faults,
      createdAt: clock.now(),
      status: 'QUEUED',
      statusAt: clock.now(),
      startedAt: null,
      completedAt: null,
      webhookStatus: asked.webhook === null ? 'NO_WEBHOOK_PROVIDED' : 'PENDING',
      errors: [],
      data: null,
      files: [],
      executions: 0,
      billedMs: 0,
      stop: new AbortController(),
      forgotten: false,
      shown: new Map(),
      timers: new Set(),
      ended: Promise.withResolvers(),
    }
    runs.set(run.id, run)
    life.begin(run)
    const signals = [request.signal, closed.signal]
    const lost = await loseCreate(faults, signals, wording)
    if (lost !== null) return lost
    if (!sync) return json({ request_id: run.id }, 201)
    // Whoever hangs up has not stopped the model.
    await Promise.race([run.ended.promise, hang(...signals)])
    return answerOf(run)
  }

  async function ask(request: Request, model: string, id: string): Promise<Response> {
    const run = runs.get(id)
    if (run === undefined || run.sync || run.model !== model || isForgotten(run)) return wording.refusal(404)
    if (request.method === 'GET') {
      const instead = await misanswerStatus(run, clock, [request.signal, closed.signal], wording)
      return instead ?? json(view(run))
    }
    if (request.method !== 'DELETE') return problem(405, 'method not allowed')
    const instead = misanswerCancel(run, wording)
    if (instead !== null) return instead
    const canceled = life.cancel(run)
    const message = canceled ? 'Request canceled.' : 'Request could not be canceled: it is not queued.'
    return json({ request_id: id, canceled, message })
  }

  function isForgotten({ completedAt }: Run): boolean {
    return completedAt !== null && clock.now() >= completedAt + retentionMs
  }

  function countOf(deployment: string): Record<string, number> {
    const busy = [...runs.values()].filter(run => run.deployment === deployment && run.status === 'IN_PROGRESS')
    return { num_queued_requests: replicasOf(deployment).waiting(), num_in_progress_requests: busy.length }
  }

  function deliverFile(request: Request, id: string, index: number): Response {
    const run = runs.get(id)
    const file = run?.files[index]
    if (run === undefined || file === undefined || isExpired(run))
      return new Response('<Error><Code>NoSuchKey</Code></Error>', {
        status: 404,
        headers: { 'content-type': 'application/xml' },
      })
    return deliver(request, { ...file, faults: run.faults, clock, closed: closed.signal })
  }

  function isExpired({ faults, completedAt }: Run): boolean {
    return (
      faults.has('output-expired') &&
      completedAt !== null &&
      clock.now() >= completedAt + faults.number('output-expired') * 1000
    )
  }

  /** Both forms occur in the vendor's documents. */
  function isAuthorised(header: string | null): boolean {
    const given = /^(?:Api-Key|Bearer)\s+(\S+)$/i.exec(header ?? '')?.[1]
    return given !== undefined && (apiKey === undefined || given === apiKey)
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
      for (const replicas of deployments.values()) replicas.charge()
      const ledger = [...runs.values()].map(run => {
        const { id, status, input, webhook, billedMs } = run
        const amount = Math.ceil(billedMs / 60_000) * pricePerMinute
        return { id, status, isRunning: !isOver(run), input, label: null, webhook, billedMs, amount }
      })
      const woken = [...deployments].flatMap(([deployment, replicas]) => {
        const billedMs = replicas.wokenMs()
        const amount = Math.ceil(billedMs / 60_000) * pricePerMinute
        const nobodys = { isRunning: false, input: null, label: null, webhook: null }
        return billedMs === 0 ? [] : { id: `wake ${deployment}`, status: 'WOKEN', ...nobodys, billedMs, amount }
      })
      const running = ledger.filter(({ isRunning }) => isRunning).length
      return { submits: runs.size, running, ledger: [...ledger, ...woken] }
    },
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const run of runs.values()) life.stop(run)
      for (const replicas of deployments.values()) replicas.close()
      webhooks.close()
    },
  }
}
