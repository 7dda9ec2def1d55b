import { expect, test } from 'vitest'
import { progressOf } from './progress-bar.ts'

test.each([
  ['', null],
  ['loading weights\n', null],
  [' 45%|████▌     | 45/100 [00:03<00:04, 12.1it/s]', { stage: null, fraction: 0.45 }],
  ['Sampling:  76%|███████   | 7568/10000 [00:33<00:10]\nsaving', { stage: 'Sampling', fraction: 0.7568 }],
  [' 10%|█ | 1/10\r 20%|██ | 2/10\r', { stage: null, fraction: 0.2 }],
  ['weights:  50%|█████     | 1.2G/2.4G [00:10<00:10]', { stage: 'weights', fraction: 0.5 }],
  ['120%|██████| 12/10', { stage: null, fraction: 1 }],
  [`  5%|▌ | 5/100\n${'noise\n'.repeat(1000)}`, { stage: null, fraction: 0.05 }],
])('reads progress from %j', (logs, progress) => {
  expect(progressOf(logs)).toEqual(progress)
})

test('a log without an end takes no time to search', () => {
  expect(progressOf(`${'a: '.repeat(3_000_000)}`)).toBeNull()
})
