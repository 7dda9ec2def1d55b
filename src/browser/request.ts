import { createGuard, type Guard, type Surroundings, spread, wait } from './surroundings.ts'

const answerMs = 30_000
const tries = 5
/** Longer than this nobody is kept waiting without being told. */
const longestPauseMs = 30_000

/** What the gateway said in place of an answer, or that there was none. `message` is one sentence for people. */
export class ClientError extends Error {
  /**
   * The gateway's own code (`input_invalid`, `rate_limited`, ...: docs/api.md), or `unreachable` (no answer),
   * `answer_unreadable` (not in the gateway's words) or `refused` (by somebody else: the app, a proxy, a bucket).
   */
  readonly code: string
  /** HTTP status; 0 where there was no answer. */
  readonly status: number
  /** By which the gateway's log names the request; null where the answer did not come from it. */
  readonly requestId: string | null
  /** Milliseconds after which the gateway wants to be asked again, where it said so. */
  readonly retryAfterMs: number | null

  constructor(
    code: string,
    detail: string,
    more: { status?: number; requestId?: string | undefined; retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.name = 'ClientError'
    this.code = code
    this.status = more.status ?? 0
    this.requestId = more.requestId ?? null
    this.retryAfterMs = more.retryAfterMs ?? null
  }

  /** The same as `message`. */
  get detail(): string {
    return this.message
  }
}

/** Where the gateway is, and what each request to it carries. */
export interface Connection {
  readonly surroundings: Surroundings
  /** Of the gateway's API, without `/v1`. */
  readonly url: string
  readonly headers: () => HeaderFields | Promise<HeaderFields>
}

export type HeaderFields = Readonly<Record<string, string>>

export interface Ask {
  readonly method?: 'GET' | 'POST'
  readonly headers?: HeaderFields
  /** Sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** One request, answered with JSON within 30 seconds. Fails with `ClientError`, or with the signal's reason. */
export async function askJson<T>(connection: Connection, path: string, ask: Ask = {}): Promise<T> {
  const guard = guardFor(connection, ask.signal)
  guard.expect(answerMs)
  try {
    const response = await send(connection, path, { ...ask, signal: guard.signal })
    const text = await response.text()
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw unreadable(response, cause)
    }
  } catch (cause) {
    throw toClientError(cause, ask.signal)
  } finally {
    guard.rest()
  }
}

/** `askJson` by POST, tried again where that may help: for what is safe to repeat. */
export function post<T>(connection: Connection, path: string, ask: Omit<Ask, 'method'>): Promise<T> {
  return persist(connection.surroundings, ask.signal, () => askJson<T>(connection, path, { ...ask, method: 'POST' }))
}

/** Ends an exchange with the gateway in which it falls silent. */
export function guardFor({ surroundings }: Connection, signal?: AbortSignal): Guard {
  return createGuard(surroundings, new ClientError('unreachable', 'The gateway does not answer.'), signal)
}

/** One request; whatever is not 2xx is a `ClientError`. */
export async function send(
  { surroundings, url, headers }: Connection,
  path: string,
  { method = 'GET', headers: own, body, signal }: Ask,
): Promise<Response> {
  const response = await surroundings.fetch(url + path, {
    method,
    cache: 'no-store',
    headers: { ...(await headers()), ...own, ...(body !== undefined && { 'content-type': 'application/json' }) },
    body: JSON.stringify(body),
    signal: signal ?? null,
  })
  if (!response.ok) throw await toRefusal(response)
  return response
}

/** An answer that is none of the gateway's: a page of a proxy, a sign-in form. */
export function unreadable({ status }: Response, cause?: unknown): ClientError {
  const detail = "The answer is not the gateway's; is the address right?"
  return new ClientError('answer_unreadable', detail, { status, cause })
}

/** A refusal in the gateway's words; `refused` where it is somebody else's: the app's own sign-in, a proxy, a bucket. */
export async function toRefusal(response: Response): Promise<ClientError> {
  const { status, headers } = response
  const said = (await response.json().catch(() => null)) as {
    code?: string
    detail?: string
    request_id?: string
  } | null
  const seconds = Number(headers.get('retry-after') || Number.NaN)
  return new ClientError(said?.code ?? 'refused', said?.detail ?? `The answer was ${status}.`, {
    status,
    requestId: said?.request_id,
    retryAfterMs: seconds >= 0 ? seconds * 1000 : null,
  })
}

/** Whatever was thrown: the signal's reason where that is why, else a `ClientError`. */
export function toClientError(cause: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason
  if (cause instanceof ClientError) return cause
  return new ClientError('unreachable', 'The gateway does not answer.', { cause })
}

/** Whether the same request may do better later. */
export function isPassing(error: unknown): error is ClientError {
  if (!(error instanceof ClientError)) return false
  const { status } = error
  if (status < 400 || status === 408 || status === 425 || status === 429) return true
  // Not offered, and no room: neither passes within seconds.
  return status >= 500 && status !== 501 && status !== 507
}

/** Five tries within about eight seconds, or as the gateway asks; `run` must be safe to repeat. */
export async function persist<T>(
  surroundings: Surroundings,
  signal: AbortSignal | undefined,
  run: (tried: number) => Promise<T>,
): Promise<T> {
  for (let tried = 0; ; tried++) {
    try {
      return await run(tried)
    } catch (error) {
      const pauseMs = isPassing(error) ? (error.retryAfterMs ?? 0) : Number.POSITIVE_INFINITY
      if (tried + 1 === tries || pauseMs > longestPauseMs) throw error
      await wait(surroundings, Math.max(pauseMs, spread(surroundings, 500 * 2 ** tried)), signal)
    }
  }
}
