import { describe, expect, it } from 'vitest'
import type { AttemptState } from './prediction.ts'
import { begunBy, bring, type Cells, events, eventTypes, every, type StartedState } from './test-states.ts'
import { createLife, type Life } from './test-support.ts'

/**
 * An attempt's state, and two situations in which a state is not all: `noticed` runs but was given notice, `given up`
 * ended without that the provider confirmed it.
 */
type Row = AttemptState | 'noticed' | 'given up'
/** The last attempt of each life is the one that is meant; it is the only one that its policy allows, but for a hedge. */
const lives: { readonly [row in Row]: () => Life } = {
  planned: () => createLife({ policy: { attempts: 1 }, route: [{ free: 0 }] }),
  submitting: () => live('submitting'),
  unknown: () => live('unknown'),
  queued: () => live('queued'),
  booting: () => live('booting'),
  running: () => live('running'),
  collecting: () => live('collecting'),
  noticed() {
    const life = live('running')
    life.cancel()
    return life
  },
  won() {
    const life = live('collecting')
    life.collected()
    return life
  },
  failed() {
    const life = live('running')
    life.observed('failed')
    return life
  },
  canceled() {
    const life = lives.noticed()
    life.cancelAnswered('ended')
    return life
  },
  lost() {
    const life = live('queued')
    life.at(15_000)
    life.observed('gone')
    return life
  },
  superseded() {
    const life = createLife({ policy: { attempts: 2, hedges: 1 } })
    bring.running(life, 1)
    life.at(life.attempt().changedAt + life.policy.stallMs)
    bring.queued(life, 2)
    life.heard('succeeded', {}, 1)
    life.collected(1)
    life.cancelAnswered('ended', 2)
    return life
  },
  'given up'() {
    const life = live('unknown')
    life.cancel()
    life.at(life.policy.releaseMs)
    return life
  },
}

function live(state: StartedState): Life {
  const life = createLife({ policy: { attempts: 1 } })
  bring[state](life, 1)
  return life
}

/** After each event: state and release of the attempt, the effects that are begun, and why. */
const table: { readonly [row in Row]: Cells } = {
  planned: {
    ...every('planned/none', 'nothing was sent, so nobody waits for an answer'),
    started: ['queued/open', 'poll 1', 'a handle is always kept'],
    found: ['queued/open', 'poll 1', 'a handle is always kept'],
    heard: ['running/open', 'poll 1', 'whoever proves to be our run is followed'],
    cancelRequested: ['canceled/none', '', 'nothing was sent, so nothing must be confirmed'],
    timePassed: ['planned/none', '', 'there is no free place'],
  },
  submitting: {
    ...every('submitting/none', 'only the start is waited for'),
    started: ['queued/open', 'poll 1', 'accepted: it is followed from now on'],
    startRejected: ['failed/none', '', 'surely nothing runs'],
    startUnknown: ['unknown/none', 'find 1', 'maybe it runs: it is looked for before money is spent again'],
    found: ['queued/open', 'poll 1', 'a handle is always kept'],
    heard: ['running/open', 'poll 1', 'the webhook was faster than the answer'],
    cancelRequested: ['submitting/none', '', 'the answer may bring a run, which is cancelled then'],
  },
  unknown: {
    ...every('unknown/none', 'only the search is waited for'),
    started: ['queued/open', 'poll 1', 'the lost answer came after all'],
    found: ['queued/open', 'poll 1', 'adopted, nothing is started twice'],
    findFailed: ['unknown/none', '', 'looked for again later'],
    heard: ['running/open', 'poll 1', 'a webhook proves the run'],
    cancelRequested: ['unknown/none', '', 'looked for further: a run that is found must be cancelled'],
  },
  queued: {
    ...every('queued/open', 'only the poll is waited for'),
    observed: ['running/open', '', 'states may be skipped'],
    pollFailed: ['queued/open', '', 'a failed poll is never a failed job'],
    heard: ['running/open', '', 'what a webhook proves is true'],
    cancelRequested: ['queued/open', 'cancel 1', 'the provider must confirm the end'],
  },
  booting: {
    ...every('booting/open', 'only the poll is waited for'),
    observed: ['running/open', '', 'the worker began'],
    pollFailed: ['booting/open', '', 'a failed poll is never a failed job'],
    heard: ['running/open', '', 'what a webhook proves is true'],
    cancelRequested: ['booting/open', 'cancel 1', 'the provider must confirm the end'],
  },
  running: {
    ...every('running/open', 'only the poll is waited for'),
    observed: ['running/open', '', 'no news'],
    pollFailed: ['running/open', '', 'a failed poll is never a failed job'],
    heard: ['running/open', '', 'no news'],
    cancelRequested: ['running/open', 'cancel 1', 'the provider must confirm the end'],
  },
  collecting: {
    ...every('collecting/confirmed', 'the provider is done, only the output is waited for'),
    heard: ['collecting/confirmed', '', 'a webhook from before its success'],
    collected: ['won/confirmed', '', 'the output is verified'],
    collectFailed: ['failed/confirmed', '', 'a wrong file does not become right'],
    cancelRequested: ['canceled/confirmed', '', 'nothing runs any more, the download is dropped'],
  },
  noticed: {
    ...every('running/open', 'only the poll and the cancel are waited for'),
    observed: ['running/open', '', 'the cancel has not taken effect yet'],
    heard: ['running/open', '', 'the cancel has not taken effect yet'],
    cancelAnswered: ['canceled/confirmed', '', 'the provider confirms its end'],
  },
  'given up': {
    ...every('canceled/given_up', 'nobody waits for an answer any more'),
    started: ['canceled/open', 'cancel 1, poll 1', 'it exists after all: cancelled, and followed to its end'],
    found: ['canceled/open', 'cancel 1, poll 1', 'it exists after all: cancelled, and followed to its end'],
    heard: ['canceled/open', 'cancel 1, poll 1', 'it exists after all: cancelled, and followed to its end'],
  },
  won: every('won/confirmed', 'an attempt ends once'),
  failed: every('failed/confirmed', 'an attempt ends once'),
  canceled: every('canceled/confirmed', 'an attempt ends once'),
  lost: every('lost/confirmed', 'an attempt ends once'),
  superseded: every('superseded/confirmed', 'an attempt ends once'),
}

function situation(life: Life): string {
  const { state, release } = life.attempt()
  return `${state}/${release}`
}

describe.each(Object.keys(lives) as Row[])('an attempt that is %s', row => {
  it.each(eventTypes.map(type => [type, ...table[row][type]] as const))(
    'on %s is %s and begins "%s": %s',
    (type, after, begun) => {
      const life = lives[row]()
      const begins = begunBy(life, () => events[type](life, life.record.attempts.length))
      expect([situation(life), begins]).toEqual([after, begun])
    },
  )
})

it('every situation of the table is what its name says', () => {
  const reached = Object.fromEntries(Object.entries(lives).map(([row, create]) => [row, create().attempt().state]))
  const named = Object.fromEntries(Object.keys(lives).map(row => [row, row]))
  expect(reached).toEqual({ ...named, noticed: 'running', 'given up': 'canceled' })
})
