import type { Failure } from './failure.ts'
import type { Json, JsonObject } from './json.ts'

/** Replicate's words; what the outside sees. The set of terminal ones is defined here and nowhere else. */
export type PredictionStatus = 'starting' | 'processing' | 'succeeded' | 'failed' | 'canceled' | 'aborted'
export const terminalStatuses = ['succeeded', 'failed', 'canceled', 'aborted'] as const

export type LiveAttemptState = 'planned' | 'submitting' | 'unknown' | 'queued' | 'booting' | 'running' | 'collecting'
export type EndedAttemptState = 'won' | 'failed' | 'canceled' | 'lost' | 'superseded'
export type AttemptState = LiveAttemptState | EndedAttemptState
export const endedAttemptStates = ['won', 'failed', 'canceled', 'lost', 'superseded'] as const

/** Where work is. `fraction` is 0 to 1, or null where the provider does not tell. */
export interface Progress {
  readonly stage: string | null
  readonly fraction: number | null
}

/** Money of one attempt or prediction. */
export interface Cost {
  /** In units of `currency`, not cents. */
  readonly amount: number
  readonly currency: 'USD'
  /** True where the amount comes from a price table and our own clock instead of the vendor's metrics. */
  readonly estimated: boolean
}

/** A file in our own store that belongs to a prediction. */
export interface StoredFile {
  /** Key in the file store. */
  readonly key: string
  /** File name that users see, e.g. `scene.ply`. */
  readonly name: string
  readonly mediaType: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  /** What its check found: `{ width, height }` of a photo, `{ count, bounds }` of a splat. */
  readonly facts: JsonObject
}
/** A file that came with the input, checked by its bytes. */
export type StoredInput = StoredFile
/** A verified output. */
export type StoredOutput = StoredFile

/** Something that the engine was asked to do and that has not answered yet. */
export interface PendingEffect {
  readonly id: string
  readonly kind: EffectKind
  readonly at: number
  /** When it has surely ended, whatever became of the process that began it. */
  readonly until: number
  /** The engine process that began it. */
  readonly engine: string
}
export type EffectKind = 'start' | 'find' | 'poll' | 'inspect' | 'cancel' | 'collect' | 'notify'

/** One try of a prediction on one deployment. */
export interface Attempt {
  /** Public, unguessable; the marker by which we recognise our own run at a provider. */
  readonly id: string
  /** 1, 2, 3, ... within the prediction. */
  readonly number: number
  readonly deployment: string
  readonly state: AttemptState
  readonly plannedAt: number
  /** When the start was sent. */
  readonly submittedAt: number | null
  /** When each later stage was first seen; the timers count from here. */
  readonly queuedAt: number | null
  readonly bootingAt: number | null
  readonly runningAt: number | null
  readonly collectingAt: number | null
  readonly endedAt: number | null
  /** What the provider gave back; opaque here, read through a schema by its adapter. */
  readonly handle: Json
  readonly progress: Progress | null
  /** The provider's own last status word. */
  readonly word: string | null
  /** When anything visible last changed (status, progress, log length, outputs); the stall watch counts from here. */
  readonly changedAt: number
  readonly logLength: number
  /** When its surroundings were last looked at before a timer may end it: a finished upload, the provider's health. */
  readonly inspectedAt: number | null
  /** What the provider's health interface said then, in one sentence. */
  readonly health: string | null
  /** What the last observation makes likely of a run that shows nothing more; null or absent where it told none. */
  readonly hint?: Pick<Failure, 'message' | 'advice'> | null
  /** When a second attempt was started beside this one because it stalled. */
  readonly hedgedAt: number | null
  /** How often progress fell back to its beginning: a preempted worker that began again. */
  readonly restarts: number
  readonly pending: readonly PendingEffect[]
  readonly nextPollAt: number | null
  readonly pollFailures: number
  /** Set while we want the attempt to end; its state still follows what the provider confirms. */
  readonly abandoned: Abandoned | null
  readonly cancelTries: number
  readonly nextCancelAt: number | null
  /** Looking for a start whose answer was lost. */
  readonly unknownSince: number | null
  readonly nextFindAt: number | null
  /** When a search for it last got an answer, whatever that was; null while none has. */
  readonly searchedAt: number | null
  /** Output references that the provider named, waiting to be collected. */
  readonly outputs: readonly OutputReference[] | null
  readonly collectFailures: number
  /** When a collect last brought bytes forward, or its process had died: its time counts from here. Default: `collectingAt`. */
  readonly collectSince?: number | null
  readonly nextCollectAt: number | null
  readonly output: StoredOutput | null
  readonly failure: Failure | null
  readonly cost: Cost | null
  /** Worst-case cost taken from the budget when the start was intended. */
  readonly reserved: number
  /** `none`: never started. `open`: may still run there. `confirmed`: the provider said that it ended. `given_up`: recorded as unconfirmed. */
  readonly release: 'none' | 'open' | 'confirmed' | 'given_up'
}

export interface Abandoned {
  readonly at: number
  readonly as: 'failed' | 'canceled' | 'superseded'
  readonly failure: Failure | null
}

/** Where a provider's output can be had. The engine collects it; adapters only name it. */
export type OutputReference =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'data'; readonly uri: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'stored'; readonly key: string }

/** One line of a prediction's account of itself. */
export interface Decision {
  readonly at: number
  readonly attempt: number | null
  readonly what: string
  /** One sentence with the numbers that decided. */
  readonly why: string
}

/** What the user asked for, with everything that happened to it. Plain JSON, stored whole. */
export interface PredictionRecord {
  readonly id: string
  /** `owner/name`. */
  readonly model: string
  /** 64 hex. */
  readonly modelVersion: string
  /** Token id that created it, or `local` without tokens. */
  readonly owner: string
  /** As the caller gave it; files appear as URLs of ours or as given, never as data URIs. */
  readonly input: JsonObject
  /** Input field -> file in our store. */
  readonly files: { readonly [field: string]: StoredInput }
  readonly source: 'api' | 'web'
  /** Deployments that this prediction was pinned to, in order; null runs it on its model's route. */
  readonly route: readonly string[] | null
  /** Id of the prediction that this one repeats elsewhere, for comparison only. Default: it is somebody's own. */
  readonly shadowOf?: string
  /** USD of its owner's day that all its attempts together may cost at worst; absent where the owner has no budget. */
  readonly allowance?: number
  /** SHA-256 of what was asked, lower-case hex; absent unless the caller gave the request a key. */
  readonly fingerprint?: string
  readonly createdAt: number
  readonly deadlineAt: number
  /** `client`: the deadline came from `Cancel-After` and ends as `aborted` or `canceled`; `policy`: it ends as `failed`. */
  readonly deadlineBy: 'client' | 'policy'
  /** First time that an attempt was seen running. */
  readonly startedAt: number | null
  readonly completedAt: number | null
  readonly status: PredictionStatus
  readonly cancelRequestedAt: number | null
  readonly attempts: readonly Attempt[]
  readonly output: StoredOutput | null
  readonly failure: Failure | null
  readonly progress: Progress | null
  /** Not before this moment may the next attempt start (backoff or Retry-After). */
  readonly retryAt: number | null
  readonly decisions: readonly Decision[]
  readonly webhook: Webhook | null
  /** When input and output were removed because they were kept long enough; absent while they are kept. */
  readonly dataRemovedAt?: number
  /** When every attempt was released and every notification delivered or dead; null while anything is open. */
  readonly settledAt: number | null
}

/** Where the user wants to hear of it (Replicate's `webhook`), and what is still to be delivered. */
export interface Webhook {
  readonly url: string
  readonly events: readonly WebhookEvent[]
  readonly queue: readonly Notification[]
  /** When news of the logs was last sent. Default: never. */
  readonly loggedAt?: number
}
export type WebhookEvent = 'start' | 'output' | 'logs' | 'completed'

export interface Notification {
  /** `webhook-id`: the same on every try. */
  readonly id: string
  readonly event: WebhookEvent
  readonly at: number
  readonly tries: number
  readonly nextAt: number
  readonly pending: PendingEffect | null
  readonly state: NotificationState
}
export type NotificationState = 'waiting' | 'delivered' | 'dead'

/** The worst that has become of a prediction's webhooks; null where none was to be sent. */
export function webhookStateOf({ webhook }: Pick<PredictionRecord, 'webhook'>): NotificationState | null {
  const states = new Set(webhook?.queue.map(({ state }) => state))
  return (['dead', 'waiting', 'delivered'] as const).find(state => states.has(state)) ?? null
}

export function isTerminal(status: PredictionStatus): boolean {
  return (terminalStatuses as readonly string[]).includes(status)
}

export function isEnded(state: AttemptState): boolean {
  return (endedAttemptStates as readonly string[]).includes(state)
}

/**
 * Whether an attempt takes a place on its deployment: from the write of its start intent until it is ended *and* its release
 * is no longer `open`. An abandoned run that may still be working at the provider counts, otherwise hedges and retries would
 * pile up behind it. A lost start that was not found in its time does not: as far as anybody knows there is no run.
 */
export function occupiesPlace({
  state,
  release,
  abandoned,
}: Pick<Attempt, 'state' | 'release' | 'abandoned'>): boolean {
  if (state === 'planned' || (state === 'unknown' && abandoned !== null)) return false
  return !isEnded(state) || release === 'open'
}

/** What speaks against an attempt, and since when: its failure, or the one for which it was given notice. */
export function verdictOf({ state, failure, endedAt, abandoned }: Attempt): {
  readonly failure: Failure | null
  readonly at: number | null
} {
  if (isEnded(state) || abandoned?.as !== 'failed') return { failure, at: endedAt }
  return { failure: abandoned.failure, at: abandoned.at }
}
