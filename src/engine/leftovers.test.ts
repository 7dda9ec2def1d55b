import { expect, test } from 'vitest'
import type { AttemptState } from '../core/prediction.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createMemoryStore } from '../testing/memory-store.ts'
import { sampleAttempt, sampleChange, samplePrediction } from '../testing/sample-records.ts'
import { textModel } from '../testing/text-model.ts'
import { outputKey } from './collect.ts'
import { dropLeftovers } from './leftovers.ts'

/** A store with one attempt in each of these states, `a-<state>`, and something left of each one's output. */
async function setup(...states: AttemptState[]) {
  const store = createMemoryStore(createSimulatedClock().now)
  const attempts = states.map(state => sampleAttempt({ id: `a-${state}`, state }))
  await store.commit([sampleChange(samplePrediction({ id: 'p1', attempts }))])
  const left = new Set(attempts.map(({ id }) => keyOf('p1', id)))
  const resumable = {
    left: async () => null,
    write: () => Promise.reject(new Error('nothing is written here')),
    drop: async (key: string) => void left.delete(key),
    unfinished: () => ReadableStream.from([...left]),
  }
  return { left, dependencies: { store, files: { resumable } } }
}

function keyOf(predictionId: string, attemptId: string): string {
  return outputKey({ predictionId, attemptId, model: textModel })
}

test('what was left of attempts that have ended goes; what is being collected stays', async () => {
  const { left, dependencies } = await setup('collecting', 'won', 'failed', 'superseded')
  await dropLeftovers(dependencies)
  expect([...left]).toEqual([keyOf('p1', 'a-collecting')])
})

test('what was left of attempts and predictions that nobody knows goes', async () => {
  const { left, dependencies } = await setup('collecting')
  left.add(keyOf('p1', 'another')).add(keyOf('gone', 'a-collecting')).add('strange')
  await dropLeftovers(dependencies)
  expect([...left]).toEqual([keyOf('p1', 'a-collecting')])
})

test('a store that keeps nothing unfinished has nothing left', async () => {
  const { dependencies } = await setup()
  await expect(dropLeftovers({ ...dependencies, files: {} })).resolves.toBeUndefined()
})
