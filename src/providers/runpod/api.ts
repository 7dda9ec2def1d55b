import type { ZodType } from 'zod'
import { refuse, SurefootError } from '../../core/failure.ts'
import type { Io } from '../contract.ts'
import { type Answer, describeNetworkError, exchange } from '../http.ts'
import { failureOfAnswer } from './failure.ts'

/** One call of an endpoint's API; `path` begins with a slash and the endpoint's id. */
export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
}

/** The API at one base URL with one key, which never goes anywhere else. */
export interface Api {
  /** The raw answer, whatever its status; throws what `fetch` throws. */
  send(call: Call, io: Io): Promise<Answer>
}

export function createApi(baseUrl: string, apiKey: string): Api {
  return {
    send: (call, io) =>
      exchange(io.fetch, `${baseUrl}${call.path}`, {
        method: call.method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          'user-agent': 'surefoot',
          accept: 'application/json',
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        signal: io.signal,
        ...(call.body === undefined ? {} : { body: call.body }),
      }),
  }
}

/** Makes a call that changes nothing there that costs; a lost answer becomes a `SurefootError` with `provider_unreachable`. */
export async function ask(api: Api, call: Call, io: Io): Promise<Answer> {
  try {
    return await api.send(call, io)
  } catch (cause) {
    const words = describeNetworkError(cause, io.signal)
    return refuse('provider_unreachable', `RunPod could not be asked: ${words}.`, { cause })
  }
}

/** The body of a 2xx answer in the schema's shape; throws `SurefootError` with what the answer means otherwise. */
export function read<T>(answer: Answer, schema: ZodType<T>): T {
  if (answer.status < 200 || answer.status >= 300 || answer.json === undefined)
    throw new SurefootError(failureOfAnswer(answer))
  const result = schema.safeParse(answer.json)
  if (!result.success)
    return refuse('provider_error', `RunPod answered ${answer.status} with a body of an unknown shape.`, {
      cause: result.error,
    })
  return result.data
}

/** True for a 404 of the API itself; one with a page for people comes from something in between and means nothing. */
export function isMissing({ status, headers }: Answer): boolean {
  return (status === 404 || status === 410) && !/\bhtml\b/i.test(headers.get('content-type') ?? '')
}
