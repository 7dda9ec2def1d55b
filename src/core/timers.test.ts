import { describe, expect, it } from 'vitest'
import type { FailureCode } from './failure.ts'
import type { Observation } from './observation.ts'
import { isTerminal } from './prediction.ts'
import { begunBy, bring } from './test-states.ts'
import { createLife, type Life, type LifeOptions, sampleFailure } from './test-support.ts'

const oneAttempt: LifeOptions = { policy: { attempts: 1 } }

function running(seen: Partial<Observation> = {}, options: LifeOptions = oneAttempt): Life {
  const life = createLife(options)
  life.started()
  life.observed('running', seen)
  return life
}

/** What the prediction became: its status, and the code of its failure. */
function end(life: Life): string {
  return life.record.failure === null ? life.record.status : `${life.record.status}: ${life.record.failure.code}`
}

describe('each timer ends an attempt at its limit, not before', () => {
  const cases: readonly (readonly [string, () => Life, number, FailureCode, string])[] = [
    ['unknown', () => createWith('unknown'), 90_000, 'start_unknown', ''],
    ['queue', () => createWith('queued'), 5 * 60_000, 'queue_timeout', 'cancel 1'],
    ['boot', () => createWith('booting'), 10 * 60_000, 'boot_timeout', 'cancel 1'],
    ['stall', () => running(), 120_000, 'stalled', 'cancel 1'],
    ['stall below the last stage', () => running(at(0.89)), 120_000, 'stalled', 'cancel 1'],
    ['last stage', () => running(at(0.9)), 60_000, 'stalled', 'cancel 1'],
    ['run', () => running({}, { policy: { attempts: 1, stallMs: 3_600_000 } }), 600_000, 'run_timeout', 'cancel 1'],
    ['collect', () => createWith('collecting'), 5 * 60_000, 'output_lost', ''],
  ]
  function createWith(state: 'unknown' | 'queued' | 'booting' | 'collecting'): Life {
    const life = createLife(oneAttempt)
    bring[state](life, 1)
    // Somebody has looked: a start that no search asked about waits longer.
    if (state === 'unknown') life.found([])
    return life
  }
  function at(fraction: number): Partial<Observation> {
    return { progress: { stage: 'infer', fraction } }
  }

  it.each(cases)('%s', (_, create, limitMs, code, begins) => {
    const life = create()
    life.at(limitMs - 1)
    expect([isTerminal(life.record.status), life.last.nextAt]).toEqual([false, limitMs])
    expect(begunBy(life, () => life.at(limitMs))).toBe(begins)
    expect(end(life)).toBe(`failed: ${code}`)
  })
})

describe('a run that took too long', () => {
  it.each<readonly [string, Partial<Observation>, string, string]>([
    ['showed progress', { progress: { stage: 'infer', fraction: 0.5 } }, 'The run took longer than 100 s.', 'raise it'],
    [
      'never showed any',
      {},
      'The run took longer than 100 s and never showed progress; one that hangs looks the same there.',
      "Look at the worker's logs",
    ],
  ])('and %s is told so', (_, seen, message, advice) => {
    const life = running(seen, { route: [{ silent: true }], policy: { attempts: 1, runMs: 100_000 } })
    life.at(100_000)
    expect(life.attempt().abandoned?.failure).toMatchObject({
      code: 'run_timeout',
      message,
      advice: expect.stringContaining(advice),
    })
  })
})

describe('a worker that is lost again and again', () => {
  function restart(life: Life, at: number): string {
    life.at(at)
    life.observed('running', { progress: { stage: 'infer', fraction: 0.8 } })
    life.at(at + 1_000)
    return begunBy(life, () => life.observed('running', { progress: { stage: 'infer', fraction: 0 } }))
  }

  it('may begin anew as often as the policy says, and no more', () => {
    const life = running()
    expect([restart(life, 10_000), restart(life, 20_000), end(life)]).toEqual(['', '', 'processing'])
    expect(restart(life, 30_000)).toBe('cancel 1')
    expect(life.record.failure).toMatchObject({
      code: 'worker_lost',
      message:
        'Its worker was lost and the run began anew 3 times (limit: 2). No attempt is left: 1 of 1 attempts are used up.',
    })
  })

  it('may never begin anew where the policy says so', () => {
    const life = running({}, { policy: { attempts: 1, restarts: 0 } })
    expect([restart(life, 10_000), end(life)]).toEqual(['cancel 1', 'failed: worker_lost'])
  })
})

describe('the deadline', () => {
  it('wins over every other timer, and says where the prediction stood', () => {
    const life = running({}, { policy: { deadlineMs: 100_000 } })
    life.at(99_999)
    expect([life.record.status, life.last.nextAt]).toEqual(['processing', 100_000])
    expect(begunBy(life, () => life.at(100_000))).toBe('cancel 1')
    expect(life.record.failure).toMatchObject({
      code: 'deadline_exceeded',
      message: 'No verified output within the deadline of 100 s. Attempt 1 on first was running.',
    })
  })

  it('is final during the last byte of the output', () => {
    const life = createLife({ policy: { deadlineMs: 100_000 } })
    bring.collecting(life, 1)
    life.at(100_000)
    life.collected()
    expect([end(life), life.record.output, life.record.attempts.map(({ state }) => state)]).toEqual([
      'failed: deadline_exceeded',
      null,
      ['failed'],
    ])
  })

  it.each([
    ['aborted', 'nothing worked', 'queued'],
    ['canceled', 'something worked', 'running'],
  ] as const)('of a client ends as %s when %s', (status, _, state) => {
    const life = createLife({ policy: { deadlineMs: 100_000 }, deadlineBy: 'client' })
    bring[state](life, 1)
    life.at(100_000)
    expect([end(life), life.record.startedAt === null]).toEqual([status, state === 'queued'])
  })

  it('of a client whose run is first seen working at that very moment ends as canceled', () => {
    const life = createLife({ policy: { deadlineMs: 5_000 }, deadlineBy: 'client' })
    bring.queued(life, 1)
    life.pass(5_000)
    life.heard('running')
    expect([end(life), life.record.startedAt]).toEqual(['canceled', 5_000])
  })
})

describe('the stall watch', () => {
  const before: Partial<Observation> = { word: 'busy', logLength: 10, progress: { stage: 'infer', fraction: 0.5 } }
  it.each([
    ['the word', { ...before, word: 'still busy' }],
    ['the log', { ...before, logLength: 11 }],
    ['the fraction', { ...before, progress: { stage: 'infer', fraction: 0.51 } }],
    ['the stage', { ...before, progress: { stage: 'save', fraction: 0.5 } }],
  ])('begins anew when %s changes', (_, seen) => {
    const life = running(before)
    life.at(100_000)
    life.heard('running', seen)
    life.at(219_999)
    expect(end(life)).toBe('processing')
    life.at(220_000)
    expect(end(life)).toBe('failed: stalled')
  })

  it('does not begin anew when the same is said again, or less', () => {
    const life = running(before)
    life.at(100_000)
    life.heard('running', before)
    life.heard('running', { word: 'busy' })
    life.at(119_999)
    expect(end(life)).toBe('processing')
    life.at(120_000)
    expect(end(life)).toBe('failed: stalled')
  })

  it('says with which progress the run stood', () => {
    const life = running({ progress: { stage: 'save', fraction: 0.95 } })
    life.at(60_000)
    expect(life.record.failure?.message).toBe(
      'No visible change for 60 s with progress at 95 % (limit of the last stage). No attempt is left: 1 of 1 attempts are used up.',
    )
  })
})

describe('a stall where the policy allows a hedge', () => {
  const hedging: LifeOptions = { policy: { hedges: 1, attempts: 2 }, route: [{}, { name: 'second' }] }

  it('starts an attempt elsewhere beside the stalled one, which is not stopped', () => {
    const life = running({}, hedging)
    expect(begunBy(life, () => life.at(119_999))).toBe('poll 1')
    expect(begunBy(life, () => life.at(120_000))).toBe('start 2')
    expect(life.record.attempts.map(({ deployment, abandoned }) => [deployment, abandoned])).toEqual([
      ['first', null],
      ['second', null],
    ])
  })

  it('ends with the first verified output, and stops the other', () => {
    const life = running({}, hedging)
    life.at(120_000)
    bring.running(life, 2)
    life.heard('succeeded', {}, 1)
    expect(begunBy(life, () => life.collected(1))).toBe('cancel 2')
    life.cancelAnswered('ended', 2)
    expect([life.record.output?.key, life.record.attempts.map(({ state }) => state)]).toEqual([
      life.attempt(1).output?.key,
      ['won', 'superseded'],
    ])
  })

  it('gives notice to the stalled one when it stalls as long again', () => {
    const life = running({}, hedging)
    life.at(120_000)
    life.at(239_999)
    expect(life.attempt(1).abandoned).toBeNull()
    expect(begunBy(life, () => life.at(240_000))).toContain('cancel 1')
    expect(life.attempt(1).abandoned).toMatchObject({ at: 240_000, as: 'failed', failure: { code: 'stalled' } })
  })

  it('gives notice on the second stall when no money was left for a hedge', () => {
    const life = running({}, { policy: { hedges: 1, budget: 0.6 } })
    life.at(120_000)
    expect([life.record.attempts.length, life.attempt(1).abandoned]).toEqual([1, null])
    life.at(240_000)
    expect([life.attempt(1).abandoned?.failure?.code, end(life)]).toEqual(['stalled', 'failed: budget_exceeded'])
  })

  it('gives notice at once when no attempt is left for a hedge', () => {
    const life = running({}, { ...hedging, policy: { hedges: 1, attempts: 1 } })
    life.at(120_000)
    expect(end(life)).toBe('failed: stalled')
  })

  it('hedges on the same deployment when there is no other', () => {
    const life = running({}, { policy: { hedges: 1 } })
    expect(begunBy(life, () => life.at(120_000))).toBe('start 2')
  })
})

it('a run that may be silent is no stall before it has shown anything', () => {
  const life = createLife({ policy: { attempts: 1 }, route: [{ silent: true }] })
  bring.running(life, 1)
  life.at(599_999)
  expect(end(life)).toBe('processing')
  life.at(600_000)
  expect(end(life)).toBe('failed: run_timeout')
  const shown = running({ progress: { stage: 'infer', fraction: 0.2 } }, { ...oneAttempt, route: [{ silent: true }] })
  shown.at(120_000)
  expect(end(shown)).toBe('failed: stalled')
})

describe('a timer that is due after nobody looked for a while', () => {
  /** Like a process that was asleep: nobody asks, and the clock goes on. */
  function sleep(life: Life, ms: number): void {
    life.pass(ms)
    life.take({ type: 'timePassed' })
  }

  it('waits for one look, which shows that the run goes on', () => {
    const life = running({ progress: { stage: 'infer', fraction: 0.2 } })
    sleep(life, 300_000)
    expect([end(life), life.attempt().abandoned]).toEqual(['processing', null])
    life.observed('running', { progress: { stage: 'infer', fraction: 0.7 } })
    expect([life.attempt().abandoned, life.last.nextAt]).toEqual([null, life.now + 1_000])
  })

  it('ends the attempt when that look shows nothing new', () => {
    const life = running({ progress: { stage: 'infer', fraction: 0.2 } })
    sleep(life, 300_000)
    life.observed('running', { progress: { stage: 'infer', fraction: 0.2 } })
    expect(end(life)).toBe('processing')
    life.inspected({})
    expect(end(life)).toBe('failed: stalled')
  })

  it('outlasts three looks that fail, and ends the attempt after the fourth, in a step of its own', () => {
    const life = running()
    sleep(life, 300_000)
    life.inspected({})
    for (const waitMs of [2_000, 4_000, 8_000]) {
      life.pollFailed()
      expect([end(life), life.last.nextAt]).toEqual(['processing', life.now + waitMs])
      sleep(life, waitMs)
    }
    life.pollFailed()
    expect([end(life), life.last.nextAt]).toEqual(['processing', life.now])
    life.take({ type: 'timePassed' })
    expect(end(life)).toBe('failed: stalled')
  })

  it('is met by the first look that succeeds again, which shows that the run goes on', () => {
    const life = running({ progress: { stage: 'infer', fraction: 0.2 } })
    sleep(life, 300_000)
    life.inspected({})
    life.pollFailed()
    sleep(life, 2_000)
    life.observed('running', { progress: { stage: 'infer', fraction: 0.7 } })
    expect([end(life), life.attempt().abandoned]).toEqual(['processing', null])
  })

  it('ends the attempt although every answer is slower than the pace of the polls', () => {
    const life = running()
    while (life.record.status === 'processing' && life.now < 200_000) {
      sleep(life, 1_000)
      life.pass(1_500)
      if (life.attempt().pending.some(({ kind }) => kind === 'inspect')) life.inspected({})
      life.observed('running')
    }
    expect([end(life), life.record.completedAt]).toEqual(['failed: stalled', 122_500])
  })

  it('ends the search for a lost start although every search runs into its time limit, but only after three times as long', () => {
    const life = createLife(oneAttempt)
    life.startUnknown()
    while (life.record.status === 'starting' && life.now < 400_000) {
      life.pass(9_000)
      life.findFailed()
      sleep(life, 0)
      if (life.attempt().pending.some(({ kind }) => kind === 'inspect')) life.inspected({})
      sleep(life, 5_000)
    }
    expect([end(life), life.record.completedAt]).toEqual(['failed: start_unknown', 275_000])
  })

  it('does not pay again for a lost start that a search still finds', () => {
    const life = createLife()
    bring.unknown(life, 1)
    sleep(life, 300_000)
    life.found([{ handle: { run: 1 } }])
    expect(life.record.attempts).toMatchObject([{ state: 'queued', abandoned: null }])
  })

  it('gives a collect whose process died its whole time again', () => {
    const life = createLife(oneAttempt)
    bring.collecting(life, 1)
    life.change({ engine: 'engine-2' })
    sleep(life, 600_000)
    expect([end(life), life.pending('collect')]).toEqual(['processing', expect.stringMatching(/^id-/)])
    life.collected()
    expect(end(life)).toBe('succeeded')
  })

  it('tries a collect that fell due while nobody was there before it ends the attempt, and once', () => {
    const life = createLife(oneAttempt)
    bring.collecting(life, 1)
    life.collectFailed(sampleFailure('provider_unreachable'))
    sleep(life, 600_000)
    expect([end(life), life.begun.at(-1)]).toEqual(['processing', 'collect 1'])
    sleep(life, 1_000)
    expect(end(life)).toBe('processing')
    life.collectFailed(sampleFailure('provider_unreachable'))
    expect(end(life)).toBe('failed: output_lost')
  })

  it('gives a collect that got further its whole time again, up to the deadline, and tries again soon', () => {
    const life = createLife({ policy: { attempts: 1, deadlineMs: 20 * 60_000 } })
    bring.collecting(life, 1)
    life.collectFailed(sampleFailure('provider_unreachable'))
    life.at(500)
    for (let minute = 4; minute < 20; minute += 4) {
      life.pass(minute * 60_000 - life.now)
      life.collectFailed(sampleFailure('provider_unreachable'), 1, { broughtMore: true })
      expect([end(life), (life.last.nextAt ?? 0) - life.now]).toEqual(['processing', 500])
      life.at(life.now + 500)
    }
    expect(life.attempt().collectingAt).toBe(0)
    sleep(life, 20 * 60_000 - life.now)
    expect(end(life)).toBe('failed: deadline_exceeded')
  })
})
