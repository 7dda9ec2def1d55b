import { SurefootError } from './core/failure.ts'
import type { PredictionJson } from './http/shapes.ts'
import type { Surefoot } from './surefoot.ts'

/** Handlers of one App Router route file: `export const { POST, GET } = createProcessRoute(...)`. */
export interface ProcessRoute {
  /** A form with a file (and the model's other fields): 202 with `{ id, status, progress, ... }`. */
  POST(request: Request): Promise<Response>
  /** `?id=`: status and progress. `?id=&output`: the verified file. */
  GET(request: Request): Promise<Response>
}

export interface ProcessRouteOptions {
  /** `owner/name`. Default: the first model of the configuration. */
  readonly model?: string
  /** Form fields that are files. Default: `image`. */
  readonly fileFields?: readonly string[]
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
  /** Address of the file, on success. */
  readonly output: string | null
  readonly notice: string | null
}

/**
 * The two handlers of a route that turns an uploaded photo into an output, with its status to poll.
 *
 * @example
 * // src/app/api/process/route.ts
 * import { createSurefoot } from 'surefoot'
 * import { createProcessRoute } from 'surefoot/next'
 * export const { POST, GET } = createProcessRoute(createSurefoot(), { model: 'surefoot/relief' })
 */
export function createProcessRoute(surefoot: Surefoot, options: ProcessRouteOptions = {}): ProcessRoute {
  const { model, fileFields = ['image'], authorize } = options

  async function start(request: Request): Promise<Response> {
    const form = await readForm(request)
    const files: { [field: string]: Blob } = {}
    const input: { [field: string]: string | number } = {}
    for (const [field, value] of form) {
      if (typeof value !== 'string') files[field] = value
      else if (!fileFields.includes(field) && value !== '') input[field] = readValue(value)
    }
    const prediction = await surefoot.create({ ...(model === undefined ? {} : { model }), input, files })
    return answer(toStatus(prediction, request), 202)
  }

  async function report(request: Request): Promise<Response> {
    const query = new URL(request.url).searchParams
    const id = query.get('id') ?? ''
    if (query.has('output')) return await sendOutput(id)
    const prediction = id === '' ? null : await surefoot.get(id)
    if (prediction === null) return answer({ error: 'There is no such prediction.' }, 404)
    return answer(toStatus(prediction, request), 200)
  }

  async function sendOutput(id: string): Promise<Response> {
    const output = await surefoot.openOutput(id)
    if (output === null) return answer({ error: 'There is no output.' }, 404)
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
        if (!SurefootError.is(error)) throw error
        const { code, message, advice } = error.failure
        return answer({ error: message, code, advice }, error.status ?? (error.failure.fault === 'user' ? 422 : 500))
      }
    }
  }

  return { POST: guarded(start), GET: guarded(report) }
}

async function readForm(request: Request): Promise<FormData> {
  try {
    return await request.formData()
  } catch (cause) {
    throw new SurefootError(
      {
        code: 'input_invalid',
        message: 'Send the photo as a form (multipart/form-data).',
        fault: 'user',
        advice: 'Correct the request.',
      },
      { cause, status: 400 },
    )
  }
}

/** Forms carry text; the models' numbers are numbers. */
function readValue(text: string): string | number {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

function toStatus({ id, status, error, output, surefoot }: PredictionJson, request: Request): ProcessStatus {
  const { pathname } = new URL(request.url)
  return {
    id,
    status,
    stage: surefoot.progress?.stage ?? null,
    fraction: status === 'succeeded' ? 1 : (surefoot.progress?.fraction ?? null),
    error,
    output: output === null ? null : `${pathname}?id=${id}&output`,
    notice: surefoot.notice,
  }
}

function answer(body: object, status: number): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store' } })
}
