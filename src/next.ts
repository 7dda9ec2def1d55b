import { refuse, SurefootError } from './core/failure.ts'
import { tooLarge } from './http/body.ts'
import { statusOf } from './http/errors.ts'
import type { PredictionJson } from './http/shapes.ts'
import type { Surefoot } from './surefoot.ts'

/** Handlers of one App Router route file: `export const { POST, GET } = createProcessRoute(...)`. */
export interface ProcessRoute {
  /** A form with a file (and the model's other fields): 202 with a `ProcessStatus`, as soon as it is durable. */
  POST(request: Request): Promise<Response>
  /** `?id=`: a `ProcessStatus`. `?id=&output`: the verified file. */
  GET(request: Request): Promise<Response>
}

export interface ProcessRouteOptions {
  /** `owner/name`. Default: the first model of the configuration. */
  readonly model?: string
  /** Form fields that are files: text in them, such as an address to fetch, is ignored. Default: `image`. */
  readonly fileFields?: readonly string[]
  /** Most bytes of a form; it is in memory while it arrives. Default 51,000,000: the largest photo, and its fields. */
  readonly maxBytes?: number
  /** Refuses a request by answering; called first, for every one. Without it whoever reaches the app may use the route. */
  readonly authorize?: (request: Request) => Promise<Response | null> | Response | null
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
  /** A failure code of Surefoot, `not_found` or `origin_refused`. */
  readonly code: string
}

const defaultMaxBytes = 51_000_000

/**
 * The two handlers of a route that turns an uploaded photo into an output, with its status to poll. POST takes no form
 * from another origin's page. Faults of the configuration answer with their code only and go to the console whole.
 *
 * @example
 * // src/app/api/process/route.ts
 * import { createSurefoot } from 'surefoot'
 * import { createProcessRoute } from 'surefoot/next'
 * export const { POST, GET } = createProcessRoute(createSurefoot(), { model: 'surefoot/relief' })
 */
export function createProcessRoute(
  surefoot: Pick<Surefoot, 'create' | 'get' | 'openOutput'>,
  options: ProcessRouteOptions = {},
): ProcessRoute {
  const { model, fileFields = ['image'], maxBytes = defaultMaxBytes, authorize } = options

  async function start(request: Request): Promise<Response> {
    if (comesFromElsewhere(request)) return refuseWith(403, 'origin_refused', 'Pages of other sites may not use this.')
    const files: { [field: string]: Blob } = {}
    const fields: { [field: string]: string } = {}
    for (const [field, value] of await readForm(request, maxBytes)) {
      if (typeof value !== 'string') {
        // What browsers send where nothing was chosen.
        if (value.size > 0 || value.name !== '') files[field] = value
      } else if (value !== '' && !fileFields.includes(field)) fields[field] = value
    }
    const prediction = await surefoot.create({ ...(model === undefined ? {} : { model }), fields, files })
    return answer(toStatus(prediction, request), 202)
  }

  async function report(request: Request): Promise<Response> {
    const query = new URL(request.url).searchParams
    const id = query.get('id') ?? ''
    if (query.has('output')) return await sendOutput(id)
    const prediction = await surefoot.get(id)
    if (prediction === null) return refuseWith(404, 'not_found', 'There is no such prediction.')
    return answer(toStatus(prediction, request), 200)
  }

  async function sendOutput(id: string): Promise<Response> {
    const output = await surefoot.openOutput(id)
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

  function guarded(handle: (request: Request) => Promise<Response>) {
    return async (request: Request): Promise<Response> => {
      try {
        return (await authorize?.(request)) ?? (await handle(request))
      } catch (error) {
        // Next.js answers 500 to all else and logs it; it also throws to redirect.
        if (!SurefootError.is(error)) throw error
        return toRefusal(error)
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

async function readForm({ body, headers }: Request, maxBytes: number): Promise<FormData> {
  const type = headers.get('content-type') ?? ''
  const advice = 'Send the photo as a form (multipart/form-data).'
  // Other forms carry no files; 50 MB of `a=b&` would take seconds and a gigabyte to take apart.
  if (!/^multipart\/form-data\s*;/i.test(type)) refuse('input_invalid', advice, { status: 400 })
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let total = 0
  try {
    for await (const chunk of body ?? []) {
      total += chunk.length
      if (total > maxBytes) tooLarge(maxBytes)
      chunks.push(chunk)
    }
    return await new Response(new Blob(chunks), { headers: { 'content-type': type } }).formData()
  } catch (cause) {
    if (SurefootError.is(cause)) throw cause
    return refuse('input_invalid', advice, { cause, status: 400 })
  }
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

function toRefusal(error: SurefootError): Response {
  const { code, message, fault } = error.failure
  if (fault === 'user') return refuseWith(statusOf(error), code, message)
  // Folders, accounts and providers are nothing for visitors.
  console.error('surefoot:', error)
  return refuseWith(statusOf(error), code, 'This cannot be done just now.')
}

function refuseWith(status: number, code: string, error: string): Response {
  return answer({ error, code } satisfies ProcessError, status)
}

function answer(body: ProcessStatus | ProcessError, status: number): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store' } })
}
