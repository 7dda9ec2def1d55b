import { expect, test } from 'vitest'
import { type FaultName, faultCatalogue, faultsAt } from '../catalogue.ts'
import { account, claim, surefoot } from './test-account.ts'

interface Told {
  readonly fault?: FaultName
  readonly withCancel?: boolean
  /** The container is our kit. Default true. */
  readonly kit?: boolean
}

function tell({ fault, withCancel = false, kit = true }: Told): Promise<string[]> {
  return account({
    ...(fault === undefined ? {} : { fault }),
    async start(call) {
      const body = JSON.stringify({ text: 'hello', ...(kit ? { surefoot } : {}) })
      await call.send('/predictions/a1/input.json', { method: 'PUT', body })
      const headers = { 'x-amzn-sagemaker-inputlocation': 's3://predictions/a1/input.json' }
      return call.send('/endpoints/sharp/async-invocations', { method: 'POST', headers })
    },
    look: async (call, id) => [
      await call.object('GET', kit ? '/predictions/a1/state.json' : `/async-results/out/${id}.out`),
      await call.object('GET', `/async-results/failures/${id}-error.out`),
    ],
    cancel: withCancel ? claim : null,
    output: '/predictions/a1/output',
  })
}

test.each(faultsAt('sagemaker'))('%s can be seen from outside', async fault => {
  const withCancel = fault.startsWith('cancel-')
  expect(await tell({ fault, withCancel })).not.toEqual(await tell({ withCancel }))
})

test("a stranger's container answers where the endpoint says, and nobody sees it work", async () => {
  const lines = await tell({ kit: false })
  expect(lines.filter(line => line.startsWith('POST'))).toEqual([])
  const seen = lines.filter(line => line.startsWith('200 ') && !line.includes('InferenceId'))
  expect(new Set(seen.map(line => line.slice(0, 7)))).toEqual(new Set(['200 ply']))
})

test('every fault of the collection that can happen at SageMaker has a name', () => {
  const named = new Set<number>(faultsAt('sagemaker').flatMap(name => [...faultCatalogue[name].numbers]))
  // Left out: other vendors' own (5 7 8 13 26 27 49), webhooks (54 58), the gateway's side. 6 is `queue-forever`.
  const possible = [1, 2, 3, 4, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 32, 33, 34, 35]
  const after = [37, 41, 42, 43, 45, 47, 48, 50, 53, 56, 59]
  expect([...possible, ...after].filter(number => !named.has(number))).toEqual([])
})
