import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createRecord } from './create-record.ts'
import type { Effect, PredictionEvent, Seen } from './events.ts'
import type { FailureCode } from './failure.ts'
import type { CancelAnswer, ObservedStatus } from './observation.ts'
import { defaultPolicy, type Policy } from './policy.ts'
import type { PredictionRecord } from './prediction.ts'
import { type Step, step } from './step.ts'
import { createRuleBook } from './test-rules.ts'
import { handleOf, sampleDeployment, sampleFailure, sampleObservation, sampleOutput } from './test-support.ts'
import type { DeploymentWorld, World } from './world.ts'

/** What the world answers, should it be asked. */
interface Answers {
  readonly start: 'accepted' | ObservedStatus | 'unknown' | FailureCode
  readonly find: 'nothing' | 'failed' | ObservedStatus
  readonly poll: 'failed' | ObservedStatus
  readonly cancel: CancelAnswer
  readonly collect: 'collected' | FailureCode
  readonly delivered: boolean
  readonly fraction: number | null
  readonly cost: number | null
}

type Action =
  /** Answers the effect that was begun so many effects ago, be it answered already or forgotten. */
  | { readonly kind: 'answer'; readonly ago: number; readonly answers: Answers }
  /** The same answer under an id that nobody knows. */
  | { readonly kind: 'stray'; readonly ago: number; readonly answers: Answers }
  | { readonly kind: 'hear'; readonly ago: number; readonly answers: Answers }
  | { readonly kind: 'cancel' }
  /** To the moment that the last step asked for, and so much later. */
  | { readonly kind: 'due'; readonly lateMs: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'lease'; readonly mayBegin: boolean }
  | { readonly kind: 'engine'; readonly engine: string; readonly alone: boolean }
  | { readonly kind: 'places'; readonly deployment: number; readonly free: number; readonly closedMs: number }
  | { readonly kind: 'configure'; readonly deployment: number; readonly present: boolean }

interface Scenario {
  readonly policy: Policy
  readonly route: readonly Partial<DeploymentWorld>[]
  readonly deadlineBy: 'client' | 'policy'
  readonly webhook: boolean
  readonly jitter: number
  readonly actions: readonly Action[]
}

const statuses = [
  'queued',
  'booting',
  'running',
  'running',
  'succeeded',
  'failed',
  'canceled',
  'gone',
  'unclear',
] as const
const refusals = [
  'rate_limited',
  'provider_error',
  'no_capacity',
  'out_of_memory',
  'auth_rejected',
  'input_invalid',
] as const
const collectFailures = ['provider_unreachable', 'provider_error', 'output_invalid', 'output_lost'] as const

const answers: fc.Arbitrary<Answers> = fc.record({
  start: fc.constantFrom('accepted', 'accepted', 'unknown', ...statuses, ...refusals),
  find: fc.constantFrom('nothing', 'failed', ...statuses),
  poll: fc.constantFrom('failed', ...statuses),
  cancel: fc.constantFrom('requested', 'ended', 'impossible'),
  collect: fc.constantFrom('collected', ...collectFailures),
  delivered: fc.boolean(),
  fraction: fc.constantFrom(null, 0.05, 0.5, 0.95),
  cost: fc.constantFrom(null, 0.001, 0.1),
})
const ago = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(2) }, fc.nat(30))
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('answer' as const), ago, answers }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stray' as const), ago, answers }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hear' as const), ago, answers }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('due' as const), lateMs: fc.constantFrom(0, 0, 0, 1, 500) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 900, 5_000, 25_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lease' as const), mayBegin: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('engine' as const),
      engine: fc.constantFrom('engine-1', 'engine-2'),
      alone: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('places' as const),
      deployment: fc.nat(2),
      free: fc.nat(1),
      closedMs: fc.constantFrom(0, 0, 3_000, 60_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('configure' as const),
      deployment: fc.nat(2),
      present: fc.constantFrom(true, true, false),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'cancel' as const }) },
)
const policy: fc.Arbitrary<Policy> = fc
  .record({
    deadlineMs: fc.constantFrom(20_000, 60_000, 300_000),
    attempts: fc.integer({ min: 1, max: 4 }),
    hedges: fc.nat(1),
    onUnknown: fc.constantFrom('resubmit', 'fail'),
    // A worst case is 0.03: none, one, two or any number of attempts at a time.
    budget: fc.constantFrom(null, null, 0.01, 0.03, 0.07),
  })
  .map(chosen => ({
    ...defaultPolicy,
    queueMs: 20_000,
    bootMs: 20_000,
    unknownMs: 10_000,
    stallMs: 8_000,
    lastStageMs: 4_000,
    runMs: 30_000,
    collectMs: 15_000,
    releaseMs: 20_000,
    ...chosen,
  }))
const deployment: fc.Arbitrary<Partial<DeploymentWorld>> = fc.record({
  canPoll: fc.constantFrom(true, true, true, false),
  canFind: fc.boolean(),
  canCancel: fc.constantFrom(true, true, false),
  pricePerSecond: fc.constantFrom(0.001, 0.001, null),
})
const scenario: fc.Arbitrary<Scenario> = fc.record({
  policy,
  route: fc
    .array(deployment, { minLength: 1, maxLength: 3 })
    .map(route => route.map((entry, index) => ({ ...entry, name: `deployment-${index}` }))),
  deadlineBy: fc.constantFrom('client', 'policy'),
  webhook: fc.boolean(),
  jitter: fc.constantFrom(0, 0.5, 0.99),
  actions: fc.array(action, { maxLength: 80, size: 'max' }),
})

/** Plays a scenario, with the rules checked at every step. */
function play(chosen: Scenario) {
  const check = createRuleBook()
  const route = chosen.route.map(sampleDeployment)
  const deployments: { [name: string]: DeploymentWorld } = Object.fromEntries(route.map(entry => [entry.name, entry]))
  const begun: Effect[] = []
  let rights: Pick<World, 'mayBegin' | 'engine' | 'alone'> = { mayBegin: true, engine: 'engine-1', alone: false }
  let now = 0
  let nextId = 1
  let last: Step
  let record = createRecord(
    {
      id: 'prediction',
      model: 'surefoot/sharp',
      modelVersion: '0'.repeat(64),
      owner: 'local',
      source: 'api',
      input: {},
      files: {},
      deadlineMs: chosen.policy.deadlineMs,
      deadlineBy: chosen.deadlineBy,
      webhook: chosen.webhook ? { url: 'https://user.example/hook', events: ['start', 'completed'] } : null,
    },
    now,
  )

  /** With ids from the same number on, so that two steps from one record can be compared. */
  function world(): World & { readonly used: () => number } {
    let id = nextId
    return {
      ...rights,
      route: route.flatMap(({ name }) => deployments[name] ?? []),
      deployments: { ...deployments },
      newId: () => `id-${id++}`,
      jitter: () => chosen.jitter,
      used: () => id,
    }
  }

  function take(event: PredictionEvent): void {
    const before = freeze(record)
    const used = world()
    const otherwise = step(before, { type: 'timePassed' }, now, chosen.policy, world())
    last = step(before, event, now, chosen.policy, used)
    check({
      before,
      event,
      now,
      policy: chosen.policy,
      world: used,
      step: last,
      otherwise,
      awaited: isAwaited(before, event),
    })
    nextId = used.used()
    begun.push(...last.effects)
    record = JSON.parse(JSON.stringify(last.record))
    expect(record, 'records are plain JSON').toStrictEqual(last.record)
  }

  /** Steps that ask for another step at once must come to rest. */
  function rest(): void {
    for (let steps = 0; rights.mayBegin && last.nextAt !== null && last.nextAt <= now; steps++) {
      if (steps === 4) throw new Error(`Broken: time stands still at ${now}: ${JSON.stringify(record)}`)
      take({ type: 'timePassed' })
    }
  }

  function act(chosenAction: Action): void {
    switch (chosenAction.kind) {
      case 'answer':
      case 'stray': {
        const effect = begun.at(-1 - chosenAction.ago)
        if (effect === undefined) return
        const id = chosenAction.kind === 'answer' ? effect.effect : 'nobody'
        return take(answer({ ...effect, effect: id }, chosenAction.answers))
      }
      case 'hear': {
        const effect = begun.filter(({ type }) => type === 'start').at(-1 - chosenAction.ago)
        if (effect?.type !== 'start' || chosenAction.answers.poll === 'failed') return
        const seen = see(chosenAction.answers.poll, chosenAction.answers)
        return take({ type: 'heard', attempt: effect.attempt, handle: handleOf(effect.attempt), seen })
      }
      case 'cancel':
        return take({ type: 'cancelRequested' })
      case 'due':
        now = Math.max(now, last.nextAt ?? now) + chosenAction.lateMs
        break
      case 'wait':
        now += chosenAction.ms
        break
      case 'lease':
        rights = { ...rights, mayBegin: chosenAction.mayBegin }
        break
      case 'engine':
        rights = { ...rights, engine: chosenAction.engine, alone: chosenAction.alone }
        break
      case 'places':
      case 'configure': {
        const chosenDeployment = route[chosenAction.deployment % route.length]
        if (chosenDeployment === undefined) return
        const { name } = chosenDeployment
        if (chosenAction.kind === 'places')
          deployments[name] = { ...chosenDeployment, free: chosenAction.free, closedUntil: now + chosenAction.closedMs }
        else if (chosenAction.present) deployments[name] = chosenDeployment
        else delete deployments[name]
        break
      }
    }
    take({ type: 'timePassed' })
    rest()
  }

  /** From here on one engine has the lease, every deployment is there and open, and every question gets its answer. */
  function becomeFair(): void {
    for (const entry of route) deployments[entry.name] = { ...entry, free: 1, closedUntil: 0 }
    rights = { mayBegin: true, engine: 'engine-1', alone: false }
    take({ type: 'timePassed' })
    rest()
  }

  function settle(fair: Answers): number {
    becomeFair()
    for (let steps = 1; record.settledAt === null; steps++) {
      if (steps > 200) throw new Error(`Broken: not settled after 200 steps: ${JSON.stringify(record)}`)
      const effect = begun.findLast(({ effect: id }) => isPending(record, id))
      if (effect !== undefined && engineOf(record, effect.effect) === rights.engine) {
        take(answer(effect, fair))
      } else {
        now = Math.max(now, last.nextAt ?? now)
        take({ type: 'timePassed' })
      }
      rest()
    }
    return now
  }

  take({ type: 'timePassed' })
  for (const each of chosen.actions) act(each)
  return { settle, record: () => record, begun }
}

function answer(effect: Effect, given: Answers): PredictionEvent {
  if (effect.type === 'notify')
    return { type: 'notified', notification: effect.notification, effect: effect.effect, delivered: given.delivered }
  const to = { attempt: effect.attempt, effect: effect.effect }
  const handle = handleOf(effect.attempt)
  switch (effect.type) {
    case 'start':
      if (given.start === 'unknown') return { type: 'startUnknown', ...to, failure: sampleFailure('start_unknown') }
      if (given.start === 'accepted') return { type: 'started', ...to, handle, seen: null }
      if (isStatus(given.start)) return { type: 'started', ...to, handle, seen: see(given.start, given) }
      return { type: 'startRejected', ...to, failure: sampleFailure(given.start, { retryAfterMs: 2_000 }) }
    case 'find':
      if (given.find === 'failed') return { type: 'findFailed', ...to, failure: sampleFailure('provider_unreachable') }
      if (given.find === 'nothing') return { type: 'found', ...to, runs: [] }
      return { type: 'found', ...to, runs: [{ handle, seen: see(given.find, given).observation }] }
    case 'poll':
      if (given.poll === 'failed') return { type: 'pollFailed', ...to, failure: sampleFailure('provider_unreachable') }
      return { type: 'observed', ...to, seen: see(given.poll, given) }
    case 'cancel':
      return { type: 'cancelAnswered', ...to, answer: given.cancel }
    case 'collect':
      if (given.collect === 'collected') return { type: 'collected', ...to, output: sampleOutput(effect.attempt) }
      return { type: 'collectFailed', ...to, failure: sampleFailure(given.collect) }
  }
}

function see(status: ObservedStatus, { fraction, cost }: Answers): Seen {
  return {
    observation: sampleObservation(status, fraction === null ? {} : { progress: { stage: null, fraction } }),
    cost: cost === null ? null : { amount: cost, currency: 'USD', estimated: false },
  }
}

function isStatus(word: string): word is ObservedStatus {
  return (statuses as readonly string[]).includes(word)
}

function isAwaited(record: PredictionRecord, event: PredictionEvent): boolean {
  return !('effect' in event) || isPending(record, event.effect)
}

function pendingEffects(record: PredictionRecord) {
  return [
    ...record.attempts.flatMap(attempt => attempt.pending),
    ...(record.webhook?.queue ?? []).flatMap(({ pending }) => pending ?? []),
  ]
}

function isPending(record: PredictionRecord, effect: string): boolean {
  return pendingEffects(record).some(({ id }) => id === effect)
}

function engineOf(record: PredictionRecord, effect: string): string | undefined {
  return pendingEffects(record).find(({ id }) => id === effect)?.engine
}

/** A step that changed what it was given would throw. */
function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const entry of Object.values(value)) freeze(entry)
  }
  return value
}

const kind: Answers = {
  start: 'accepted',
  find: 'nothing',
  poll: 'succeeded',
  cancel: 'ended',
  collect: 'collected',
  delivered: true,
  fraction: null,
  cost: null,
}

it('keeps every rule through any interleaving, and settles once the world is fair', () => {
  fc.assert(
    fc.property(scenario, chosen => {
      const { settle } = play(chosen)
      settle(kind)
    }),
    { numRuns: 2_000 },
  )
})
