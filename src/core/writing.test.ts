import { expect, it } from 'vitest'
import type { PredictionRecord } from './prediction.ts'
import { createLife, type Life, type LifeOptions, sampleFailure } from './test-support.ts'
import { worthWriting } from './writing.ts'

function running(options: LifeOptions = {}): Life {
  const life = createLife(options)
  life.started()
  life.observed('running', { progress: { stage: 'infer', fraction: 0.2 } })
  return life
}

/** What the last event was worth, against the record before it. */
function worth(life: Life, happens: () => void): 'now' | 'later' | 'never' {
  const before = life.record
  happens()
  return worthWriting(before, life.record)
}

it('a poll that is asked, answered the same, or not answered at all is never written', () => {
  const life = running()
  const same = { progress: { stage: 'infer', fraction: 0.2 } }
  expect([
    worth(life, () => life.at(1_000)),
    worth(life, () => life.observed('running', same)),
    worth(life, () => life.at(2_000)),
    worth(life, () => life.pollFailed()),
    worth(life, () => life.heard('running', same)),
  ]).toEqual(['never', 'never', 'never', 'never', 'never'])
})

it('a search for a lost start is never written', () => {
  const life = createLife()
  life.startUnknown()
  expect([worth(life, () => life.found([])), worth(life, () => life.at(5_000))]).toEqual(['never', 'never'])
})

it('progress, words, log and running cost are written later', () => {
  const life = running()
  expect([
    worth(life, () => life.heard('running', { progress: { stage: 'infer', fraction: 0.3 } })),
    worth(life, () => life.heard('running', { word: 'busy' })),
    worth(life, () => life.heard('running', { word: 'busy', logLength: 10 })),
    worth(life, () => life.heard('running', { word: 'busy' }, 1, { amount: 0.01, currency: 'USD', estimated: true })),
  ]).toEqual(['later', 'later', 'later', 'later'])
})

it('states, starts, handles, outputs, cancels and decisions are written now', () => {
  const life = createLife()
  expect([
    worth(life, () => life.started()),
    worth(life, () => life.heard('booting')),
    worth(life, () => life.heard('running', { progress: { stage: null, fraction: 0.5 } })),
    worth(life, () => life.heard('running', { progress: { stage: null, fraction: 0 } })),
    worth(life, () => life.heard('succeeded')),
    worth(life, () => life.collectFailed(sampleFailure('provider_error'))),
    worth(life, () => life.cancel()),
  ]).toEqual(['now', 'now', 'now', 'now', 'now', 'now', 'now'])
})

it('the intent to start is written now', () => {
  const life = createLife({ route: [{ free: 0 }] })
  expect(
    worth(life, () => {
      life.change({}, { first: { free: 1 } })
      life.at(1_000)
    }),
  ).toBe('now')
  expect(life.attempt().state).toBe('submitting')
})

it('a webhook of the user is written when it is queued, sent, refused and delivered', () => {
  const life = createLife({ webhook: ['completed'] })
  expect([
    worth(life, () => life.cancel()),
    worth(life, () => life.notified(false)),
    worth(life, () => life.at(5_000)),
    worth(life, () => life.notified(true)),
  ]).toEqual(['now', 'now', 'now', 'now'])
})

it('the names of our own fields mean nothing inside of what users and providers gave us', () => {
  const before = running().record
  const over = (input: PredictionRecord['input']) => ({ ...before, input })
  expect([
    worthWriting(over({ pending: true }), over({ pending: true })),
    worthWriting(over({ progress: 1 }), over({ progress: 2 })),
    worthWriting(over({ nextPollAt: 1 }), over({ nextPollAt: 2 })),
  ]).toEqual(['never', 'now', 'now'])
})
