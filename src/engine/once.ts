import { createHash, createHmac } from 'node:crypto'
import { isSureRefusal, refuse } from '../core/failure.ts'
import type { StoredPrediction } from '../store/contract.ts'
import type { CreateRequest } from './contract.ts'

export interface OnceDependencies {
  /** Ids are made of it: nobody can guess one from a key. */
  readonly serverKey: string
  get(id: string): Promise<StoredPrediction | null>
  /** The prediction of this id, whoever creates it first. */
  create(request: CreateRequest, id: string, fingerprint: string): Promise<StoredPrediction>
  /** Removes what was stored for a request that turns out to be a repetition; never rejects. */
  discard(fileIds: readonly string[]): Promise<void>
}

/**
 * Creates predictions by the keys of their callers: the same key and request give the same prediction, as it is then. Its
 * id follows from owner and key, so that of two processes the store lets one insert it; this one asks for it one by one.
 * Another request under a key that is taken fails as `input_invalid` (409). A key is taken as long as its prediction is kept.
 */
export function createOnce({
  serverKey,
  get,
  create,
  discard,
}: OnceDependencies): (request: CreateRequest, key: string) => Promise<StoredPrediction> {
  const turns = new Map<string, Promise<unknown>>()

  async function ask(request: CreateRequest, id: string): Promise<StoredPrediction> {
    const fingerprint = fingerprintOf(request)
    const earlier = await get(id)
    const stored = earlier ?? (await create(request, id, fingerprint).catch(error => madeElsewhere(request, id, error)))
    if (stored.record.fingerprint !== fingerprint)
      refuse('input_invalid', 'This Idempotency-Key was used for another request.', {
        status: 409,
        advice: 'Use a new key for a new request.',
      })
    if (earlier !== null) await discard(request.newFiles ?? [])
    return stored
  }

  /** Refused, but another process was not: what it has made is the answer. */
  async function madeElsewhere({ newFiles }: CreateRequest, id: string, error: unknown): Promise<StoredPrediction> {
    const stored = await get(id)
    if (stored === null) throw error
    if (isSureRefusal(error)) await discard(newFiles ?? [])
    return stored
  }

  return async (request, key) => {
    const id = idOf(serverKey, request.owner, key)
    const turn = Promise.resolve(turns.get(id))
      .catch(() => {})
      .then(() => ask(request, id))
    turns.set(id, turn)
    return await turn.finally(() => {
      if (turns.get(id) === turn) turns.delete(id)
    })
  }
}

/** 26 characters in the alphabet of all ids. */
function idOf(serverKey: string, owner: string, key: string): string {
  const digest = createHmac('sha256', serverKey)
    .update(`once:${JSON.stringify([owner, key])}`)
    .digest()
  return [...digest.subarray(0, 26)].map(byte => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('')
}

/** SHA-256 of what is asked, in lower-case hex: files by their bytes, and neither the order of keys nor who waits how long. */
function fingerprintOf(request: CreateRequest): string {
  const files = Object.fromEntries(Object.entries(request.files).map(([field, { sha256 }]) => [field, sha256]))
  const { model, input, cancelAfterMs, webhook, deployments = null } = request
  const asked = JSON.stringify({ model, input, files, cancelAfterMs, webhook, deployments }, inOrder)
  return createHash('sha256').update(asked).digest('hex')
}

function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}
