import { readToken, refuseToken } from './token.ts'

/** Replicate's words for a prediction, as the public API gives them. */
export type Status = 'starting' | 'processing' | 'succeeded' | 'failed' | 'canceled' | 'aborted'

/** A prediction as `GET /v1/predictions/{id}` answers it; only what this page reads. Times are ISO 8601. */
export interface Prediction {
  readonly id: string
  readonly model: string
  readonly status: Status
  readonly input: { readonly [field: string]: unknown }
  readonly output: unknown
  readonly error: string | null
  readonly created_at: string
  readonly completed_at: string | null
  readonly surefoot: Extension
}

/** What Surefoot adds to Replicate's fields. */
export interface Extension {
  readonly progress: { readonly stage: string | null; readonly fraction: number | null } | null
  readonly failure: Failure | null
  readonly cost: { readonly amount: number; readonly currency: string; readonly estimated: boolean } | null
  readonly deployment: string | null
  /** What people must know about results of this model. */
  readonly notice: string | null
  readonly output: OutputFile | null
  /** Other formats of the result, made when they are asked for. */
  readonly derivatives?: readonly Derivative[]
}

export interface Derivative {
  readonly name: string
  /** What it is. */
  readonly label: string
  /** Signed. */
  readonly url: string
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly fault: string
  readonly advice: string
}

/** The verified result file. `facts` is what verification found in it. */
export interface OutputFile {
  readonly name: string
  readonly media_type: string
  readonly bytes: number
  readonly sha256: string
  readonly facts: { readonly [name: string]: unknown }
}

/** The account of a prediction, as `GET /v1/predictions/{id}/attempts` answers it; only what this page reads. */
export interface Attempts {
  readonly decisions: readonly { readonly at: string; readonly what: string; readonly why: string }[]
}

/** A model as `GET /v1/models` lists it. */
export interface Model {
  readonly owner: string
  readonly name: string
  readonly description: string | null
}

export interface Page<T> {
  readonly next: string | null
  readonly results: readonly T[]
}

/** A request that the gateway refused or that never reached it (status 0). The message is one sentence for people. */
export class RequestError extends Error {
  readonly status: number
  readonly code: string | null
  readonly requestId: string | null

  constructor(message: string, status: number, code: string | null, requestId: string | null) {
    super(message)
    this.name = 'RequestError'
    this.status = status
    this.code = code
    this.requestId = requestId
  }
}

export function isLive(prediction: Prediction): boolean {
  return prediction.status === 'starting' || prediction.status === 'processing'
}

/** Address of the photo that a prediction was made from, where it had one. */
export function photoOf(prediction: Prediction): string | null {
  const { image } = prediction.input
  return typeof image === 'string' ? image : null
}

/** Address of the result, where it is one file. */
export function fileOf(prediction: Prediction): string | null {
  return typeof prediction.output === 'string' ? prediction.output : null
}

export function listModels(signal?: AbortSignal): Promise<Page<Model>> {
  return request('/v1/models', { signal })
}

/** Newest first. `next` continues a listing from the address that the last page named. */
export function listPredictions(next?: string | null, signal?: AbortSignal): Promise<Page<Prediction>> {
  return request(next ? ownPath(next) : '/v1/predictions', { signal })
}

export function getPrediction(id: string, signal?: AbortSignal): Promise<Prediction> {
  return request(`/v1/predictions/${encodeURIComponent(id)}`, { signal })
}

export function getAttempts(id: string, signal?: AbortSignal): Promise<Attempts> {
  return request(`/v1/predictions/${encodeURIComponent(id)}/attempts`, { signal })
}

/** Sends a photo to a model (`owner/name`); answers as soon as the prediction is stored, long before it ends. */
export function createPrediction(model: string, photo: File, signal?: AbortSignal): Promise<Prediction> {
  const body = new FormData()
  body.set('version', model)
  body.set('image', photo, photo.name)
  return request('/v1/predictions', { method: 'POST', body, signal })
}

export function cancelPrediction(id: string): Promise<Prediction> {
  return request(`/v1/predictions/${encodeURIComponent(id)}/cancel`, { method: 'POST' })
}

/**
 * Follows a prediction by its server-sent events: calls `show` with each. Answers true at its end, false when the stream
 * was cut before; fails with `RequestError`. Not by EventSource, which cannot send a token.
 */
export async function followPrediction(
  id: string,
  signal: AbortSignal,
  show: (prediction: Prediction) => void,
): Promise<boolean> {
  const response = await ask(`/v1/predictions/${encodeURIComponent(id)}/events`, { signal }, 'text/event-stream')
  if (!response.ok || response.body === null) throw await toRequestError(response)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = ''; ; ) {
    const { done, value } = await reader.read()
    if (done) return false
    const blocks = (rest + value).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1]
      if (event === 'done') return true
      if (event === 'prediction') show(JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? 'null') as Prediction)
    }
  }
}

/** Asks the gateway; fails with `RequestError`. */
export async function request<T>(path: string, init: RequestInit): Promise<T> {
  const response = await ask(path, init, 'application/json')
  if (!response.ok) throw await toRequestError(response)
  const body: unknown = await response.json().catch(() => null)
  if (body === null) throw await toRequestError(response)
  return body as T
}

async function ask(path: string, init: RequestInit, accept: string): Promise<Response> {
  const token = readToken()
  const headers = { Accept: accept, ...(token === null ? {} : { Authorization: `Bearer ${token}` }) }
  let response: Response
  try {
    response = await fetch(path, { ...init, headers })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new RequestError('The gateway cannot be reached; is it still running?', 0, null, null)
  }
  if (response.status === 401) refuseToken(token, (await toRequestError(response.clone())).message)
  return response
}

/** What the gateway says in place of an answer. */
export async function toRequestError(response: Response): Promise<RequestError> {
  const body: unknown = await response.json().catch(() => null)
  const { detail, code, request_id } = (body ?? {}) as { detail?: unknown; code?: unknown; request_id?: unknown }
  return new RequestError(
    typeof detail === 'string' ? detail : `The gateway answered with status ${response.status} and no explanation.`,
    response.status,
    typeof code === 'string' ? code : null,
    typeof request_id === 'string' ? request_id : null,
  )
}

/** The gateway may name itself by another host than the one this page came from; its paths are the same. */
export function ownPath(address: string): string {
  const { pathname, search } = new URL(address, location.href)
  return pathname + search
}
