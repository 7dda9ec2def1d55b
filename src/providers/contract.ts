import type { Failure } from '../core/failure.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { CancelAnswer, FoundRun, Observation } from '../core/observation.ts'
import type { Cost } from '../core/prediction.ts'

export type { CancelAnswer, FoundRun, Observation, ObservedStatus } from '../core/observation.ts'

/**
 * A configured place that can run predictions. A plain object from `replicate(options)` and so on: no loops, sleeps,
 * retries, env or clock inside; polling, waiting and retrying belong to the engine. Expected answers are values;
 * a throw from `start` means "maybe started", a throw from any other verb means "could not be asked just now".
 *
 * @example
 * const answer = await provider.start(job, { fetch, signal })
 * if (answer.kind === 'accepted') await provider.poll?.(answer.handle, { fetch, signal })
 */
export interface Provider {
  /** `replicate`, `local`, ...: for display only; shared code never branches on it. */
  readonly kind: string
  readonly limits: ProviderLimits
  /** Origins (`https://host:port`) whose URLs may be downloaded although they are private or loopback addresses. */
  readonly trustedOrigins: readonly string[]
  /**
   * Checks a deployment's `target` when config is read; throws a `SurefootError` that names the wrong field.
   * What it returns is what `start` gets as `job.target`. `model` is the public name of what is to run there, where known.
   */
  parseTarget(target: unknown, model?: string): JsonObject
  /**
   * On this host: a run at this target takes its GPU or all of its processors, for minutes. By default one runs at a time
   * there, under the budgets of remote work. Default: false.
   */
  fillsHost?(target: JsonObject): boolean
  start(job: Job, io: Io): Promise<StartAnswer>
  /** Absent where the provider cannot be asked. Throws `SurefootError` when the answer cannot be had or read; that never ends a job. */
  poll?(handle: Json, io: Io): Promise<Observation>
  /** Runs of ours that the provider knows, started at or after `since` (ms). Absent where it cannot be searched. */
  find?(marker: Marker, since: number, io: Io): Promise<readonly FoundRun[]>
  cancel?(handle: Json, io: Io): Promise<CancelAnswer>
  /**
   * Verifies and parses a webhook, or a kit's own call, about the attempt that its URL names; that the URL holds the
   * marker's secret was checked before. Refuses by throwing `SurefootError`.
   */
  hear?(request: HeardRequest, io: Io, now: number, to: Addressee): Promise<Heard>
  /**
   * What the vendor says of a target's queue and workers; absent where it says nothing. For people and for failures'
   * words, never for decisions about one run. Throws like `poll`.
   */
  health?(target: JsonObject, io: Io): Promise<Health>
  /**
   * Looks, without starting, waking or spending anything, whether a start at this target would find what it needs: the
   * vendor, good credentials, what the target names, and settings there that do not go with what is intended. For people,
   * before they rely on it. Throws like `poll`; what it may not read it says instead, where a start does not need it.
   * Absent where `health` and `find` tell all that can be told.
   */
  check?(target: JsonObject, io: Io, intent: Intent): Promise<readonly Finding[]>
  /**
   * What keeping a worker at this target takes, without asking anybody. Absent where no worker stays from one run to the
   * next, or where it is always there: then nothing can be warmed.
   */
  warmth?(target: JsonObject): Warmth
  /**
   * Sees to it, without a run, that a worker is there soon, as far as the vendor lets one, and says what it knows. Throws like
   * `poll`. Absent where the vendor has nothing but runs: then a small run warms.
   */
  warm?(target: JsonObject, io: Io): Promise<Warming>
  /** Money of one attempt from the vendor's metrics and the price table, or null when neither is known. */
  cost(observation: Observation, target: JsonObject): Cost | null
  /** Price of one second of work at this target in USD, or null when unknown. For worst-case reservations. */
  pricePerSecond(target: JsonObject): number | null
  /**
   * When the price list that `pricePerSecond` reads was last compared with the vendor's page, `YYYY-MM-DD`; null where the
   * price is the target's own. Absent where there is no price list.
   */
  pricesAsOf?(target: JsonObject): string | null
}

export interface ProviderLimits {
  /** How inputs can travel, in order of preference. */
  readonly inputForms: readonly ('url' | 'upload' | 'data' | 'path')[]
  readonly outputForms: readonly ('url' | 'data' | 'path' | 'stored')[]
  /** Largest output that fits the provider's own answer; null when outputs go by reference. */
  readonly inlineOutputBytes: number | null
  /** How long the provider keeps a result after its end. */
  readonly resultKeptMs: number
  /**
   * True where the connection is the job: `start` answers at its end, within the policy's run limit, and a cut means
   * unknown. Such a run shows no progress, does not outlive its gateway, and cannot be cancelled but by hanging up.
   */
  readonly heldStart: boolean
  /** How long a `start` call may take before its answer counts as lost; where starts are held, on top of the run limit. */
  readonly startTimeoutMs: number
  /** How long any other call may take. */
  readonly callTimeoutMs: number
  /** How often to poll while something runs. */
  readonly pollMs: number
  /**
   * Runs may show neither progress nor logs before their end: as long as one has shown none, that nothing changes says
   * nothing. Default: they show some.
   */
  readonly silent?: boolean
  /** Ends are heard and cannot be asked for: without a public base URL every start is refused. Default: it works without. */
  readonly needsCallback?: boolean
  /** An empty answer of `find` proves that nothing was started and nothing ever will be. Default: it proves nothing. */
  readonly findIsExact?: boolean
  /** True where runs live on this host only: other hosts must not poll them. */
  readonly thisHostOnly: boolean
}

/** What calls may use; the engine's signal ends every one of them. */
export interface Io {
  readonly fetch: typeof globalThis.fetch
  readonly signal: AbortSignal
  /**
   * Takes in a file that stands inside an answer, as its bytes come, so that answers may be larger than memory; a piece is valid
   * until the next one is asked for. Answers a text
   * that stands for it, for one unguessable moment: `{ kind: 'stored', key: text }` names it as an output, and what no output
   * names is thrown away. A file that cannot be kept has such a text too, and its output fails with the reason. Absent where
   * no attempt asks: then answers are read whole.
   */
  keep?(bytes: AsyncIterable<Uint8Array>): Promise<string>
}

/** How we recognise our own run: the attempt's id, and a secret that appears in the callback URL only. */
export interface Marker {
  readonly attemptId: string
  readonly secret: string
}

/** One start. */
export interface Job {
  readonly marker: Marker
  /** The model's public name, for kits and for the local engines. */
  readonly model: string
  /** The deployment's target as `parseTarget` returned it. */
  readonly target: JsonObject
  /** The caller's input without its files. */
  readonly input: JsonObject
  /** Input files by field. */
  readonly files: { readonly [field: string]: JobFile }
  /** Where the provider may call us back; null without a public base URL. */
  readonly webhookUrl: string | null
  /** Where a kit may PUT a named output; null without a public base URL. */
  uploadUrl(name: string): string | null
  /** The attempt must be over after this long; adapters hand it to the provider where it takes one. */
  readonly runLimitMs: number
  /** Milliseconds until the prediction's deadline. */
  readonly deadlineInMs: number
}

export interface JobFile {
  readonly name: string
  readonly mediaType: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  /** A signed GET URL that the provider can reach; null without a public base URL. */
  readonly url: string | null
  /** The file's path where the store is this machine's disk; null elsewhere. */
  readonly path: string | null
  open(): Promise<ReadableStream<Uint8Array>>
}

export type StartAnswer =
  /** It runs or will run; `seen` when the answer already tells more. */
  | { readonly kind: 'accepted'; readonly handle: Json; readonly seen?: Observation }
  /** Surely nothing was started. */
  | { readonly kind: 'rejected'; readonly failure: Failure }
  /** Maybe something was started: it is looked for before money is spent again. */
  | { readonly kind: 'unknown'; readonly failure: Failure }

export interface HeardRequest {
  readonly headers: Headers
  /** Raw bytes: signatures are made over these. */
  readonly body: Uint8Array
}

/** The attempt that a callback URL names. */
export interface Addressee {
  readonly attemptId: string
  /** The target of its deployment as `parseTarget` returned it; null when that is not configured any more. */
  readonly target: JsonObject | null
}

/** A target's queue and workers at one moment. */
export interface Health {
  /**
   * `queueing`: jobs wait for a worker that is busy, starting or not to be had. `crash-loop`: jobs wait and workers only
   * die. `no-workers`: jobs wait and none is coming. `unknown`: the vendor's numbers say nothing.
   */
  readonly state: 'ok' | 'queueing' | 'crash-loop' | 'no-workers' | 'unknown'
  /** One sentence with the numbers. */
  readonly message: string
  /** Waiting jobs; null when the vendor does not tell. */
  readonly queued: number | null
  /** How many workers are in each state, by the vendor's own words. */
  readonly workers: { readonly [state: string]: number }
}

/** What whoever has a target checked means to do with it. */
export interface Intent {
  /** The policy's times, in milliseconds; see `core/policy.ts`. */
  readonly queueMs: number
  readonly bootMs: number
  readonly runMs: number
  readonly deadlineMs: number
  /** The input fields that the model may send, by our names. */
  readonly fields: readonly string[]
  /** One small object may be written to a store of the caller's own, and deleted again. */
  readonly mayWrite: boolean
}

/** What keeping a worker at a target takes. */
export interface Warmth {
  /** How long a worker that nothing uses stays, in milliseconds; null where it is not known. */
  readonly idleMs: number | null
  /** Who says so: the target (`idleSeconds`), or the vendor's documents as its default. */
  readonly idleBy: 'target' | 'vendor'
  /** What is billed by the second beside the run itself: a worker's start, and the time that it idles. */
  readonly bills: readonly ('boot' | 'idle')[]
  /** What brings a worker: a call of `warm`, or only a run. */
  readonly wokenBy: 'call' | 'run'
  /** What makes it stay: a call of `warm`, because it counts as use there, or only a run. */
  readonly keptBy: 'call' | 'run'
}

/** What is known after a call of `warm`. */
export interface Warming {
  /**
   * `ready`: the vendor says that a worker is there. `waking`: one is starting, ask again. `asked`: one was asked for, and the
   * vendor does not tell when it is there. `cold`: none is there, and only a run brings one.
   */
  readonly state: 'ready' | 'waking' | 'asked' | 'cold'
  /** One sentence: what was done, and what the vendor says. */
  readonly message: string
}

/** One thing that somebody who looks at a set-up should know. */
export interface Finding {
  /** Which check found it, such as `lambda-timeout`: the same whatever it found. `docs/doctor.md` lists them. */
  readonly code: string
  /** `problem`: predictions fail until it is mended. `warning`: they may, some of them. */
  readonly level: 'ok' | 'warning' | 'problem'
  /** One sentence: what is so. Never holds secrets. */
  readonly message: string
  /** One sentence: what to do next; null where there is nothing to do. */
  readonly advice: string | null
}

export interface Heard {
  /** The vendor's id of this delivery, for the replay cache; null where it sends none. */
  readonly deliveryId: string | null
  readonly handle: Json
  readonly observation: Observation
}
