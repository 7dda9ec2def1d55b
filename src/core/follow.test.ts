import { describe, expect, it } from 'vitest'
import { begunBy, bring } from './test-states.ts'
import { createLife, handleOf, type Life, type LifeOptions, sampleFailure, sampleObservation } from './test-support.ts'

const sampleHint = { message: 'the run has most likely ended.', advice: 'Look at the proxy.' }

function decisions(life: Life): string[] {
  return life.record.decisions.map(({ what }) => what)
}

function states(life: Life): string[] {
  return life.record.attempts.map(({ state, release }) => `${state}/${release}`)
}

/** Steps whenever the record asks for it, until this moment; answers what was begun, as `time: effect`. */
function passUntil(life: Life, end: number): string[] {
  const begun: string[] = []
  for (;;) {
    const at = Math.min(end, life.last.nextAt ?? end)
    const begins = begunBy(life, () => life.at(at))
    if (begins !== '') begun.push(`${at}: ${begins}`)
    if (at === end) return begun
  }
}

describe('a start whose answer was lost', () => {
  function lost(options: LifeOptions = {}): Life {
    const life = createLife({ route: [{}, { name: 'second' }], ...options })
    life.startUnknown()
    return life
  }

  it('is looked for every five seconds, and adopted when it is found', () => {
    const life = lost()
    life.found([])
    expect(begunBy(life, () => life.at(4_999))).toBe('')
    expect(begunBy(life, () => life.at(5_000))).toBe('find 1')
    const run = { handle: handleOf(life.attempt().id), seen: sampleObservation('running') }
    expect(begunBy(life, () => life.found([run]))).toBe('poll 1')
    expect([states(life), decisions(life)]).toEqual([
      ['running/open'],
      ['attempt 1 on first', 'start unknown', 'unknown start found'],
    ])
    expect(life.record.decisions.at(-1)?.why).toBe(
      'The run was found 5 s after its answer was lost; it is adopted, and nothing else was started meanwhile.',
    )
  })

  it.each([
    ['started', (life: Life) => life.started(2), '; attempt 2 was started meanwhile, and each may cost money.'],
    [
      'refused',
      (life: Life) => life.startRejected(sampleFailure('no_capacity'), 2),
      ', and nothing else was started meanwhile.',
    ],
  ])('that is found after another attempt was %s says so', (_, answer, end) => {
    const life = lost({ policy: { attempts: 2 } })
    life.found([])
    life.at(90_000)
    life.at(90_500)
    answer(life)
    life.pass(930)
    life.heard('running', {}, 1)
    expect(life.record.decisions.find(({ what }) => what === 'unknown start found')?.why).toBe(
      `The run was found 91.4 s after its answer was lost; it is cancelled unless it delivers first${end}`,
    )
  })

  it('that is over when it is found is not looked at again, so its cost is counted there and then', () => {
    const life = lost()
    const cost = { amount: 0.2, currency: 'USD', estimated: false } as const
    const seen = sampleObservation('failed')
    expect(begunBy(life, () => life.found([{ handle: handleOf(life.attempt().id), seen, cost }]))).not.toContain(
      'poll 1',
    )
    expect([states(life)[0], life.attempt(1).cost]).toEqual(['failed/confirmed', cost])
  })

  it('is looked for again when the search failed', () => {
    const life = lost()
    life.findFailed()
    expect(begunBy(life, () => life.at(5_000))).toBe('find 1')
  })

  it('is adopted when its webhook comes, and no longer looked for', () => {
    const life = lost()
    life.heard('booting')
    expect([states(life), begunBy(life, () => life.at(5_000))]).toEqual([['booting/open'], ''])
    expect(life.attempt().pending.map(({ kind }) => kind)).toEqual(['poll'])
  })

  it('is started again when the policy says so, on the same deployment, and looked for further', () => {
    const life = lost()
    life.found([])
    life.pass(89_999)
    expect(begunBy(life, () => life.at(89_999))).toBe('find 1')
    life.found([])
    life.at(90_000)
    expect(begunBy(life, () => life.at(90_500))).toBe('start 2')
    expect(life.attempt(2).deployment).toBe('first')
    expect(begunBy(life, () => life.at(95_000))).toContain('find 1')
  })

  it('ends the prediction when the policy says so', () => {
    const life = lost({ policy: { onUnknown: 'fail' } })
    life.at(89_999)
    expect(life.record.status).toBe('starting')
    life.at(90_000)
    expect(life.record.failure?.code).toBe('start_unknown')
  })

  it('is stopped when it is found after it was started again, and its cost is counted', () => {
    const life = lost()
    life.at(90_000)
    life.at(90_500)
    life.started(2)
    const cost = { amount: 0.2, currency: 'USD', estimated: false } as const
    expect(begunBy(life, () => life.heard('running', {}, 1, cost))).toBe('cancel 1, poll 1')
    life.cancelAnswered('ended', 1)
    expect([states(life), life.attempt(1).cost]).toEqual([['failed/confirmed', 'queued/open'], cost])
  })

  it('is given up as such when it never shows up', () => {
    const life = lost()
    life.cancel()
    passUntil(life, 599_999)
    expect(states(life)).toEqual(['unknown/none'])
    passUntil(life, 600_000)
    expect([states(life), life.last.nextAt]).toEqual([['canceled/given_up'], null])
    expect(life.record.decisions.at(-1)).toMatchObject({
      what: 'given up',
      why: 'The run never showed up within 600 s.',
    })
  })

  it('is cancelled with all patience when it shows up after it was given up', () => {
    const life = lost()
    life.cancel()
    life.at(600_000)
    life.pass(3_600_000)
    expect(begunBy(life, () => life.heard('running'))).toBe('cancel 1, poll 1')
    expect([states(life), life.record.settledAt]).toEqual([['canceled/open'], null])
    life.cancelAnswered('requested')
    expect(begunBy(life, () => life.at(life.now + 2_000))).toBe('cancel 1')
    life.observed('canceled')
    expect([states(life), life.record.status, life.last.nextAt]).toEqual([['canceled/confirmed'], 'canceled', null])
  })

  it('ends at once where an empty answer proves that nothing was started, and the next one begins', () => {
    const life = lost({ route: [{ findIsExact: true }], jitter: () => 0 })
    expect(begunBy(life, () => life.found([]))).toBe('start 2')
    expect(states(life)).toEqual(['failed/none', 'submitting/none'])
    expect(life.attempt(1).failure).toMatchObject({ code: 'worker_lost' })
  })

  it('is not looked for where it cannot be found, but waited for', () => {
    const life = lost({ route: [{ canFind: false }] })
    expect([life.begun, life.last.nextAt]).toEqual([['start 1'], 90_000])
  })

  it('that nobody answered at all is unknown once its process must have ended', () => {
    const life = createLife()
    expect(begunBy(life, () => life.at(24_999))).toBe('')
    expect(begunBy(life, () => life.at(25_000))).toBe('find 1')
    expect(states(life)).toEqual(['unknown/none'])
  })
})

it('a run that turns up although its start was refused is cancelled', () => {
  const life = createLife({ route: [{}, { name: 'second' }] })
  life.startRejected(sampleFailure('no_capacity'))
  expect(begunBy(life, () => life.heard('queued', {}, 1))).toBe('cancel 1, poll 1')
  expect(states(life)).toEqual(['failed/open', 'submitting/none'])
})

describe('a record that another engine takes over', () => {
  it('has its polls, cancels and collects begun anew at once, but no start', () => {
    const polling = createLife()
    bring.queued(polling, 1)
    const canceling = createLife()
    bring.queued(canceling, 1)
    canceling.cancel()
    const collecting = createLife()
    bring.collecting(collecting, 1)
    const submitting = createLife()
    const taken = [polling, canceling, collecting, submitting].map(life => {
      life.change({ engine: 'engine-2' })
      return begunBy(life, () => life.at(5_000))
    })
    expect(taken).toEqual(['poll 1', 'cancel 1, poll 1', 'collect 1', ''])
  })

  it('waits for nothing less while the lease is not there', () => {
    const life = createLife()
    life.change({ engine: 'engine-2', alone: true, mayBegin: false })
    life.at(1)
    expect([states(life), life.attempt().pending.map(({ kind }) => kind)]).toEqual([['submitting/none'], ['start']])
  })

  it('has its start looked for at once when no other engine can be alive', () => {
    const life = createLife()
    life.change({ engine: 'engine-2', alone: true })
    expect(begunBy(life, () => life.at(1))).toBe('find 1')
  })

  it('takes in what the former engine still brings', () => {
    const life = createLife()
    life.change({ engine: 'engine-2', alone: true })
    const effect = life.pending('start')
    life.at(1)
    const run = { attempt: life.attempt().id, effect, handle: 'late', seen: null }
    expect(begunBy(life, () => life.take({ type: 'started', ...run }))).toBe('poll 1')
    expect(states(life)).toEqual(['queued/open'])
  })
})

describe('polls', () => {
  it('that fail are asked again, slower each time, and say nothing about the job', () => {
    const life = createLife({ policy: { queueMs: 3_600_000 } })
    life.started()
    const waits: number[] = []
    for (let failures = 1; failures <= 7; failures++) {
      life.pollFailed()
      const at = life.last.nextAt ?? 0
      waits.push(at - life.now)
      expect(begunBy(life, () => life.at(at))).toBe('poll 1')
    }
    expect([waits, states(life)]).toEqual([[2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000], ['queued/open']])
  })

  it('that fail for a while are told in the account, and so is the first that succeeds again', () => {
    const life = createLife()
    life.started()
    const news = () => life.record.decisions.map(({ what }) => what).filter(what => what.includes('sight'))
    for (const expected of [[], [], ['out of sight'], ['out of sight']]) {
      life.pollFailed()
      expect(news()).toEqual(expected)
      life.at(life.last.nextAt ?? 0)
    }
    life.observed('queued')
    expect(life.record.decisions.at(-1)?.why).toBe('The provider answers again after 4 failed polls.')
    life.at(life.last.nextAt ?? 0)
    life.pollFailed()
    life.at(life.last.nextAt ?? 0)
    life.observed('queued')
    expect(news()).toEqual(['out of sight', 'in sight again'])
  })

  it('that the engine cuts off are made anew at once, and count for nothing', () => {
    const life = createLife()
    life.started()
    for (let cuts = 0; cuts < 4; cuts++) {
      life.pass(4_999)
      expect(begunBy(life, () => life.pollFailed({ cutOff: true }))).toBe('poll 1')
      expect(life.attempt().pollFailures).toBe(0)
    }
    expect(life.record.decisions.filter(({ what }) => what === 'out of sight')).toEqual([])
  })

  it('that the engine cuts off after they had waited for long have failed', () => {
    const life = createLife()
    life.started()
    life.pass(5_000)
    life.pollFailed({ cutOff: true })
    expect(life.attempt()).toMatchObject({ nextPollAt: life.now + 2_000, pollFailures: 1 })
  })

  it('wait as long as the provider asks, and keep their pace after a good answer', () => {
    const life = createLife()
    life.started()
    life.pollFailed({ retryAfterMs: 60_000 })
    expect(life.last.nextAt).toBe(60_000)
    life.at(60_000)
    life.observed('queued')
    expect(life.last.nextAt).toBe(61_000)
  })

  it('are not made where the provider cannot be asked: timers and webhooks decide', () => {
    const life = createLife({ route: [{ canPoll: false }] })
    life.started()
    expect([life.begun, life.last.nextAt]).toEqual([['start 1'], 5 * 60_000])
  })
})

describe('a cancel', () => {
  function canceled(options: LifeOptions = {}): Life {
    const life = createLife(options)
    bring.running(life, 1)
    life.cancel()
    return life
  }

  it('ends the prediction at once, and is repeated until the provider confirms', () => {
    const life = canceled({ route: [{ canPoll: false }] })
    expect(life.record.status).toBe('canceled')
    const waits: number[] = []
    for (let tries = 1; tries <= 6; tries++) {
      life.cancelAnswered('requested')
      const at = life.last.nextAt ?? 0
      waits.push(at - life.now)
      expect(begunBy(life, () => life.at(at))).toBe('cancel 1')
    }
    expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    life.cancelAnswered('ended')
    expect([states(life), life.last.nextAt]).toEqual([['canceled/confirmed'], null])
  })

  it('that the provider ignores is given up, and said to be', () => {
    const life = canceled({ route: [{ pollMs: 60_000 }] })
    const limit = life.now + life.policy.releaseMs
    for (;;) {
      const at = life.last.nextAt ?? limit
      if (at >= limit) break
      life.at(at)
      life.cancelAnswered('requested')
      life.observed('running')
    }
    expect([states(life), life.attempt().cancelTries > 10]).toEqual([['running/open'], true])
    life.at(limit)
    expect([states(life), life.last.nextAt]).toEqual([['canceled/given_up'], null])
    expect(life.record.decisions.at(-1)).toMatchObject({
      what: 'given up',
      why: 'The provider did not confirm the end within 600 s; the run may still cost money there.',
    })
  })

  it.each([
    ['impossible by its answer', {}, ['cancel 1', 'poll 1', 'poll 1']],
    ['impossible by its nature', { canCancel: false }, ['poll 1', 'poll 1']],
  ])('that is %s is not repeated, the run is followed to its own end', (_, deployment, begun) => {
    const life = createLife({ route: [deployment] })
    bring.running(life, 1)
    life.observed('running')
    const before = life.begun.length
    life.cancel()
    life.cancelAnswered('impossible')
    life.at(2_000)
    life.observed('running')
    life.at(30_000)
    expect(life.begun.slice(before)).toEqual(begun)
    life.observed('succeeded')
    expect([states(life), life.record.output, life.last.nextAt]).toEqual([['canceled/confirmed'], null, null])
  })

  it('during a start waits for its answer: a run that comes is cancelled, none needs no more', () => {
    const accepted = createLife()
    accepted.cancel()
    const refused = createLife()
    refused.cancel()
    expect([accepted.record.status, states(accepted)]).toEqual(['canceled', ['submitting/none']])
    expect(begunBy(accepted, () => accepted.started())).toBe('cancel 1, poll 1')
    refused.startRejected(sampleFailure('provider_error'))
    expect([states(refused), refused.last.nextAt]).toEqual([['canceled/none'], null])
  })
})

describe('a collect', () => {
  it('that was cut off is tried again, slower each time, or when the provider asks', () => {
    const life = createLife()
    bring.collecting(life, 1)
    const waits: number[] = []
    for (const failure of [
      sampleFailure('provider_unreachable'),
      sampleFailure('provider_error'),
      sampleFailure('rate_limited', { retryAfterMs: 7_000 }),
    ]) {
      life.collectFailed(failure)
      const at = life.last.nextAt ?? 0
      waits.push(at - life.now)
      expect(begunBy(life, () => life.at(at))).toBe('collect 1')
    }
    expect(waits).toEqual([500, 1_000, 7_000])
  })

  it.each(['output_invalid', 'output_lost', 'output_too_large'] as const)(
    'that ends as %s ends the attempt, and the next deployment is tried',
    code => {
      const life = createLife({ route: [{}, { name: 'second' }] })
      bring.collecting(life, 1)
      expect(begunBy(life, () => life.collectFailed(sampleFailure(code)))).toBe('start 2')
      expect([states(life), life.attempt(2).deployment]).toEqual([['failed/confirmed', 'submitting/none'], 'second'])
    },
  )
})

describe('a deployment that leaves the configuration', () => {
  it.each([
    ['planned', 'failed/none'],
    ['submitting', 'failed/given_up'],
    ['unknown', 'failed/given_up'],
    ['running', 'failed/given_up'],
    ['collecting', 'failed/confirmed'],
  ] as const)('leaves an attempt that was %s as %s, and the next deployment is tried', (state, after) => {
    const free = state === 'planned' ? 0 : 1
    const life = createLife({ route: [{ free }, { name: 'second', free }] })
    if (state !== 'planned') bring[state](life, 1)
    life.change({}, { first: null, second: { free: 1 } })
    life.at(life.now)
    expect(life.last.nextAt).toBe(life.now)
    expect(begunBy(life, () => life.at(life.now))).toBe('start 2')
    expect([states(life), life.attempt(1).failure?.code]).toEqual([[after, 'submitting/none'], 'deployment_missing'])
  })
})

describe('before a timer ends an attempt', () => {
  const stalled = () => {
    const life = createLife({ policy: { attempts: 2 }, route: [{}, { name: 'second' }] })
    bring.running(life, 1)
    life.observed('running')
    // The provider answers as ever, and nothing has changed.
    for (let second = 0; second < 121; second++) {
      life.pass(1_000)
      life.take({ type: 'timePassed' })
      if (life.attempt().pending.some(({ kind }) => kind === 'poll')) life.observed('running')
    }
    return life
  }

  it('its surroundings are looked at once, and only then it is given notice', () => {
    const life = stalled()
    expect(life.begun.filter(effect => effect.startsWith('inspect'))).toEqual(['inspect 1'])
    expect(life.attempt().abandoned).toBe(null)
    life.inspected({})
    expect(life.attempt(1).abandoned).toMatchObject({ as: 'failed', failure: { code: 'stalled' } })
    expect(life.attempt(2).deployment).toBe('second')
  })

  it('an upload that has arrived is collected although the provider still reports work, and the run is stopped', () => {
    const life = stalled()
    expect(begunBy(life, () => life.inspected({ upload: { kind: 'stored', key: 'uploads/a/output' } }))).toBe(
      'collect 1',
    )
    expect(begunBy(life, () => life.collected())).toContain('cancel 1')
    expect([life.record.status, ...states(life)]).toEqual(['succeeded', 'won/open'])
    life.cancelAnswered('ended')
    expect([...states(life), life.last.nextAt]).toEqual(['won/confirmed', null])
  })

  it('an upload of a lost start is collected instead of a second start, and nobody is left to be asked for its cost', () => {
    const life = createLife()
    life.startUnknown()
    life.found([])
    life.pass(90_000)
    life.take({ type: 'timePassed' })
    life.found([])
    const upload = { kind: 'stored', key: 'uploads/a/output' } as const
    expect(begunBy(life, () => life.inspected({ upload }))).toBe('collect 1')
    life.collected()
    expect([life.record.status, states(life), life.last.nextAt]).toEqual(['succeeded', ['won/given_up'], null])
  })

  it.each(['failed', 'gone', 'canceled', 'succeeded'] as const)(
    'a run that is reported %s after its kit has uploaded is collected, not paid again',
    status => {
      const life = createLife()
      bring.running(life, 1)
      life.pass(20_000)
      life.take({ type: 'timePassed' })
      const observation = { status, word: status }
      const upload = { kind: 'stored', key: 'uploads/a/output' } as const
      const effect = life.pending('poll')
      const seen = { observation, cost: null, upload }
      life.take({ type: 'observed', attempt: life.attempt().id, effect, seen })
      expect(states(life)).toEqual(['collecting/confirmed'])
      life.collected()
      expect([life.record.status, states(life)]).toEqual(['succeeded', ['won/confirmed']])
    },
  )

  it('a question that a held run leaves open holds back no timer', () => {
    const life = createLife({ policy: { attempts: 1, runMs: 10_000 }, route: [{ heldStart: true }] })
    bring.running(life, 1)
    life.pass(2_000)
    life.take({ type: 'timePassed' })
    expect(life.attempt().pending.map(({ kind }) => kind)).toEqual(['poll'])
    life.pass(7_500)
    life.take({ type: 'timePassed' })
    life.inspected({})
    expect(life.attempt().abandoned).toMatchObject({ failure: { code: 'run_timeout' } })
  })

  it('a question at a held run that was put just now is waited for, for a moment', () => {
    const life = createLife({ policy: { attempts: 1, runMs: 60_000 }, route: [{ heldStart: true }] })
    bring.running(life, 1)
    life.pass(58_000)
    life.take({ type: 'timePassed' })
    life.pass(3_000)
    life.take({ type: 'timePassed' })
    life.inspected({})
    expect([life.attempt().abandoned, life.last.nextAt]).toEqual([null, life.now + 2_000])
    life.pass(2_000)
    life.take({ type: 'timePassed' })
    expect(life.attempt().abandoned).toMatchObject({ failure: { code: 'run_timeout' } })
  })

  it("the provider's word on its health becomes part of the failure", () => {
    const life = createLife({ policy: { attempts: 1 } })
    bring.queued(life, 1)
    life.observed('queued')
    for (let second = 0; second < 301; second++) {
      life.pass(1_000)
      life.take({ type: 'timePassed' })
      if (life.attempt().pending.some(({ kind }) => kind === 'poll')) life.observed('queued')
    }
    life.inspected({ health: 'Workers only crash: 4 unhealthy, 0 ready.' })
    expect(life.record.failure).toMatchObject({
      code: 'queue_timeout',
      message: expect.stringContaining('Workers only crash: 4 unhealthy, 0 ready.'),
    })
  })

  it.each([
    ['the last look', [sampleHint], 'the run has most likely ended.', 'Look at the proxy.'],
    ['only an earlier look', [sampleHint, undefined], '', "look at the worker's logs"],
  ])('what %s makes likely decides the words of the failure', (_, hints, message, advice) => {
    const life = createLife({ policy: { attempts: 1 } })
    life.started()
    for (const hint of hints) {
      life.pass(1_000)
      life.take({ type: 'timePassed' })
      life.observed('running', { word: 'READY', ...(hint === undefined ? {} : { hint }) })
    }
    life.at(life.attempt().changedAt + 120_000)
    expect(life.record.failure).toMatchObject({
      code: 'stalled',
      message: expect.stringContaining(`No visible change for 120 s with the run (limit: policy's 120 s). ${message}`),
      advice: expect.stringContaining(advice),
    })
  })
})
