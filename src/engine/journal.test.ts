import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFailure } from '../core/failure.ts'
import type { Attempt, Notification, PredictionRecord } from '../core/prediction.ts'
import { warmUpId } from '../core/warm-up.ts'
import { sampleAttempt, samplePrediction } from '../testing/sample-records.ts'
import { entriesOf, type JournalEntry, toLine } from './journal.ts'

const stalled = createFailure('stalled', 'Nothing moved.')
const planned = sampleAttempt({ id: 'a1', state: 'planned', submittedAt: null, release: 'none' })
const sent: Attempt = { ...planned, state: 'submitting', submittedAt: 1_000, release: 'open' }
const running: Attempt = { ...sent, state: 'running', bootingAt: 2_000, runningAt: 5_000 }
const won: Attempt = {
  ...running,
  state: 'won',
  collectingAt: 9_000,
  endedAt: 9_500,
  release: 'confirmed',
  cost: { amount: 0.25, currency: 'USD', estimated: false },
}

function record(attempts: readonly Attempt[], over: Partial<PredictionRecord> = {}): PredictionRecord {
  return samplePrediction({ id: 'p1', attempts, ...over })
}

/** What is noted when the attempts change so, without what every entry has. */
function noted(before: readonly Attempt[], after: readonly Attempt[]): unknown[] {
  return entriesOf(record(before), record(after)).map(bare)
}

function bare({ prediction: _, model: __, purpose: ___, ...entry }: JournalEntry): unknown {
  if (!('attempt' in entry)) return entry
  const { attempt: ____, number: _____, deployment: ______, ...rest } = entry
  return rest
}

describe('a change of a record', () => {
  it('that is none notes nothing', () => {
    const same = record([running])
    expect([entriesOf(same, same), entriesOf(same, structuredClone(same)), noted([won], [won])]).toEqual([[], [], []])
  })

  it('notes an attempt that is planned, and one that is sent', () => {
    expect(noted([], [planned])).toEqual([{ type: 'attemptPlanned', after: null }])
    expect(noted([planned], [sent])).toEqual([{ type: 'attemptSent' }])
    const second = { ...planned, id: 'a2', number: 2, deployment: 'relief@other' }
    expect(noted([won], [won, second])).toEqual([{ type: 'attemptPlanned', after: 'relief@local' }])
  })

  it('notes a start whose answer was lost once, and no run that was left on purpose', () => {
    const lost = { ...sent, state: 'unknown', unknownSince: 4_000 } as const
    const left = { ...lost, abandoned: { at: 4_000, as: 'canceled', failure: null } } as const
    expect(noted([sent], [lost])).toEqual([{ type: 'startLost' }])
    expect([noted([lost], [{ ...lost, nextFindAt: 9 }]), noted([sent], [left])]).toEqual([[], []])
  })

  it('notes a failure when notice is given, and the end when it comes', () => {
    const noticed: Attempt = { ...running, abandoned: { at: 7_000, as: 'failed', failure: stalled } }
    const ended: Attempt = { ...noticed, state: 'failed', failure: stalled, endedAt: 8_000, release: 'given_up' }
    expect(noted([running], [noticed])).toEqual([{ type: 'attemptFailed', failure: stalled }])
    const stages = { queue: null, boot: null, run: null, collect: null }
    expect(noted([noticed], [ended])).toEqual([
      { type: 'attemptEnded', ended: { state: 'failed', failure: 'stalled', totalMs: 7_000, stages } },
      { type: 'runUnconfirmed' },
    ])
  })

  it('notes the times of an attempt that won, and money once it has ended, later additions too', () => {
    const costing: Attempt = { ...running, cost: { amount: 0.9, currency: 'USD', estimated: true } }
    const dearer: Attempt = { ...won, cost: { amount: 0.75, currency: 'USD', estimated: false } }
    const stages = { queue: 1_000, boot: 3_000, run: 4_000, collect: 500 }
    expect(noted([running], [costing])).toEqual([])
    expect(noted([costing], [won])).toEqual([
      { type: 'attemptEnded', ended: { state: 'won', failure: null, totalMs: 8_500, stages } },
      { type: 'attemptCharged', amount: 0.25 },
    ])
    expect([noted([won], [dearer]), noted([dearer], [won])]).toEqual([[{ type: 'attemptCharged', amount: 0.5 }], []])
  })

  it('notes the end of a prediction with what it took, and for whom it was', () => {
    const over = { status: 'failed', failure: stalled, completedAt: 4_000 } as const
    const ended = { status: 'failed', failure: 'stalled', totalMs: 3_000, attempts: 1, cost: 0.25 }
    const entry = { prediction: 'p1', model: 'surefoot/relief', type: 'predictionEnded', ended }
    expect(entriesOf(record([won]), record([won], over))).toEqual([{ ...entry, purpose: 'caller' }])
    expect(entriesOf(record([won], over), record([won], { ...over, settledAt: 5_000 }))).toEqual([])
    const purposeOf = (more: Partial<PredictionRecord>) =>
      entriesOf(record([], more), record([], { ...over, ...more })).map(({ purpose }) => purpose)
    expect([purposeOf({ shadowOf: 'p0' }), purposeOf({ id: warmUpId('x') })]).toEqual([['shadow'], ['warm-up']])
  })

  it('notes a webhook that is given up, whatever left the queue before it', () => {
    const entry = (id: string, state: Notification['state']): Notification => ({
      id,
      event: 'completed',
      at: 1_000,
      tries: 8,
      nextAt: 1_000,
      pending: null,
      state,
    })
    const webhook = (...queue: Notification[]) => ({ webhook: { url: 'https://a.example', events: [], queue } })
    const before = record([], webhook(entry('n0', 'delivered'), entry('n1', 'dead'), entry('n2', 'waiting')))
    const after = record([], webhook(entry('n1', 'dead'), entry('n2', 'dead')))
    expect(entriesOf(before, after).map(bare)).toEqual([{ type: 'webhookDied', event: 'completed', tries: 8 }])
  })
})

describe('a line of the log', () => {
  it('says what happened, with ids and the code', () => {
    const failed: Attempt = { ...running, state: 'failed', failure: stalled, endedAt: 8_000, release: 'confirmed' }
    const second = { ...planned, id: 'a2', number: 2, deployment: 'relief@other' }
    const before = record([running])
    const over = { status: 'failed', failure: stalled, completedAt: 9_000 } as const
    const lines = entriesOf(before, record([failed, second], over)).map(toLine)
    expect(lines.filter(line => line !== null)).toEqual([
      {
        level: 'warn',
        message: 'An attempt failed.',
        fields: {
          prediction: 'p1',
          attempt: 'a1',
          number: 1,
          deployment: 'relief@local',
          code: 'stalled',
          fault: 'provider',
        },
      },
      {
        level: 'info',
        message: 'A prediction goes to another deployment.',
        fields: { prediction: 'p1', attempt: 'a2', number: 2, deployment: 'relief@other', from: 'relief@local' },
      },
      {
        level: 'warn',
        message: 'A prediction ended.',
        fields: {
          prediction: 'p1',
          model: 'surefoot/relief',
          status: 'failed',
          code: 'stalled',
          ms: 8_000,
          attempts: 2,
          cost: 0,
        },
      },
    ])
  })

  it('holds nothing of inputs, words, addresses, handles or owners', () => {
    const secret = fc.stringMatching(/^s3cret[a-z]{8}$/)
    fc.assert(
      fc.property(secret, word => {
        const failure = createFailure('model_error', `It said ${word}.`, { advice: word })
        const over = { owner: word, input: { [word]: word }, webhook: null, fingerprint: word }
        const loud: Attempt = {
          ...running,
          handle: { word },
          word,
          health: word,
          progress: { stage: word, fraction: 0.5 },
          outputs: [{ kind: 'url', url: `https://a.example/${word}` }],
        }
        const failed: Attempt = { ...loud, state: 'failed', failure, endedAt: 8_000, release: 'given_up' }
        const lost: Attempt = { ...loud, id: 'a2', state: 'unknown', unknownSince: 4_000 }
        const before = record([], over)
        const after = record([failed, lost], { ...over, status: 'failed', failure, completedAt: 9_000 })
        const lines = entriesOf(before, after).map(toLine)
        expect(lines.filter(line => line !== null).length).toBeGreaterThan(3)
        expect(JSON.stringify(lines)).not.toContain(word)
      }),
    )
  })
})
