import { describe, expect, it } from 'vitest'
import type { PredictionStatus } from './prediction.ts'
import {
  begunBy,
  bring,
  type Cells,
  type EventType,
  events,
  eventTypes,
  every,
  type StartedState,
} from './test-states.ts'
import { createLife, type Life, type LifeOptions } from './test-support.ts'

/** For each type of event, a state of the attempt in which somebody waits for it. */
const awaitedIn: { readonly [type in EventType]: StartedState } = {
  started: 'submitting',
  startRejected: 'submitting',
  startUnknown: 'submitting',
  found: 'unknown',
  findFailed: 'unknown',
  observed: 'queued',
  pollFailed: 'queued',
  heard: 'queued',
  inspected: 'queued',
  collected: 'collecting',
  collectFailed: 'collecting',
  cancelRequested: 'queued',
  cancelAnswered: 'queued',
  notified: 'queued',
  resendRequested: 'queued',
  timePassed: 'queued',
}

const options: LifeOptions = { policy: { attempts: 2 }, route: [{}, { name: 'second' }], webhook: ['completed'] }
const short: LifeOptions = { ...options, policy: { attempts: 2, deadlineMs: 9_000 } }

/** A prediction of each status whose last attempt is in the given state, or has just been told to end in it. */
const lives: { readonly [status in PredictionStatus]: (state: StartedState) => Life } = {
  starting(state) {
    const life = createLife(options)
    bring[withoutWork(state)](life, 1)
    return life
  },
  processing(state) {
    const life = createLife(options)
    bring.running(life, 1)
    life.observed('failed')
    bring[state](life, 2)
    return life
  },
  succeeded(state) {
    const life = createLife({ ...options, policy: { attempts: 2, hedges: 1 } })
    bring.running(life, 1)
    life.at(life.attempt().changedAt + life.policy.stallMs)
    bring[state](life, 2)
    life.heard('succeeded', {}, 1)
    life.collected(1)
    return life
  },
  failed(state) {
    const life = createLife(short)
    bring[state](life, 1)
    life.at(life.record.deadlineAt)
    return life
  },
  canceled(state) {
    const life = createLife(options)
    bring[state](life, 1)
    life.cancel()
    return life
  },
  aborted(state) {
    const life = createLife({ ...short, deadlineBy: 'client' })
    bring[withoutWork(state)](life, 1)
    life.at(life.record.deadlineAt)
    return life
  },
}

/** Whoever collects has worked. */
function withoutWork(state: StartedState): StartedState {
  return state === 'collecting' ? 'queued' : state
}

/** After each event: status of the prediction, the effects that are begun, and why. */
const table: { readonly [status in PredictionStatus]: Cells } = {
  starting: {
    ...every('starting', 'nothing works yet'),
    started: ['starting', 'poll 1', 'accepted is not yet at work'],
    startRejected: ['starting', 'start 2', 'the next deployment may work'],
    startUnknown: ['starting', 'find 1', 'looked for before money is spent again'],
    found: ['starting', 'poll 1', 'found is not yet at work'],
    observed: ['processing', '', 'the first sign of work'],
    heard: ['processing', '', 'the first sign of work'],
    cancelRequested: ['canceled', 'cancel 1, notify completed', 'the user need not wait for the provider'],
  },
  processing: {
    ...every('processing', 'status never goes backwards'),
    started: ['processing', 'poll 2', 'status never goes backwards, also with a new attempt'],
    startRejected: ['failed', 'notify completed', 'no attempt is left'],
    startUnknown: ['processing', 'find 2', 'looked for before the prediction fails'],
    found: ['processing', 'poll 2', 'status never goes backwards, also with a new attempt'],
    collected: ['succeeded', 'notify completed', 'a verified output is there'],
    collectFailed: ['failed', 'notify completed', 'no attempt is left'],
    cancelRequested: ['canceled', 'cancel 2, notify completed', 'the user need not wait for the provider'],
  },
  succeeded: {
    ...every('succeeded', 'a terminal status never changes'),
    started: ['succeeded', 'cancel 2, poll 2', 'nobody needs the hedge any more'],
    startUnknown: ['succeeded', 'find 2', 'what may run must be found to be cancelled'],
    found: ['succeeded', 'cancel 2, poll 2', 'nobody needs the hedge any more'],
  },
  failed: {
    ...every('failed', 'a terminal status never changes'),
    started: ['failed', 'cancel 1, poll 1', 'too late to be of use'],
    startUnknown: ['failed', 'find 1', 'what may run must be found to be cancelled'],
    found: ['failed', 'cancel 1, poll 1', 'too late to be of use'],
  },
  canceled: {
    ...every('canceled', 'a terminal status never changes'),
    started: ['canceled', 'cancel 1, poll 1', 'the run came after the cancel'],
    startUnknown: ['canceled', 'find 1', 'what may run must be found to be cancelled'],
    found: ['canceled', 'cancel 1, poll 1', 'the run came after the cancel'],
  },
  aborted: {
    ...every('aborted', 'a terminal status never changes, also when work is seen later'),
    started: ['aborted', 'cancel 1, poll 1', 'too late to be of use'],
    startUnknown: ['aborted', 'find 1', 'what may run must be found to be cancelled'],
    found: ['aborted', 'cancel 1, poll 1', 'too late to be of use'],
  },
}

describe.each(Object.keys(lives) as PredictionStatus[])('a prediction that is %s', status => {
  it.each(eventTypes.map(type => [type, ...table[status][type]] as const))(
    'on %s is %s and begins "%s": %s',
    (type, after, begun) => {
      const life = lives[status](awaitedIn[type])
      expect(life.record.status).toBe(status)
      const begins = begunBy(life, () => events[type](life, life.record.attempts.length))
      expect([life.record.status, begins]).toEqual([after, begun])
    },
  )
})
