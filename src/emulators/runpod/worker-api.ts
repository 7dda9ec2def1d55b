import { z } from 'zod'
import type { Clock } from '../../core/clock.ts'
import { json } from '../answers.ts'
import { pause } from '../connection.ts'
import { problem } from './answers.ts'
import { isOver, type Job } from './job.ts'
import type { Life } from './life.ts'
import type { OutsidePool } from './outside-pool.ts'

/** How long a question is held that has no answer yet; the worker's client waits for 90 s. */
const holdMs = 20_000
/** Larger results are refused with 400, and the job has ended without one. Source: the vendor's page on sending requests. */
const maxResultBytes = { run: 10_000_000, runsync: 20_000_000 } as const

const resultSchema = z.looseObject({
  status: z.string().optional(),
  output: z.unknown().optional(),
  error: z.string().optional(),
})

export interface WorkerApiOptions {
  readonly clock: Clock
  readonly life: Life
  readonly jobs: ReadonlyMap<string, Job>
  readonly closed: AbortSignal
}

/** What the vendor's worker SDK calls, as a function of the path behind `/v2/ENDPOINT/`. */
export interface WorkerApi {
  /** Null: this is none of its paths. */
  answer(request: Request, pool: OutsidePool, path: readonly string[]): Promise<Response> | null
}

/**
 * The queue's side of the worker SDK: `GET job-take/WORKER`, `GET job-stop/WORKER`, `GET ping/WORKER`,
 * `POST job-done/WORKER/JOB` and `POST job-stream/WORKER/JOB`. A worker that vanishes is not missed: its job goes on until its
 * execution timeout. Source: runpod-python 1.12.0, `rp_job.py`, `rp_http.py` and `rp_ping.py`.
 */
export function createWorkerApi({ clock, life, jobs, closed }: WorkerApiOptions): WorkerApi {
  /** By worker: jobs that ended while it worked on them, which it was not told yet. */
  const stops = new Map<string, { ids: string[]; wake: () => void }>()

  function stopsOf(workerId: string) {
    const known = stops.get(workerId) ?? { ids: [], wake: () => undefined }
    stops.set(workerId, known)
    return known
  }

  async function take({ signal }: Request, pool: OutsidePool, workerId: string): Promise<Response> {
    const job = await pool.next(holdMs, signal, closed)
    if (job === null) return new Response(null, { status: 204 })
    pool.hold(workerId, job)
    const execution = life.take(job, workerId)
    execution.stop.signal.addEventListener('abort', () => {
      const stop = stopsOf(workerId)
      stop.ids.push(job.id)
      stop.wake()
    })
    return json({ id: job.id, input: job.input, delayTime: clock.now() - job.createdAt, webhook: job.webhook })
  }

  async function stop({ signal }: Request, workerId: string): Promise<Response> {
    const stop = stopsOf(workerId)
    if (stop.ids.length === 0) {
      const woken = new AbortController()
      stop.wake = () => woken.abort()
      await pause(clock, holdMs, woken.signal, signal, closed).catch(() => undefined)
    }
    const jobsToStop = stop.ids.splice(0)
    return jobsToStop.length > 0 ? json({ jobsToStop }) : new Response(null, { status: 204 })
  }

  async function done(request: Request, workerId: string, jobId: string): Promise<Response> {
    const job = jobs.get(jobId)
    if (job === undefined || job.forgotten) return problem(404, 'job not found')
    const text = await request.text()
    const result = resultSchema.safeParse(parse(text))
    if (!result.success) return problem(400, 'a result is a JSON object')
    const { status, output, error } = result.data
    // What arrives of a job that has ended, the vendor takes and forgets.
    if (isOver(job) || job.workerId !== workerId) return json({})
    if (status === 'IN_PROGRESS') {
      life.report(job, output)
      return json({})
    }
    const isTooLarge = Buffer.byteLength(text) > maxResultBytes[job.sync ? 'runsync' : 'run']
    life.end(job, workerId, isTooLarge ? {} : { output, error })
    return isTooLarge ? problem(400, 'the result is too large') : json({})
  }

  async function stream(request: Request, jobId: string): Promise<Response> {
    const job = jobs.get(jobId)
    if (job === undefined) return problem(404, 'job not found')
    const chunk = parse(await request.text())
    if (!isOver(job)) job.chunks.push(chunk)
    for (const wake of job.waiters) wake()
    return json({})
  }

  return {
    answer(request, pool, [verb, workerId = '', jobId = '']) {
      switch (`${request.method} ${verb}`) {
        case 'GET job-take':
          return take(request, pool, workerId)
        case 'GET job-stop':
          return stop(request, workerId)
        case 'GET ping':
          return Promise.resolve(json({}))
        case 'POST job-done':
          return done(request, workerId, jobId)
        case 'POST job-stream':
          return stream(request, jobId)
        default:
          return null
      }
    },
  }
}

/** A text as JSON, whatever content type it came with; undefined where it is none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
