import { expect, test } from 'vitest'
import { type FaultName, faultCatalogue, faultsAt } from '../catalogue.ts'
import { account, claim, surefoot } from './test-account.ts'

function tell({ fault, withCancel = false }: { fault?: FaultName; withCancel?: boolean }): Promise<string[]> {
  return account({
    ...(fault === undefined ? {} : { fault }),
    start: call =>
      call.send('/2015-03-31/functions/relief/invocations', {
        method: 'POST',
        headers: { 'x-amz-invocation-type': 'Event' },
        body: JSON.stringify({ text: 'hello', surefoot }),
      }),
    look: async call => [await call.object('GET', '/predictions/a1/state.json')],
    cancel: withCancel ? claim : null,
    output: '/predictions/a1/output',
  })
}

test.each(faultsAt('lambda'))('%s can be seen from outside', async fault => {
  const withCancel = fault.startsWith('cancel-')
  expect(await tell({ fault, withCancel })).not.toEqual(await tell({ withCancel }))
})

test('an event without faults is one clean story: hello, reports, output', async () => {
  const lines = await tell({})
  expect(lines.filter(line => line.startsWith('POST'))).toEqual([
    expect.stringMatching(/^POST \/hello \{"surefoot":"hello"/),
  ])
  const words = lines.flatMap(line => /^200 \{"state":"(\w+)"/.exec(line)?.[1] ?? [])
  expect([...new Set(words)]).toEqual(['running', 'done'])
  expect(lines.at(-1)).toMatch(/^download 200 \d+ \w{64} after 0 ms$/)
})

test('every fault of the collection that can happen at Lambda has a name', () => {
  const named = new Set<number>(faultsAt('lambda').flatMap(name => [...faultCatalogue[name].numbers]))
  // Left out: other vendors' own (5-8 13 26 27 49), what needs a status (37), webhooks (54 58), the gateway's side.
  const possible = [1, 2, 3, 4, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 28, 29, 30, 32, 33, 34, 35]
  const after = [41, 42, 43, 45, 47, 48, 50, 53, 56, 59]
  expect([...possible, ...after].filter(number => !named.has(number))).toEqual([])
})
