import { expect, test } from 'vitest'
import { judgeWorkers } from './warm.ts'

test.each([
  ['a worker that runs', { running: 1, idle: 0 }, 'ready'],
  ['workers that are idle, and may be asleep', { idle: 2, ready: 2, running: 0 }, 'cold'],
  ['a worker that starts without a job', { initializing: 1 }, 'cold'],
  ['no worker', {}, 'cold'],
  ['a number that is none', { running: 'many' }, 'cold'],
])('%s', (_, workers, state) => {
  expect(judgeWorkers({ workers })).toMatchObject({ state, message: expect.stringMatching(/^RunPod: /) })
})
