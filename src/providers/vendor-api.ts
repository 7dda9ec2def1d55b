import { type ZodType, z } from 'zod'
import { createFailure, type Failure, type FailureCode, refuse, SurefootError } from '../core/failure.ts'
import type { Io, StartAnswer } from './contract.ts'
import { type Answer, describeNetworkError, exchange, surelyNotSent, vendorWords } from './http.ts'
import type { InlineFiles } from './long-texts.ts'
import { retryAfterMs } from './retry-after.ts'

/** One call of a vendor's API; `path` begins with a slash. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | ReadableStream<Uint8Array>
}

/** What differs between vendors that are spoken to by HTTP and JSON. */
export interface Vendor {
  /** As people know it; begins every message. */
  readonly name: string
  /** Without a slash at its end. */
  readonly baseUrl: string
  /** Value of the `authorization` header; it goes nowhere but to `baseUrl`. Null sends none. */
  readonly authorization: string | null
  /** Where files stand in its answers. Default: nowhere, and every answer is read whole. */
  readonly inline?: InlineFiles
  /** Where an HTTP status means something else than it usually does; undefined leaves the usual meaning. */
  codeOf?(answer: Answer, words: string): FailureCode | undefined
  /** Where a failure's usual advice does not fit this vendor; undefined leaves it. */
  adviceOf?(code: FailureCode, answer: Answer): string | undefined
}

/** An API at one base URL with one secret, which never goes anywhere else: URLs in answers are not called. */
export interface VendorApi {
  readonly vendor: Vendor
  /** The raw answer, whatever its status; throws what `fetch` throws. */
  send(call: Call, io: Io): Promise<Answer>
  /** For calls that start nothing: a lost answer throws `SurefootError` with `provider_unreachable`. */
  ask(call: Call, io: Io): Promise<Answer>
  /** The body of a 2xx answer in the schema's shape; throws `SurefootError` with what the answer means otherwise. */
  read<T>(answer: Answer, schema: ZodType<T>): T
  /** A GET whose answer must be 2xx and fit the schema; throws like `ask` and `read`. */
  get<T>(path: string, schema: ZodType<T>, io: Io): Promise<T>
  /** What an answer means whose status is not 2xx, or that is 2xx and says nothing readable. */
  failureOf(answer: Answer): Failure
}

export function createVendorApi(vendor: Vendor): VendorApi {
  const { name, baseUrl, authorization } = vendor
  const api: VendorApi = {
    vendor,
    send: (call, io) =>
      exchange(
        io,
        `${baseUrl}${call.path}`,
        {
          method: call.method,
          headers: {
            ...(authorization === null ? {} : { authorization }),
            'user-agent': 'surefoot',
            accept: 'application/json',
            ...(typeof call.body === 'string' ? { 'content-type': 'application/json' } : {}),
            ...call.headers,
          },
          ...(call.body === undefined ? {} : { body: call.body, duplex: 'half' as const }),
        },
        vendor.inline,
      ),
    async ask(call, io) {
      try {
        return await api.send(call, io)
      } catch (cause) {
        const words = describeNetworkError(cause, io.signal, `${baseUrl}${call.path}`)
        return refuse('provider_unreachable', `${name} could not be asked: ${words}.`, { cause })
      }
    },
    read(answer, schema) {
      if (!isSuccess(answer) || answer.json === undefined) throw new SurefootError(api.failureOf(answer))
      const result = schema.safeParse(answer.json)
      if (result.success) return result.data
      return refuse('provider_error', `${name} answered ${answer.status} with a body of an unknown shape.`, {
        cause: result.error,
      })
    },
    async get(path, schema, io) {
      return api.read(await api.ask({ method: 'GET', path }, io), schema)
    },
    failureOf(answer) {
      const { status } = answer
      const wait = retryAfterMs(answer.headers, answer.text)
      const more = wait === undefined ? {} : { retryAfterMs: wait }
      if (isSuccess(answer)) {
        const type = answer.headers.get('content-type')?.split(';')[0]?.slice(0, 60) ?? 'no content type'
        return createFailure('provider_error', `${name} answered ${status} without a readable body (${type}).`, more)
      }
      const words = wordsOf(answer)
      const message = toSentence(`${name} answered ${status}${words === '' ? '' : `: ${words}`}`)
      const code = vendor.codeOf?.(answer, words) ?? usualCode(status, words)
      const advice = vendor.adviceOf?.(code, answer) ?? addressAdvice(vendor, code, answer)
      return createFailure(code, message, { ...more, ...(advice === undefined ? {} : { advice }) })
    },
  }
  return api
}

/** Whatever the body says, the vendor took the call. */
export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300
}

/** True for a 404 of the API itself; one with a page for people comes from something in between and means nothing. */
export function isMissing({ status, headers }: Answer): boolean {
  return (status === 404 || status === 410) && !/\bhtml\b/i.test(headers.get('content-type') ?? '')
}

const problemSchema: ZodType<{ error?: unknown; message?: unknown; detail?: unknown; title?: unknown }> = z.looseObject(
  {},
)

/** The vendor's explanation, or '' where there is none that a person should read (an HTML page). */
export function wordsOf(answer: Answer): string {
  const problem = problemSchema.safeParse(answer.json)
  if (!problem.success)
    return /^text\/plain\b/i.test(answer.headers.get('content-type') ?? '') ? vendorWords(answer.text) : ''
  const { error, message, detail, title } = problem.data
  const words = error ?? message ?? detail ?? title ?? ''
  return vendorWords(typeof words === 'string' ? words : JSON.stringify(words))
}

/** Others add sentences of their own after ours. */
export function toSentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`
}

/** A base URL that is wrong by a part of its path is answered like a target that does not exist. */
function addressAdvice({ name, baseUrl }: Vendor, code: FailureCode, { status, json }: Answer): string | undefined {
  if (code !== 'deployment_missing' || status !== 404 || baseUrl === '') return undefined
  if (json === undefined)
    return `That is no answer of ${name}'s API: correct the provider's baseUrl, or else the deployment's target.`
  return "The model, version or endpoint does not exist there; correct the deployment's target, or the provider's baseUrl where one is set."
}

function usualCode(status: number, words: string): FailureCode {
  switch (status) {
    case 400:
    case 422:
      return /max(imum)? size|too large/i.test(words) ? 'input_too_large' : 'input_invalid'
    case 401:
      return 'auth_rejected'
    case 402:
      return 'payment_required'
    case 403:
      return /lock|suspend|disabled|billing|balance/i.test(words) ? 'account_locked' : 'auth_rejected'
    case 404:
    case 410:
      return 'deployment_missing'
    case 413:
      return 'input_too_large'
    case 429:
      return 'rate_limited'
    default:
      return 'provider_error'
  }
}

/** One start: what to send, and what the vendor's answers mean. */
export interface Submission {
  /** Everything before the one call that costs: uploads, checks. What it throws is a refusal, nothing was started. */
  build(): Promise<Call>
  /** What a 2xx answer says, which may be a refusal; null when it cannot be read, and the start is unknown then. */
  accepted(answer: Answer): StartAnswer | null
  /** Whether an answer proves that nothing was started. Default: every 4xx but 408 and 409. */
  isRefusal?(answer: Answer): boolean
  /** A refusal that needs a second look, or that names the run which was there already. Default: what its status means. */
  refused?(answer: Answer): Promise<Failure | StartAnswer>
  /** An error after the request went out that tells more than that the answer is lost; null: it does not. */
  broken?(error: unknown): StartAnswer | null
}

/**
 * Submits once, with exactly one call: without a key of the caller's, a second one is a second bill. Whatever happens
 * before it is `rejected`; a connection that never came about and a 4xx are `rejected`; everything else is `unknown`.
 */
export async function submitOnce(api: VendorApi, submission: Submission, io: Io): Promise<StartAnswer> {
  const { name } = api.vendor
  let call: Call
  try {
    call = await submission.build()
    io.signal.throwIfAborted()
  } catch (error) {
    return { kind: 'rejected', failure: failureBefore(error, io.signal) }
  }

  let answer: Answer
  try {
    answer = await api.send(call, io)
  } catch (error) {
    const words = describeNetworkError(error, io.signal, `${api.vendor.baseUrl}${call.path}`)
    if (!surelyNotSent(error)) return submission.broken?.(error) ?? unknownStart(`${words}.`)
    return {
      kind: 'rejected',
      failure: createFailure('provider_unreachable', `${name} could not be reached: ${words}.`),
    }
  }
  if (isSuccess(answer)) return submission.accepted(answer) ?? unknownStart(api.failureOf(answer).message)
  const failure = api.failureOf(answer)
  if (!(submission.isRefusal ?? isRefusal)(answer)) return unknownStart(failure.message, failure.retryAfterMs)
  const verdict = (await submission.refused?.(answer)) ?? failure
  return 'kind' in verdict ? verdict : { kind: 'rejected', failure: verdict }
}

/** 408 and 409 are in no list of a vendor's; they may come from anything in between, after the request went on. */
export function isRefusal({ status }: Answer): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 409
}

function failureBefore(error: unknown, signal: AbortSignal): Failure {
  if (SurefootError.is(error)) return error.failure
  return createFailure('provider_unreachable', `Nothing was started: ${describeNetworkError(error, signal)}.`)
}

/** Maybe it was started; `words` say what came instead of the answer. */
export function unknownStart(words: string, retryAfterMs?: number): StartAnswer {
  const more = retryAfterMs === undefined ? {} : { retryAfterMs }
  return {
    kind: 'unknown',
    failure: createFailure('start_unknown', `The answer to the start was lost: ${words}`, more),
  }
}
