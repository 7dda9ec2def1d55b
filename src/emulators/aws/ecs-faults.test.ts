import { expect, test } from 'vitest'
import { type FaultName, faultCatalogue, faultsAt } from '../catalogue.ts'
import { account, surefoot } from './test-account.ts'

// A task can be stopped: nothing is claimed.
const { claim: _, ...parts } = surefoot
const environment = [{ name: 'SUREFOOT_INPUT', value: JSON.stringify({ text: 'hello', surefoot: parts }) }]
const start = {
  ...{ cluster: 'gpu', taskDefinition: 'sharp:3', clientToken: 'a1', startedBy: 'a1' },
  overrides: { containerOverrides: [{ name: 'main', environment }] },
}

function tell({ fault, withCancel = false }: { fault?: FaultName; withCancel?: boolean }): Promise<string[]> {
  return account({
    ...(fault === undefined ? {} : { fault }),
    start: call => call.json('RunTask', start),
    look: async (call, id) => [
      await call.json('DescribeTasks', { cluster: 'gpu', tasks: [id] }),
      await call.object('GET', '/predictions/a1/state.json'),
    ],
    cancel: withCancel ? (call, id) => call.json('StopTask', { cluster: 'gpu', task: id }) : null,
    output: '/predictions/a1/output',
  })
}

test.each(faultsAt('ecs'))('%s can be seen from outside', async fault => {
  const withCancel = fault.startsWith('cancel-')
  expect(await tell({ fault, withCancel })).not.toEqual(await tell({ withCancel }))
})

test('a task without faults is one clean story: hello, reports, output', async () => {
  const lines = await tell({})
  expect(lines.filter(line => line.startsWith('POST'))).toEqual([
    expect.stringMatching(/^POST \/hello \{"surefoot":"hello"/),
  ])
  const words = lines.flatMap(line => /"lastStatus":"(\w+)","desiredStatus"/.exec(line)?.[1] ?? [])
  expect([...new Set(words)]).toEqual(['PROVISIONING', 'PENDING', 'RUNNING', 'DEPROVISIONING', 'STOPPED'])
  expect(lines.at(-1)).toMatch(/^download 200 \d+ \w{64} after 0 ms$/)
})

test('every fault of the collection that can happen at ECS has a name', () => {
  const named = new Set<number>(faultsAt('ecs').flatMap(name => [...faultCatalogue[name].numbers]))
  // Left out: other vendors' own (5-7 13 26 27 49), webhooks (54-58 but the hello), the gateway's side (36 38 39 44 52 60).
  const possible = [1, 2, 3, 4, 8, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 32, 33, 34, 35]
  const after = [37, 41, 42, 43, 45, 47, 48, 50, 53, 56, 59]
  expect([...possible, ...after].filter(number => !named.has(number))).toEqual([])
})
