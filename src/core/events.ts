import type { Failure } from './failure.ts'
import type { Json } from './json.ts'
import type { CancelAnswer, FoundRun, Observation } from './observation.ts'
import type { Cost, OutputReference, StoredOutput, WebhookEvent } from './prediction.ts'

/** What an answer answers: an attempt of the prediction, and the effect that asked. */
interface Answer {
  readonly attempt: string
  readonly effect: string
}

/** Everything that can happen to a prediction after its creation. */
export type PredictionEvent =
  | ({ readonly type: 'started'; readonly handle: Json; readonly seen: Seen | null } & Answer)
  | ({ readonly type: 'startRejected'; readonly failure: Failure } & Answer)
  | ({ readonly type: 'startUnknown'; readonly failure: Failure } & Answer)
  /** `cost` of a run as it was seen: one that is over already is not looked at again. */
  | ({ readonly type: 'found'; readonly runs: readonly (FoundRun & { readonly cost?: Cost | null })[] } & Answer)
  | ({ readonly type: 'findFailed'; readonly failure: Failure } & Answer)
  | ({ readonly type: 'observed'; readonly seen: Seen } & Answer)
  /** `cutOff`: the engine itself ended the call, because it stops. Default false. */
  | ({ readonly type: 'pollFailed'; readonly failure: Failure; readonly cutOff?: boolean } & Answer)
  /** `upload`: an output that a kit has put into our store. `health`: what the provider says of its queue and workers. */
  | ({ readonly type: 'inspected'; readonly upload: OutputReference | null; readonly health: string | null } & Answer)
  /** A verified webhook, or a kit's own call: nobody asked, so it answers no effect. */
  | { readonly type: 'heard'; readonly attempt: string; readonly handle: Json; readonly seen: Seen }
  | ({ readonly type: 'collected'; readonly output: StoredOutput } & Answer)
  /** `broughtMore`: bytes that the next collect need not bring again. Default false. */
  | ({ readonly type: 'collectFailed'; readonly failure: Failure; readonly broughtMore?: boolean } & Answer)
  | { readonly type: 'cancelRequested' }
  | ({ readonly type: 'cancelAnswered'; readonly answer: CancelAnswer } & Answer)
  | { readonly type: 'notified'; readonly notification: string; readonly effect: string; readonly delivered: boolean }
  /** Somebody's receiver is back: what waits for its next try is tried now, what is dead is sent again. */
  | { readonly type: 'resendRequested' }
  | { readonly type: 'timePassed' }

/** An observation with what it costs by the deployment's prices. */
export interface Seen {
  readonly observation: Observation
  readonly cost: Cost | null
  /** What a kit had put into our store, looked for where the run is over without an output of the provider's. */
  readonly upload?: OutputReference
}

/** What the engine is asked to do. Each effect is answered by one event that carries its id. */
export type Effect =
  | { readonly type: 'start'; readonly effect: string; readonly attempt: string; readonly deployment: string }
  | {
      readonly type: 'find'
      readonly effect: string
      readonly attempt: string
      readonly deployment: string
      readonly since: number
    }
  | {
      readonly type: 'poll'
      readonly effect: string
      readonly attempt: string
      readonly deployment: string
      readonly handle: Json
    }
  | {
      readonly type: 'cancel'
      readonly effect: string
      readonly attempt: string
      readonly deployment: string
      readonly handle: Json
    }
  | { readonly type: 'inspect'; readonly effect: string; readonly attempt: string; readonly deployment: string }
  | {
      readonly type: 'collect'
      readonly effect: string
      readonly attempt: string
      readonly deployment: string
      readonly outputs: readonly OutputReference[]
    }
  | { readonly type: 'notify'; readonly effect: string; readonly notification: string; readonly event: WebhookEvent }
