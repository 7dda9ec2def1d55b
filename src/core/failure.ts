import codes from './failure-codes.json' with { type: 'json' }
import { toPlainWords } from './plain-words.ts'

/** The closed list of public failure codes; `failure-codes.json` is its one source, read by the Python kits too. */
export type FailureCode = keyof typeof codes

/** Who has to act: the caller, the model's author, the provider, who configured Surefoot, its policy, or Surefoot itself. */
export type Fault = 'user' | 'model' | 'provider' | 'config' | 'policy' | 'surefoot'

/** What may help: nothing (`never`), the `same` deployment once more, or only an `other` deployment. */
export type RetryAdvice = 'never' | 'same' | 'other'

/** Why something ended badly. Plain JSON: stored with attempts and predictions and shown to users. */
export interface Failure {
  readonly code: FailureCode
  /** One sentence: what happened, with the vendor's own words where there are any. Never holds secrets or signed URLs. */
  readonly message: string
  readonly fault: Fault
  /** One sentence: what to do next. */
  readonly advice: string
  /** Milliseconds that the provider asked us to wait (Retry-After in any form), where it did. */
  readonly retryAfterMs?: number
}

export const failureCodes = Object.keys(codes) as readonly FailureCode[]

/** Characters; what vendors and models say becomes part of messages. */
const longestMessage = 2_000

/** A failure with the list's fault and advice; both can be overridden where more is known. */
export function createFailure(
  code: FailureCode,
  message: string,
  more: { advice?: string; fault?: Fault; retryAfterMs?: number } = {},
): Failure {
  const entry = codes[code]
  return {
    code,
    message: toPlainWords(message, longestMessage),
    fault: more.fault ?? (entry.fault as Fault),
    advice: more.advice ?? entry.advice,
    ...(more.retryAfterMs === undefined ? {} : { retryAfterMs: more.retryAfterMs }),
  }
}

/** Whether trying again may help, and where. */
export function retryAdvice(code: FailureCode): RetryAdvice {
  return codes[code].retry as RetryAdvice
}

const brand = Symbol.for('surefoot.SurefootError')

/**
 * The one error class that Surefoot throws on purpose. Expected ends of predictions are values (`Failure`), not throws;
 * a throw means that a call could not do its work. Tests and callers look at `failure.code`, never at the words.
 */
export class SurefootError extends Error {
  readonly failure: Failure
  /** The HTTP status that fits, where the thrower knows better than the code's default. */
  readonly status: number | undefined

  constructor(failure: Failure, options: { cause?: unknown; status?: number } = {}) {
    super(failure.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SurefootError'
    this.failure = failure
    this.status = options.status
    Object.defineProperty(this, brand, { value: true })
  }

  /** True for errors of this class, also across two copies of the package. */
  static is(value: unknown): value is SurefootError {
    return typeof value === 'object' && value !== null && brand in value
  }
}

/**
 * Whether a write that ended with this error has surely changed nothing: its caller was refused, or there was no room. After
 * any other error, such as that of a database whose answer was lost, it may have happened all the same.
 */
export function isSureRefusal(error: unknown): boolean {
  if (!SurefootError.is(error) || error.failure.code === 'internal') return false
  const { status, failure } = error
  if (failure.code === 'storage_full') return true
  if (status === undefined) return failure.fault === 'user' || failure.fault === 'policy'
  return status < 500 || status === 507
}

/** Throws a `SurefootError`; for one-line refusals. */
export function refuse(
  code: FailureCode,
  message: string,
  more: { advice?: string; status?: number; cause?: unknown } = {},
): never {
  throw new SurefootError(createFailure(code, message, more), more)
}

/** Stays on in production: a broken assumption is reported as what it is, with its words. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SurefootError(createFailure('internal', `Broken invariant: ${message}`))
}
