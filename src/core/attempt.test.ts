import { describe, expect, it } from 'vitest'
import { goneGraceMs } from './attempt.ts'
import type { Observation, ObservedStatus } from './observation.ts'
import { begunBy, bring, type StartedState } from './test-states.ts'
import { createLife, type Life, sampleFailure } from './test-support.ts'

const statuses = {
  queued: 0,
  booting: 1,
  running: 2,
  unclear: 3,
  succeeded: 4,
  failed: 5,
  canceled: 6,
  gone: 7,
} as const satisfies { [status in ObservedStatus]: number }

function last(life: Life): string {
  const { state, failure } = life.attempt(1)
  return failure === null ? state : `${state}: ${failure.code}`
}

const ends = ['collecting', 'failed: model_error', 'failed: provider_error', 'lost: worker_lost'] as const
/** What becomes of an attempt that is seen long after its start, in the order of `statuses`. */
const seenIn: { readonly [state in StartedState]: readonly string[] } = {
  submitting: ['queued', 'booting', 'running', 'queued', ...ends],
  unknown: ['queued', 'booting', 'running', 'queued', ...ends],
  queued: ['queued', 'booting', 'running', 'queued', ...ends],
  booting: ['booting', 'booting', 'running', 'booting', ...ends],
  running: ['running', 'running', 'running', 'running', ...ends],
  collecting: Object.keys(statuses).map(() => 'collecting'),
}

describe('what the provider says is ranked by state, not by arrival', () => {
  const cells = Object.entries(seenIn).flatMap(([state, row]) =>
    (Object.keys(statuses) as ObservedStatus[]).map(
      status => [state as StartedState, status, row[statuses[status]] ?? 'missing'] as const,
    ),
  )
  it.each(cells)('%s, seen %s, is %s', (state, status, after) => {
    const life = createLife({ policy: { attempts: 1 } })
    bring[state](life, 1)
    life.pass(goneGraceMs)
    life.heard(status)
    expect(last(life)).toBe(after)
  })
})

it.each([
  ['collecting', 'succeeded'],
  ['failed', 'failed'],
] as const)('a %s attempt whose run is confirmed to be over takes in no more news of it', (state, ended) => {
  const life = createLife()
  bring.running(life, 1)
  life.heard('running', { progress: { stage: 'infer', fraction: 0.8 } })
  life.heard(ended)
  const before = life.attempt(1)
  expect([before.state, before.release]).toEqual([state, 'confirmed'])
  life.heard('running', { word: 'again', progress: { stage: 'infer', fraction: 0 } }, 1)
  expect(life.attempt(1)).toEqual(before)
})

it('progress that is told after what came later is not shown', () => {
  const life = createLife()
  bring.running(life, 1)
  life.heard('running', { progress: { stage: 'infer', fraction: 0.5 } })
  life.heard('booting', { progress: { stage: 'boot', fraction: 1 } })
  expect(life.record.progress).toEqual({ stage: 'infer', fraction: 0.5 })
})

it("a provider's words cannot reach into a terminal, and the same ones are no change", () => {
  const life = createLife()
  bring.running(life, 1)
  const evil = { word: '\u001b[2J', progress: { stage: `\u009b${'x'.repeat(200)}`, fraction: 0.5 } }
  life.heard('running', evil)
  const shown = life.attempt(1)
  expect([shown.word, shown.progress?.stage]).toEqual([' [2J', ` ${'x'.repeat(98)}…`])
  life.pass(5_000)
  life.heard('running', evil)
  expect(life.attempt(1).changedAt).toBe(shown.changedAt)
})

describe('a success', () => {
  it('without an output is a lost output', () => {
    const life = createLife({ policy: { attempts: 1 } })
    bring.running(life, 1)
    life.observed('succeeded', { outputs: [] })
    expect([last(life), life.record.status]).toEqual(['failed: output_lost', 'failed'])
  })

  it('keeps of its outputs the one that is collected, and of that one no bytes once it has ended', () => {
    const life = createLife()
    bring.running(life, 1)
    const outputs = [
      { kind: 'data', uri: `data:;base64,${'A'.repeat(1_000_000)}` },
      { kind: 'url', url: 'https://x.test/' },
    ] as const
    life.observed('succeeded', { outputs })
    expect(life.attempt(1).outputs).toEqual([outputs[0]])
    life.collected()
    expect([last(life), life.attempt(1).outputs]).toEqual(['won', [{ kind: 'data', uri: 'data:,' }]])
    expect(JSON.stringify(life.record).length).toBeLessThan(10_000)
  })

  it('is told twice, or late, and collected once', () => {
    const life = createLife()
    bring.running(life, 1)
    expect([
      begunBy(life, () => life.heard('succeeded')),
      begunBy(life, () => life.heard('succeeded')),
      begunBy(life, () => life.observed('running')),
      begunBy(life, () => life.collected()),
      begunBy(life, () => life.heard('succeeded')),
    ]).toEqual(['collect 1', '', '', '', ''])
  })
})

describe('a run that the provider does not know', () => {
  it('is waited for while it may only be too new, and lost after that', () => {
    const life = createLife({ policy: { attempts: 1 } })
    bring.queued(life, 1)
    life.pass(goneGraceMs - 1)
    life.heard('gone')
    expect(last(life)).toBe('queued')
    life.pass(1)
    life.heard('gone')
    expect(last(life)).toBe('lost: worker_lost')
  })

  it('is as good as stopped when it should stop', () => {
    const life = createLife()
    bring.queued(life, 1)
    life.cancel()
    life.at(goneGraceMs)
    life.observed('gone')
    expect([last(life), life.attempt().release, life.last.nextAt]).toEqual(['canceled', 'confirmed', null])
  })
})

describe('progress that falls back', () => {
  const at = (fraction: number, stage = 'infer'): Partial<Observation> => ({ progress: { stage, fraction } })
  it.each([
    ['to its beginning is a restart', at(0.8), at(0.05), 1],
    ['a little is not', at(0.8), at(0.7), 0],
    ['from near its beginning is not', at(0.15), at(0.05), 0],
    ['with a new stage is not', at(0.8), at(0.05, 'save'), 0],
  ])('%s', (_, before, after, restarts) => {
    const life = createLife()
    bring.running(life, 1)
    life.heard('running', before)
    life.heard('running', after)
    expect([life.attempt().restarts, life.record.progress]).toEqual([restarts, after.progress])
  })

  it('gives the run its whole time before a stall again, and is told', () => {
    const life = createLife({ policy: { attempts: 1 } })
    bring.running(life, 1)
    life.heard('running', at(0.8))
    life.at(100_000)
    life.heard('running', at(0.05))
    expect(life.record.decisions.at(-1)).toEqual({
      at: 100_000,
      attempt: 1,
      what: 'restarted',
      why: 'Progress fell from 80 % to 5 %: the worker was preempted and began again.',
    })
    life.at(219_999)
    expect(life.record.status).toBe('processing')
    life.at(220_000)
    expect(life.record.failure?.code).toBe('stalled')
  })
})

describe('a run that was given notice', () => {
  /** Attempt 1 stalled and was told to stop, attempt 2 is sent. */
  function noticed(): Life {
    const life = createLife({ policy: { attempts: 2 }, route: [{}, { name: 'second' }] })
    bring.running(life, 1)
    life.at(life.attempt().changedAt + life.policy.stallMs)
    expect(life.record.attempts.map(({ state, abandoned }) => [state, abandoned?.failure?.code])).toEqual([
      ['running', 'stalled'],
      ['submitting', undefined],
    ])
    return life
  }

  it('wins when it succeeds first, and the attempt after it is stopped', () => {
    const life = noticed()
    life.started(2)
    expect(begunBy(life, () => life.heard('succeeded', {}, 1))).toBe('collect 1')
    expect(begunBy(life, () => life.collected(1))).toBe('cancel 2')
    expect([life.record.status, life.record.output?.key]).toEqual(['succeeded', life.attempt(1).output?.key])
  })

  it('keeps the prediction alive while its output is collected, though no attempt is left', () => {
    const life = noticed()
    life.heard('succeeded', {}, 1)
    life.startRejected(sampleFailure('no_capacity'), 2)
    expect(life.record.status).toBe('processing')
    life.collected(1)
    expect(life.record.status).toBe('succeeded')
  })

  it('has no more time to be collected than any other', () => {
    const life = noticed()
    life.started(2)
    life.heard('succeeded', {}, 1)
    const limit = life.now + life.policy.collectMs
    life.at(limit - 1)
    expect(last(life)).toBe('collecting')
    life.at(limit)
    expect(last(life)).toBe('failed: output_lost')
  })

  it('is not collected after the prediction has ended', () => {
    const life = createLife()
    bring.running(life, 1)
    life.cancel()
    expect(begunBy(life, () => life.heard('succeeded'))).toBe('')
    expect([last(life), life.record.output, life.last.nextAt]).toEqual(['canceled', null, null])
    expect(life.record.decisions.map(({ what }) => what)).not.toContain('late success')
  })

  it('ends as what it was given notice for, whatever the provider calls it', () => {
    const life = noticed()
    life.heard('canceled', {}, 1)
    expect(last(life)).toBe('failed: stalled')
  })
})
