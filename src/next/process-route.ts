import { SurefootError } from '../core/failure.ts'
import type { Visitor } from '../http/context.ts'
import type { Authorize } from '../http/mount.ts'
import type { PredictionJson } from '../http/shapes.ts'
import type { Predictions, Surefoot } from '../surefoot.ts'
import { readBody } from './read-body.ts'
import { answer, toRefusal } from './refusals.ts'

/** Handlers of one App Router route file: `export const { POST, GET } = createProcessRoute(...)`. */
export interface ProcessRoute {
  /**
   * A form with a file (and the model's other fields), or JSON with the id of an upload or the file in base64: 202 with a
   * `ProcessStatus`, as soon as it is durable.
   */
  POST(request: Request): Promise<Response>
  /** `?id=`: a `ProcessStatus`. `?id=&output`: the verified file, or where files are in a bucket a redirect to it. */
  GET(request: Request): Promise<Response>
}

export interface ProcessRouteOptions {
  /** `owner/name`. Default: the first model of the configuration. */
  readonly model?: string
  /** Form fields that are files: text in them, such as an address to fetch, is ignored. Default: `image`. */
  readonly fileFields?: readonly string[]
  /** Most bytes of a body; it is in memory while it arrives. Default 51,000,000: the largest photo, and its fields. */
  readonly maxBytes?: number
  /**
   * Your sign-in, asked first, for every request: who it is, an answer of your own, or null for nobody. People see what is
   * their own. Without it nobody may use the route.
   */
  readonly authorize?: Authorize
}

/** What the route answers about a prediction: enough for a page, nothing about providers. */
export interface ProcessStatus {
  readonly id: string
  readonly status: PredictionJson['status']
  readonly stage: string | null
  /** 0 to 1, or null where nobody knows. */
  readonly fraction: number | null
  /** One sentence, on failure. */
  readonly error: string | null
  /** The verified file, on success. */
  readonly output: ProcessOutput | null
  /** What people must know about results of this model. */
  readonly notice: string | null
}

export interface ProcessOutput {
  /** Path of this route with its query; downloads under `name`. */
  readonly url: string
  readonly name: string
  readonly bytes: number
}

/** What the route answers where it does nothing; the HTTP status says whose turn it is. */
export interface ProcessError {
  /** One sentence for people. */
  readonly error: string
  /** A failure code of Surefoot, `not_found`, `origin_refused` or `not_signed_in`. */
  readonly code: string
}

const defaultMaxBytes = 51_000_000
const closed = 'createProcessRoute() has no authorize, so nobody may use the route. Return { user } for whoever may.'

/**
 * The two handlers of a route that turns an uploaded photo into an output, with its status to poll. POST takes nothing from
 * another origin's page. Faults of the configuration answer with their code only and go to the console whole.
 *
 * @example
 * // src/app/api/process/route.ts
 * import { createSurefoot } from 'surefoot'
 * import { createProcessRoute } from 'surefoot/next'
 * export const { POST, GET } = createProcessRoute(createSurefoot(), { model: 'surefoot/relief', authorize })
 */
export function createProcessRoute(surefoot: Pick<Surefoot, 'as'>, options: ProcessRouteOptions = {}): ProcessRoute {
  const { model, fileFields = ['image'], maxBytes = defaultMaxBytes, authorize } = options

  async function start(request: Request, predictions: Predictions): Promise<Response> {
    if (comesFromElsewhere(request)) return refuseWith(403, 'origin_refused', 'Pages of other sites may not use this.')
    const received = await readBody(request, { fileFields, maxBytes })
    const prediction = await predictions.create({ ...(model === undefined ? {} : { model }), ...received })
    return answer(toStatus(prediction, request), 202)
  }

  async function report(request: Request, predictions: Predictions): Promise<Response> {
    const query = new URL(request.url).searchParams
    const id = query.get('id') ?? ''
    if (query.has('output')) return await sendOutput(id, predictions)
    const prediction = await predictions.get(id)
    if (prediction === null) return refuseWith(404, 'not_found', 'There is no such prediction.')
    return answer(toStatus(prediction, request), 200)
  }

  /** Past the host's limits for answers where that is possible. */
  async function sendOutput(id: string, predictions: Predictions): Promise<Response> {
    const location = await predictions.outputUrl(id)
    if (location !== null)
      return new Response(null, { status: 302, headers: { location, 'cache-control': 'no-store' } })
    const output = await predictions.openOutput(id)
    if (output === null) return refuseWith(404, 'not_found', 'There is no output.')
    return new Response(output.body, {
      headers: {
        'content-type': output.mediaType,
        'content-length': String(output.bytes),
        'content-disposition': `attachment; filename="${output.name}"`,
        'cache-control': 'private, max-age=3600',
      },
    })
  }

  async function admit(request: Request): Promise<Visitor | Response> {
    const visitor = (await authorize?.(request)) ?? null
    if (visitor !== null) return visitor
    if (authorize === undefined) console.error(`surefoot: ${closed}`)
    return refuseWith(401, 'not_signed_in', 'Sign in first.')
  }

  function guarded(handle: (request: Request, predictions: Predictions) => Promise<Response>) {
    return async (request: Request): Promise<Response> => {
      try {
        const visitor = await admit(request)
        return visitor instanceof Response ? visitor : await handle(request, surefoot.as(visitor))
      } catch (error) {
        // Next.js answers 500 to all else and logs it; it also throws to redirect.
        if (!SurefootError.is(error)) throw error
        return toRefusal(error, (sentence, code) => ({ error: sentence, code }) satisfies ProcessError)
      }
    }
  }

  return { POST: guarded(start), GET: guarded(report) }
}

/** Whoever has another site open must not start work here with their cookies. Programs send neither header and pass. */
function comesFromElsewhere({ headers }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site === 'cross-site' || site === 'same-site'
  // Not by the request's own address: behind a proxy that is an inner one.
  const origin = headers.get('origin')?.replace(/^https?:\/\//, '')
  return origin !== undefined && origin !== headers.get('host') && origin !== headers.get('x-forwarded-host')
}

function toStatus({ id, status, error, surefoot }: PredictionJson, request: Request): ProcessStatus {
  const { progress, output, notice } = surefoot
  return {
    id,
    status,
    stage: progress?.stage ?? null,
    fraction: status === 'succeeded' ? 1 : (progress?.fraction ?? null),
    error,
    output: output && {
      url: `${new URL(request.url).pathname}?id=${id}&output`,
      name: output.name,
      bytes: output.bytes,
    },
    notice,
  }
}

function refuseWith(status: number, code: string, error: string): Response {
  return answer({ error, code } satisfies ProcessError, status)
}
