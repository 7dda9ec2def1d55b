import type { ZodType } from 'zod'
import { createFailure, refuse, SurefootError } from '../../core/failure.ts'
import type { Io } from '../contract.ts'
import { type Answer, describeNetworkError, exchange } from '../http.ts'
import { failureOfAnswer } from './failure.ts'

/** One call of the API; `path` begins with a slash. */
export interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | ReadableStream<Uint8Array>
}

/** The API at one base URL with one token, which never goes anywhere else: URLs in answers are not called. */
export interface Api {
  /** The raw answer, whatever its status; throws what `fetch` throws. */
  send(call: Call, io: Io): Promise<Answer>
  /** A GET whose answer must be 2xx and fit the schema; throws `SurefootError` otherwise. */
  get<T>(path: string, schema: ZodType<T>, io: Io): Promise<T>
}

export function createApi(baseUrl: string, token: string): Api {
  async function send(call: Call, io: Io): Promise<Answer> {
    return exchange(io.fetch, `${baseUrl}${call.path}`, {
      method: call.method,
      headers: {
        authorization: `Bearer ${token}`,
        'user-agent': 'surefoot',
        accept: 'application/json',
        ...call.headers,
      },
      signal: io.signal,
      ...(call.body === undefined ? {} : { body: call.body, duplex: 'half' as const }),
    })
  }
  return {
    send,
    async get(path, schema, io) {
      return read(await ask(io.signal, () => send({ method: 'GET', path }, io)), schema)
    },
  }
}

/** Runs a call that changes nothing there; a lost answer becomes a `SurefootError` with `provider_unreachable`. */
export async function ask(signal: AbortSignal, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call()
  } catch (cause) {
    return refuse('provider_unreachable', `Replicate could not be asked: ${describeNetworkError(cause, signal)}.`, {
      cause,
    })
  }
}

/** The body of a 2xx answer in the schema's shape; throws `SurefootError` with what the answer means otherwise. */
export function read<T>(answer: Answer, schema: ZodType<T>): T {
  if (answer.status < 200 || answer.status >= 300) throw new SurefootError(failureOfAnswer(answer))
  if (answer.json === undefined) throw new SurefootError(failureOfAnswer(answer))
  const result = schema.safeParse(answer.json)
  if (!result.success)
    throw new SurefootError(
      createFailure('provider_error', `Replicate answered ${answer.status} with a body of an unknown shape.`),
      { cause: result.error },
    )
  return result.data
}
