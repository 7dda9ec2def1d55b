import { expect, test } from 'vitest'
import { judgeContainers } from './warm.ts'

test.each([
  ['a container, and nothing waits', { numTotalTasks: 1, backlog: 0 }, 'ready'],
  ['calls that wait for a container', { numTotalTasks: 1, backlog: 2 }, 'waking'],
  ['no container', { numTotalTasks: 0, backlog: 0 }, 'cold'],
  ['statistics that say nothing', {}, 'cold'],
])('%s', (_, stats, state) => {
  expect(judgeContainers(stats)).toMatchObject({ state, message: expect.stringMatching(/^Modal: /) })
})
