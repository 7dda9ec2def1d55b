import type { Clock, Random } from '../../core/clock.ts'
import { json } from '../answers.ts'
import { connectionReset, pause } from '../connection.ts'
import type { Emulator, Work } from '../contract.ts'
import { deliver } from '../deliver.ts'
import { createDice, type FaultRule } from '../faults.ts'
import { createInputs } from '../inputs.ts'
import { loseCreate, misanswerCancel, misanswerStatus, refuseCreate } from '../misbehave.ts'
import { type Bucket, createBucket } from '../rate-limit.ts'
import type { Settings } from '../settings.ts'
import { problem, wording } from './answers.ts'
import {
  type CancelView,
  goneAt,
  type HealthView,
  isOver,
  type Job,
  type PurgeView,
  type StreamView,
  view,
  type WaitingView,
} from './job.ts'
import { createLife } from './life.ts'
import { manage } from './management.ts'
import { createOutsidePool, type OutsidePool } from './outside-pool.ts'
import { createPool, type Pool } from './pool.ts'
import type { Answers } from './results.ts'
import { parseRun } from './run-request.ts'
import { createWebhooks } from './webhooks.ts'
import { createWorkerApi } from './worker-api.ts'

export interface RunpodEmulatorOptions {
  readonly clock: Clock
  readonly random: Random
  readonly work: Work
  readonly faults?: readonly (string | FaultRule)[]
  /** The one API key that is accepted; without it any key is. */
  readonly apiKey?: string
  /** How its bucket's URLs begin; default: as the caller reached it. */
  readonly origin?: string
  /** Carries webhooks and the workers' own calls: inputs, a kit's hello and upload. Default: the real `fetch`. */
  readonly send?: typeof globalThis.fetch
  /** How handlers that are none of our kits give files back. Default `bucket`. */
  readonly answers?: Answers
  /** Cold start of a worker. Default 2 s. */
  readonly bootMs?: number
  /** USD per second of a worker. Default: the vendor's price of an L40S. */
  readonly pricePerSecond?: number
  /** Workers per endpoint, and how long one idles. Defaults: the vendor's, 3 and 5 s. */
  readonly maxWorkers?: number
  readonly idleMs?: number
  /**
   * `played` (the default): its own workers do the `work`. `outside`: jobs wait for real workers of the vendor's SDK, whose calls are
   * answered below `/v2/ENDPOINT/` (`job-take/WORKER` and so on); cold starts, `work` and the faults of runs play no part.
   */
  readonly workers?: 'played' | 'outside'
  /** Of `endpoint`, `workers`, `summary` and `listWorkers`; see `Settings`. */
  readonly settings?: Settings
}

interface Endpoint {
  readonly pool: Pool
  /** The same, where workers are real. */
  readonly outside: OutsidePool | null
  readonly limits: { readonly [group: string]: Bucket }
}

/**
 * What there is, and how it is asked. Source: the vendor's reference of endpoint operations; `status-sync` as its client
 * calls it.
 */
const methods: ReadonlyMap<string, string> = new Map([
  ...['run', 'runsync', 'cancel', 'retry', 'purge-queue'].map(verb => [verb, 'POST'] as const),
  ...['status', 'status-sync', 'stream', 'health'].map(verb => [verb, 'GET'] as const),
])
/** Calls per 10 s, by user and endpoint; every other verb counts as a status. Source: the vendor's page on sending requests. */
const callsPerTenSeconds = { run: 1000, status: 2000, cancel: 100, 'purge-queue': 2 } as const
const maxRequestBytes = { run: 10_000_000, runsync: 20_000_000 } as const
/** Bounds and defaults of `?wait=`. */
const waits = {
  runsync: { byDefault: 90_000, max: 300_000 },
  'status-sync': { byDefault: 90_000, max: 90_000 },
  stream: { byDefault: 10_000, max: 300_000 },
} as const

/**
 * RunPod's API for queue-based endpoints on an injected clock: run, runsync, status, status-sync, stream, cancel, retry,
 * purge-queue, health; workers that scale from zero, idle and are billed for all of it; time to live, execution timeout,
 * retention and size limits; with faults on demand. Any endpoint exists. A job whose input holds `surefoot` is played as
 * our own kit would: hello first, then the work, then the upload. Source: see `docs/providers/runpod.md`.
 */
export function createRunpodEmulator(options: RunpodEmulatorOptions): Emulator {
  const { clock, random, work, apiKey, answers = 'bucket', pricePerSecond = 0.00053 } = options
  const send = options.send ?? globalThis.fetch
  const closed = new AbortController()
  const jobs = new Map<string, Job>()
  const endpoints = new Map<string, Endpoint>()
  const webhooks = createWebhooks(clock, send)
  const life = createLife({
    clock,
    work,
    answers,
    send,
    closed: closed.signal,
    poolOf: id => endpointOf(id).pool,
    fetchFiles: createInputs(send),
    notify: webhooks.notify,
  })
  const workerApi = createWorkerApi({ clock, life, jobs, closed: closed.signal })
  let roll = createDice(options.faults ?? [], random)

  function hex(length: number): string {
    return Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')
  }

  function newId(): string {
    return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`
  }

  function endpointOf(id: string): Endpoint {
    const known = endpoints.get(id)
    if (known !== undefined) return known
    const outside = options.workers === 'outside' ? createOutsidePool(clock) : null
    const pool =
      outside ??
      createPool({
        clock,
        bootMs: options.bootMs ?? 2000,
        idleMs: options.idleMs ?? 5000,
        maxWorkers: options.maxWorkers ?? 3,
        newWorkerId: () => hex(14),
        run: life.run,
      })
    const limits = Object.fromEntries(
      Object.entries(callsPerTenSeconds).map(([group, calls]) => [group, createBucket(clock, calls * 6, calls)]),
    )
    const endpoint = { pool, outside, limits }
    endpoints.set(id, endpoint)
    return endpoint
  }

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const [first, endpoint = '', verb = '', id = ''] = pathOf(url)
    if (first === 'bucket') return deliverFile(request, endpoint, Number(verb))
    if (first !== 'v2' || endpoint === '') return problem(404, 'not found')
    if (!isAuthorised(request.headers.get('authorization'))) return wording.refusal(401)
    if (endpoint === 'serverless' && request.method === 'GET')
      return manage(options.settings, verb, id === 'workers' ? endpointOf(verb).pool.workers() : null)
    const { pool, outside, limits } = endpointOf(endpoint)
    const called = outside === null ? null : workerApi.answer(request, outside, pathOf(url).slice(2))
    if (called !== null) return called
    const room = (limits[verb] ?? limits.status)?.take()
    if (room?.ok === false) return wording.throttled('seconds', room.resetSeconds, clock.now())

    const method = methods.get(verb)
    if (method === undefined) return problem(404, 'not found')
    if (method !== request.method) return problem(405, 'method not allowed')
    switch (verb) {
      case 'run':
      case 'runsync':
        return submit(request, url, endpoint, verb === 'runsync')
      case 'purge-queue':
        return purge(pool)
      case 'health':
        return json(health(endpoint, pool))
    }
    const job = jobs.get(id)
    if (job === undefined || job.endpoint !== endpoint || clock.now() >= goneAt(job)) return wording.refusal(404)
    switch (verb) {
      case 'status-sync':
        await waitFor(job, waitOf(url, 'status-sync'), () => isOver(job), request)
        return json(view(job))
      case 'stream':
        return stream(job, url, request)
      case 'cancel':
        return misanswerCancel(job, wording) ?? cancel(job)
      case 'retry':
        return retry(job)
      default:
        return (await misanswerStatus(job, clock, signalsOf(request), wording)) ?? json(view(job))
    }
  }

  async function submit(request: Request, url: URL, endpoint: string, sync: boolean): Promise<Response> {
    const faults = roll()
    const refusal = faults.has('create-400') ? wording.refusal(400) : refuseCreate(faults, clock.now(), wording)
    if (refusal !== null) return refusal
    const text = await request.text()
    if (Buffer.byteLength(text) > maxRequestBytes[sync ? 'runsync' : 'run']) return wording.refusal(413)
    const asked = parseRun(text)
    if ('refused' in asked) return problem(400, asked.refused)
    const job: Job = {
      ...asked,
      id: sync ? `sync-${newId()}-e1` : `${newId()}-u1`,
      endpoint,
      origin: options.origin ?? url.origin,
      sync,
      faults,
      createdAt: clock.now(),
      status: 'IN_QUEUE',
      startedAt: null,
      completedAt: null,
      workerId: null,
      retries: 0,
      progress: undefined,
      output: undefined,
      error: null,
      files: [],
      isOverwritten: false,
      forgotten: false,
      chunks: [],
      billedMs: 0,
      executions: new Set(),
      shown: new Map(),
      timers: new Set(),
      waiters: new Set(),
    }
    jobs.set(job.id, job)
    life.begin(job)
    const lost = await loseCreate(faults, signalsOf(request), wording)
    if (lost !== null) return lost
    const queued: WaitingView = { id: job.id, status: 'IN_QUEUE' }
    if (!sync) return json(queued)
    await waitFor(job, waitOf(url, 'runsync'), () => isOver(job), request)
    return json(isOver(job) ? view(job) : { ...queued, status: job.status })
  }

  /** Chunks are handed out once: what a lost answer carried is gone. */
  async function stream(job: Job, url: URL, request: Request): Promise<Response> {
    await waitFor(job, waitOf(url, 'stream'), () => isOver(job) || job.chunks.length > 0, request)
    const chunks = job.chunks.splice(0)
    const shown: StreamView = { status: job.status, stream: chunks }
    return json(shown)
  }

  function cancel(job: Job): Response {
    const wasOver = isOver(job) && !job.isOverwritten
    life.cancel(job)
    const shown: CancelView = { id: job.id, status: wasOver ? job.status : 'CANCELLED' }
    return json(shown)
  }

  function retry(job: Job): Response {
    if (job.status !== 'FAILED' && job.status !== 'TIMED_OUT')
      return problem(400, 'only failed and timed out jobs can be retried')
    job.status = 'IN_QUEUE'
    job.startedAt = null
    job.completedAt = null
    job.error = null
    life.begin(job)
    const shown: WaitingView = { id: job.id, status: 'IN_QUEUE' }
    return json(shown)
  }

  function purge(pool: Pool): Response {
    const queued = pool.queue.filter(({ status }) => status === 'IN_QUEUE')
    for (const job of queued) life.cancel(job)
    const shown: PurgeView = { removed: queued.length, status: 'completed' }
    return json(shown)
  }

  function health(endpoint: string, pool: Pool): HealthView {
    const mine = [...jobs.values()].filter(job => job.endpoint === endpoint)
    const count = (status: string) => mine.filter(job => job.status === status).length
    return {
      jobs: {
        completed: count('COMPLETED'),
        failed: count('FAILED'),
        inProgress: count('IN_PROGRESS'),
        inQueue: count('IN_QUEUE'),
        retried: mine.reduce((sum, job) => sum + job.retries, 0),
      },
      workers: pool.workers(),
    }
  }

  function deliverFile(request: Request, id: string, index: number): Response {
    const job = jobs.get(id)
    const file = job?.files[index]
    if (job === undefined || file === undefined || isExpired(job))
      return new Response('<Error><Code>NoSuchKey</Code></Error>', {
        status: 404,
        headers: { 'content-type': 'application/xml' },
      })
    return deliver(request, { ...file, faults: job.faults, clock, closed: closed.signal })
  }

  function isExpired({ faults, completedAt }: Job): boolean {
    return (
      faults.has('output-expired') &&
      completedAt !== null &&
      clock.now() >= completedAt + faults.number('output-expired') * 1000
    )
  }

  async function waitFor(job: Job, ms: number, isDone: () => boolean, request: Request): Promise<void> {
    const woken = new AbortController()
    const wake = () => {
      if (isDone()) woken.abort()
    }
    job.waiters.add(wake)
    wake()
    await pause(clock, ms, woken.signal, ...signalsOf(request)).catch(() => undefined)
    job.waiters.delete(wake)
    if (closed.signal.aborted || request.signal.aborted) throw connectionReset()
  }

  function signalsOf(request: Request): AbortSignal[] {
    return [request.signal, closed.signal]
  }

  /** Both forms occur in the vendor's documents: with `Bearer` and bare. */
  function isAuthorised(header: string | null): boolean {
    const given = /^(?:Bearer\s+)?(\S+)$/i.exec(header ?? '')?.[1]
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
      for (const { pool } of endpoints.values()) pool.charge()
      const ledger = [...jobs.values()].map(job => {
        const { id, status, input, webhook, billedMs } = job
        const amount = Math.ceil(billedMs / 1000) * pricePerSecond
        return { id, status, isRunning: !isOver(job), input, label: null, webhook, billedMs, amount }
      })
      const running = [...jobs.values()].filter(job => !isOver(job) || job.executions.size > 0)
      return { submits: jobs.size, running: running.length, ledger }
    },
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const job of jobs.values()) life.stop(job)
      for (const { pool } of endpoints.values()) pool.close()
      webhooks.close()
    },
  }
}

function pathOf(url: URL): string[] {
  return url.pathname.split('/').filter(part => part !== '')
}

function waitOf(url: URL, verb: keyof typeof waits): number {
  const { byDefault, max } = waits[verb]
  const asked = Number(url.searchParams.get('wait') ?? byDefault)
  return Math.min(Math.max(asked || byDefault, 1000), max)
}
