import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createRecord } from './create-record.ts'
import type { Effect, PredictionEvent, Seen } from './events.ts'
import type { FailureCode } from './failure.ts'
import type { CancelAnswer, ObservedStatus } from './observation.ts'
import { defaultPolicy, type Policy, routings } from './policy.ts'
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
  readonly upload: boolean
  readonly collect: 'collected' | 'more' | FailureCode
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
  | { readonly kind: 'resend' }
  /** To the moment that the last step asked for, and so much later. */
  | { readonly kind: 'due'; readonly lateMs: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'lease'; readonly mayBegin: boolean }
  | { readonly kind: 'engine'; readonly engine: string; readonly alone: boolean }
  | {
      readonly kind: 'places'
      readonly deployment: number
      readonly free: number
      readonly closedMs: number
      readonly broken: boolean
    }
  | { readonly kind: 'configure'; readonly deployment: number; readonly present: boolean }

interface Scenario {
  readonly policy: Policy
  readonly route: readonly Partial<DeploymentWorld>[]
  readonly deadlineBy: 'client' | 'policy'
  readonly webhook: boolean
  readonly jitter: number
  readonly actions: readonly Action[]
}

const statuses = ['queued', 'booting', 'running', 'succeeded', 'failed', 'canceled', 'gone', 'unclear'] as const
const refusals = [
  'rate_limited',
  'provider_error',
  'no_capacity',
  'out_of_memory',
  'auth_rejected',
  'input_invalid',
] as const
const collectFailures = ['provider_unreachable', 'rate_limited', 'output_invalid', 'output_lost'] as const

/** Mostly the first few, so that predictions live long enough to meet everything. */
function mostly<T, U>(common: readonly T[], rare: readonly U[]): fc.Arbitrary<T | U> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...common) },
    { weight: 1, arbitrary: fc.constantFrom(...rare) },
  )
}

const answers: fc.Arbitrary<Answers> = fc.record({
  start: mostly(['accepted', 'accepted', 'unknown', 'running'], [...statuses, ...refusals]),
  find: mostly(['nothing', 'running'], ['failed', ...statuses]),
  poll: mostly(['running', 'running', 'queued', 'booting', 'succeeded'], ['failed', ...statuses]),
  cancel: mostly(['requested'], ['ended', 'impossible']),
  upload: mostly([false, false], [true]),
  collect: mostly(['collected'], ['more', ...collectFailures]),
  delivered: fc.boolean(),
  fraction: fc.constantFrom(null, 0.05, 0.5, 0.95),
  cost: fc.constantFrom(null, null, 0.001, 0.1),
})
const ago = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(2) }, fc.nat(30))
const deploymentIndex = fc.nat(2)

type ActionOf<K extends Action['kind']> = Extract<Action, { readonly kind: K }>
type Fields<A extends Action> = { readonly [F in Exclude<keyof A, 'kind'>]: fc.Arbitrary<A[F]> }

function sometimes<K extends Action['kind']>(weight: number, kind: K, fields: Fields<ActionOf<K>>) {
  const arbitrary = fc.record(fields as { [field: string]: fc.Arbitrary<unknown> })
  return { weight, arbitrary: arbitrary.map(chosen => ({ kind, ...chosen }) as ActionOf<K>) }
}

const action: fc.Arbitrary<Action> = fc.oneof(
  sometimes(40, 'answer', { ago, answers }),
  sometimes(2, 'stray', { ago, answers }),
  sometimes(5, 'hear', { ago, answers }),
  sometimes(15, 'due', { lateMs: fc.constantFrom(0, 0, 0, 1, 500) }),
  sometimes(3, 'wait', { ms: fc.constantFrom(1, 900, 5_000, 25_000) }),
  sometimes(2, 'lease', { mayBegin: fc.boolean() }),
  sometimes(2, 'engine', { engine: fc.constantFrom('engine-1', 'engine-2'), alone: fc.boolean() }),
  sometimes(2, 'places', {
    deployment: deploymentIndex,
    free: fc.nat(1),
    closedMs: fc.constantFrom(0, 0, 3_000, 60_000),
    broken: fc.boolean(),
  }),
  sometimes(1, 'configure', { deployment: deploymentIndex, present: fc.constantFrom(true, true, false) }),
  sometimes(1, 'cancel', {}),
  sometimes(1, 'resend', {}),
)
const policy: fc.Arbitrary<Policy> = fc
  .record({
    deadlineMs: mostly([300_000], [20_000, 60_000]),
    attempts: fc.integer({ min: 1, max: 4 }),
    hedges: fc.nat(1),
    restarts: fc.nat(2),
    onUnknown: fc.constantFrom('resubmit', 'resubmit', 'fail'),
    // A worst case is 0.03: none, one, two or any number of attempts at a time.
    budget: mostly([null, null, 0.07], [0.01, 0.03]),
    routing: fc.constantFrom(...routings),
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
  canPoll: mostly([true], [false]),
  canFind: fc.boolean(),
  canCancel: mostly([true], [false]),
  weight: fc.constantFrom(0, 1, 5),
  pricePerSecond: mostly([0.001], [null, 0.001]),
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
      webhook: chosen.webhook ? { url: 'https://user.example/hook', events: ['start', 'logs', 'completed'] } : null,
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
      spentToday: 0,
      newId: () => `id-${id++}`,
      jitter: () => chosen.jitter,
      used: () => id,
    }
  }

  function take(event: PredictionEvent): void {
    const before = freeze(record)
    const used = world()
    const otherwise = () => step(before, { type: 'timePassed' }, now, chosen.policy, world())
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
    if (!isDeepStrictEqual(record, last.record)) throw new Error('Broken: a record is plain JSON')
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
      case 'resend':
        return take({ type: 'resendRequested' })
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
          deployments[name] = {
            ...chosenDeployment,
            free: chosenAction.free,
            closedUntil: now + chosenAction.closedMs,
            breaker: chosenAction.broken
              ? { state: 'open', until: now + chosenAction.closedMs, why: 'It failed.' }
              : { state: 'half-open', why: 'It failed.' },
          }
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
    for (const entry of route)
      deployments[entry.name] = { ...entry, free: 1, closedUntil: 0, breaker: { state: 'closed' } }
    rights = { mayBegin: true, engine: 'engine-1', alone: false }
    take({ type: 'timePassed' })
    rest()
  }

  /** Until nothing is left to do, every question answered like this, or none. */
  function settle(answers: Answers | null): void {
    becomeFair()
    for (let steps = 1; record.settledAt === null; steps++) {
      if (steps > 500) throw new Error(`Broken: not settled after 500 steps: ${JSON.stringify(record)}`)
      const effect = begun.findLast(({ effect: id }) => isPending(record, id))
      if (answers !== null && effect !== undefined && engineOf(record, effect.effect) === rights.engine) {
        take(answer(effect, answers))
      } else {
        now = Math.max(now, last.nextAt ?? now)
        take({ type: 'timePassed' })
      }
      rest()
    }
  }

  take({ type: 'timePassed' })
  for (const each of chosen.actions) act(each)
  return { settle, now: () => now, record: () => record }
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
    case 'inspect': {
      const upload = given.upload ? ({ kind: 'stored', key: `uploads/${effect.attempt}/output` } as const) : null
      return { type: 'inspected', ...to, upload, health: null }
    }
    case 'cancel':
      return { type: 'cancelAnswered', ...to, answer: given.cancel }
    case 'collect':
      if (given.collect === 'collected') return { type: 'collected', ...to, output: sampleOutput(effect.attempt) }
      if (given.collect === 'more')
        return { type: 'collectFailed', ...to, failure: sampleFailure('provider_unreachable'), broughtMore: true }
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

/** The world means well: what was sent runs, what was lost is found or never was, and every end is confirmed. */
const fairAnswers: fc.Arbitrary<Answers> = fc.record({
  start: fc.constantFrom('accepted', 'unknown', 'provider_error'),
  find: fc.constantFrom('nothing', 'running'),
  poll: fc.constantFrom('succeeded', 'failed', 'gone'),
  cancel: fc.constantFrom('requested', 'ended', 'impossible'),
  upload: fc.boolean(),
  collect: fc.constantFrom('collected', 'output_invalid'),
  delivered: fc.constant(true),
  fraction: fc.constant(null),
  cost: fc.constantFrom(null, 0.001),
})

it('keeps every rule through any interleaving, and settles once the world is fair', () => {
  fc.assert(
    fc.property(scenario, fairAnswers, (chosen, fair) => play(chosen).settle(fair)),
    { numRuns: 1_500 },
  )
})

it('settles by time alone when nobody answers any more', () => {
  fc.assert(
    fc.property(scenario, chosen => {
      const { settle, now, record } = play({ ...chosen, webhook: false })
      const silentFrom = now()
      settle(null)
      const { deadlineMs, releaseMs } = chosen.policy
      const startLimitMs = 25_000
      expect(now()).toBeLessThanOrEqual(
        Math.max(silentFrom, record().createdAt + deadlineMs) + startLimitMs + releaseMs,
      )
    }),
    { numRuns: 300 },
  )
})
