import { createRecord } from './create-record.ts'
import type { Effect, PredictionEvent } from './events.ts'
import { createFailure, type Failure, invariant } from './failure.ts'
import type { CancelAnswer, Observation, ObservedStatus } from './observation.ts'
import { defaultPolicy, type Policy } from './policy.ts'
import type {
  Attempt,
  Cost,
  EffectKind,
  OutputReference,
  PredictionRecord,
  StoredOutput,
  WebhookEvent,
} from './prediction.ts'
import { type Step, step } from './step.ts'
import { timersOf } from './timers.ts'
import type { DeploymentWorld, World } from './world.ts'

/** A deployment that can do everything, with what the test cares about put over it. */
export function sampleDeployment(over: Partial<DeploymentWorld> = {}): DeploymentWorld {
  return {
    name: 'first',
    free: 4,
    closedUntil: 0,
    canPoll: true,
    canFind: true,
    canCancel: true,
    pollMs: 1_000,
    heldStart: false,
    silent: false,
    startTimeoutMs: 10_000,
    callTimeoutMs: 5_000,
    pricePerSecond: 0.001,
    findIsExact: false,
    weight: 1,
    measured: null,
    breaker: { state: 'closed' },
    ...over,
  }
}

/** The verified file that collecting an attempt brings. */
export function sampleOutput(attempt: string): StoredOutput {
  return {
    key: `outputs/${attempt}/scene.ply`,
    name: 'scene.ply',
    mediaType: 'application/octet-stream',
    bytes: 9,
    sha256: '0'.repeat(64),
    facts: {},
  }
}

/** What a provider says, with an output where it reports success. */
export function sampleObservation(status: ObservedStatus, over: Partial<Observation> = {}): Observation {
  return {
    status,
    word: status,
    ...(status === 'succeeded' && { outputs: [{ kind: 'url', url: 'https://provider.example/scene.ply' }] }),
    ...over,
  }
}

/** A failure with its code as its only words. */
export function sampleFailure(code: Failure['code'], more: Parameters<typeof createFailure>[2] = {}): Failure {
  return createFailure(code, `${code}.`, more)
}

export interface LifeOptions {
  readonly policy?: Partial<Policy>
  /** Deployments of the route. Default: one that can do everything. */
  readonly route?: readonly Partial<DeploymentWorld>[]
  readonly webhook?: readonly WebhookEvent[]
  readonly deadlineBy?: 'client' | 'policy'
  /** The dice. Default: always one half. */
  readonly jitter?: () => number
  /** USD that all predictions have spent today. Default 0. */
  readonly spentToday?: number
}

/**
 * A prediction under a test's hands, created at time 0: every change goes through `step`, as in an engine, and records
 * travel as JSON between steps, as through a store.
 */
export interface Life {
  readonly record: PredictionRecord
  readonly now: number
  readonly policy: Policy
  /** Answer of the last step. */
  readonly last: Step
  /** Every effect so far, in order, as `start 1` (kind and attempt) or `notify completed`. */
  readonly begun: readonly string[]
  /** Changes what the next steps see of the world; deployments by name. */
  change(
    over: Partial<Pick<World, 'mayBegin' | 'engine' | 'alone' | 'spentToday'>>,
    deployments?: DeploymentChanges,
  ): void
  /** The attempt with this number. Default: the newest. */
  attempt(number?: number): Attempt
  take(event: PredictionEvent): Step
  /**
   * Moves the clock to this moment and steps. Before a timer ends an attempt, its provider was asked, and a look around
   * taken: both told nothing new.
   */
  at(ms: number): Step
  /** Moves the clock only: the next event is the first that the core hears then. */
  pass(ms: number): void
  /** The id of the effect of this kind that waits for its answer, or of none that anybody waits for. */
  pending(kind: EffectKind, number?: number): string
  started(number?: number, seen?: Observation): Step
  startRejected(failure: Failure, number?: number): Step
  startUnknown(number?: number): Step
  found(runs: (PredictionEvent & { type: 'found' })['runs'], number?: number): Step
  findFailed(number?: number): Step
  observed(status: ObservedStatus, over?: Partial<Observation>, number?: number): Step
  pollFailed(more?: { retryAfterMs?: number; cutOff?: boolean }, number?: number): Step
  heard(status: ObservedStatus, over?: Partial<Observation>, number?: number, cost?: Cost | null): Step
  collected(number?: number): Step
  collectFailed(failure: Failure, number?: number, more?: { readonly broughtMore: boolean }): Step
  /** What the look around found. Default: no upload, and a provider that tells nothing of its health. */
  inspected(found: { upload?: OutputReference | null; health?: string | null }, number?: number): Step
  cancelAnswered(answer: CancelAnswer, number?: number): Step
  notified(delivered: boolean): Step
  cancel(): Step
  resend(): Step
}

type DeploymentChanges = { readonly [name: string]: Partial<DeploymentWorld> | null }

/** The effect id of answers that nobody waits for. */
export const nobody = 'nobody'

export function createLife(options: LifeOptions = {}): Life {
  const policy = { ...defaultPolicy, ...options.policy }
  const route = (options.route ?? [{}]).map(sampleDeployment)
  const deployments: { [name: string]: DeploymentWorld } = Object.fromEntries(route.map(entry => [entry.name, entry]))
  const begun: string[] = []
  const ids = { next: 1 }
  let rights: Pick<World, 'mayBegin' | 'engine' | 'alone' | 'spentToday'> = {
    mayBegin: true,
    engine: 'engine-1',
    alone: false,
    spentToday: options.spentToday ?? 0,
  }
  let now = 0
  let record = createRecord(
    {
      id: 'prediction',
      model: 'surefoot/sharp',
      modelVersion: '0'.repeat(64),
      owner: 'local',
      source: 'api',
      input: {},
      files: {},
      deadlineMs: policy.deadlineMs,
      deadlineBy: options.deadlineBy ?? 'policy',
      webhook: options.webhook === undefined ? null : { url: 'https://user.example/hook', events: options.webhook },
    },
    now,
  )
  let last: Step
  take({ type: 'timePassed' })

  function world(): World {
    return {
      ...rights,
      route: route.flatMap(({ name }) => deployments[name] ?? []),
      deployments,
      newId: () => `id-${ids.next++}`,
      jitter: options.jitter ?? (() => 0.5),
    }
  }

  function take(event: PredictionEvent): Step {
    last = step(record, event, now, policy, world())
    record = JSON.parse(JSON.stringify(last.record))
    begun.push(...last.effects.map(effect => describeEffect(record, effect)))
    return last
  }

  function attempt(number: number = record.attempts.length): Attempt {
    const found = record.attempts[number - 1]
    invariant(found !== undefined, `no attempt ${number}`)
    return found
  }

  function pending(kind: EffectKind, number?: number): string {
    return attempt(number).pending.find(entry => entry.kind === kind)?.id ?? nobody
  }

  function answer(kind: EffectKind, number?: number) {
    return { attempt: attempt(number).id, effect: pending(kind, number) }
  }

  function lookedAt(attempt: Attempt): Attempt {
    if (attempt.abandoned !== null || !timersOf(attempt, policy, undefined).some(timer => timer.at <= now))
      return attempt
    const pending = attempt.pending.filter(({ kind }) => kind !== 'poll' && kind !== 'find' && kind !== 'inspect')
    return { ...attempt, pending, nextPollAt: now + 1_000, nextFindAt: now + 5_000, searchedAt: now, inspectedAt: now }
  }

  return {
    get record() {
      return record
    },
    get now() {
      return now
    },
    get last() {
      return last
    },
    policy,
    begun,
    attempt,
    take,
    pending,
    change(over, changes = {}) {
      rights = { ...rights, ...over }
      for (const [name, change] of Object.entries(changes)) {
        if (change === null) delete deployments[name]
        else deployments[name] = { ...sampleDeployment({ name }), ...deployments[name], ...change }
      }
    },
    at(ms) {
      now = ms
      record = { ...record, attempts: record.attempts.map(lookedAt) }
      return take({ type: 'timePassed' })
    },
    pass(ms) {
      now += ms
    },
    started: (number, seen) =>
      take({
        type: 'started',
        ...answer('start', number),
        handle: handleOf(attempt(number).id),
        seen: seen === undefined ? null : { observation: seen, cost: null },
      }),
    startRejected: (failure, number) => take({ type: 'startRejected', ...answer('start', number), failure }),
    startUnknown: number =>
      take({ type: 'startUnknown', ...answer('start', number), failure: sampleFailure('start_unknown') }),
    found: (runs, number) => take({ type: 'found', ...answer('find', number), runs }),
    findFailed: number =>
      take({ type: 'findFailed', ...answer('find', number), failure: sampleFailure('provider_unreachable') }),
    observed: (status, over, number) =>
      take({
        type: 'observed',
        ...answer('poll', number),
        seen: { observation: sampleObservation(status, over), cost: null },
      }),
    pollFailed: ({ cutOff, ...more } = {}, number) =>
      take({
        type: 'pollFailed',
        ...answer('poll', number),
        failure: sampleFailure('provider_unreachable', more),
        ...(cutOff !== undefined && { cutOff }),
      }),
    heard: (status, over, number, cost = null) =>
      take({
        type: 'heard',
        attempt: attempt(number).id,
        handle: handleOf(attempt(number).id),
        seen: { observation: sampleObservation(status, over), cost },
      }),
    collected: number =>
      take({ type: 'collected', ...answer('collect', number), output: sampleOutput(attempt(number).id) }),
    inspected: ({ upload = null, health = null }, number) =>
      take({ type: 'inspected', ...answer('inspect', number), upload, health }),
    collectFailed: (failure, number, more) =>
      take({ type: 'collectFailed', ...answer('collect', number), failure, ...more }),
    cancelAnswered: (answered, number) =>
      take({ type: 'cancelAnswered', ...answer('cancel', number), answer: answered }),
    notified(delivered) {
      const entry = record.webhook?.queue.find(({ pending }) => pending !== null)
      return take({
        type: 'notified',
        notification: entry?.id ?? nobody,
        effect: entry?.pending?.id ?? nobody,
        delivered,
      })
    },
    cancel: () => take({ type: 'cancelRequested' }),
    resend: () => take({ type: 'resendRequested' }),
  }
}

/** What the provider calls the run of this attempt. */
export function handleOf(attempt: string): string {
  return `run of ${attempt}`
}

function describeEffect(record: PredictionRecord, effect: Effect): string {
  if (effect.type === 'notify') return `notify ${effect.event}`
  return `${effect.type} ${record.attempts.find(({ id }) => id === effect.attempt)?.number}`
}
