import { expect, test } from 'vitest'
import { modal } from './index.ts'
import { grpcError, type Script, setup } from './test-support.ts'

const target = { app: 'sharp', function: 'predict', hardware: 'l40s' }

test('a cancel asks once, and what comes of it a poll tells', async () => {
  const { provider, io, sent } = setup({ FunctionCallCancel: {} })
  expect(await provider.cancel?.({ call: 'fc-1' }, io)).toBe('requested')
  expect(await provider.cancel?.({ call: 'fc-1', terminateContainers: true }, io)).toBe('requested')
  expect(sent.map(({ request }) => request)).toMatchObject([
    { functionCallId: 'fc-1', terminateContainers: false },
    { functionCallId: 'fc-1', terminateContainers: true },
  ])
})

test('a cancel of a call that Modal does not know leaves it to a poll; one that failed was not asked', async () => {
  const unknown = setup({ FunctionCallCancel: grpcError(5, 'not found') })
  expect(await unknown.provider.cancel?.({ call: 'fc-1' }, unknown.io)).toBe('requested')
  const lost = setup({ FunctionCallCancel: grpcError(14, 'try later') })
  const answer = lost.provider.cancel?.({ call: 'fc-1' }, lost.io)
  await expect(answer).rejects.toMatchObject({ failure: { code: 'provider_error' } })
})

const stats = (numbers: object): Script => ({ FunctionGet: { functionId: 'fu-1' }, FunctionGetCurrentStats: numbers })

test.each([
  [{ backlog: 0, numTotalTasks: 0 }, 'ok', 'no input waits'],
  [{ backlog: 2, numTotalTasks: 1 }, 'queueing', 'a container to become free'],
  [{ backlog: 2, numTotalTasks: 0 }, 'queueing', "see the app's logs"],
  [{}, 'unknown', 'too little'],
])('statistics %j are %s', async (numbers, state, words) => {
  const { provider, io } = setup(stats(numbers))
  const health = await provider.health?.(provider.parseTarget(target), io)
  expect(health).toMatchObject({ state, message: expect.stringContaining(words) })
})

test('the health of a function that is not there says so', async () => {
  const { provider, io } = setup({ FunctionGet: grpcError(5, 'Function not found') })
  const health = provider.health?.(provider.parseTarget(target), io)
  await expect(health).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})

test('a cost is an estimate from the last try of the input: GPU, cores and memory', () => {
  const { provider } = setup({})
  const seen = { status: 'succeeded', word: 'SUCCESS', metrics: { runMs: 10_000 } } as const
  const cost = (more: object) => provider.cost(seen, provider.parseTarget({ ...target, ...more }))
  expect(cost({})).toEqual({ amount: expect.closeTo(0.00542, 8), currency: 'USD', estimated: true })
  expect(cost({ cores: 2, memoryGib: 16 })?.amount).toBeCloseTo(10 * (0.000542 + 2 * 0.0000131 + 16 * 0.00000222), 8)
  expect(cost({ pricePerSecond: 0.001, cores: 2 })?.amount).toBeCloseTo(0.01, 8)
  expect(provider.cost({ status: 'running', word: 'STARTED' }, target)).toBeNull()
})

test('a price has the date of the price list, unless the target states it itself', () => {
  const { provider } = setup({})
  const dateOf = (more: object) => provider.pricesAsOf?.({ app: 'a', function: 'f', ...more })
  expect([dateOf({ hardware: 'h100' }), dateOf({ pricePerSecond: 0.5 }), dateOf({})]).toEqual([
    '2026-08-19',
    null,
    null,
  ])
})

test.each([
  [{ app: 'a', function: 'f' }],
  [{ app: 'my-app', function: 'Model.predict', environment: 'main', arguments: 'dict', files: 'bytes', kit: true }],
  [{ app: 'a', function: 'f', hardware: 'h100', cores: 2, memoryGib: 16, terminateContainers: true }],
])('takes the target %j as it is', parsed => {
  expect(setup({}).provider.parseTarget(parsed)).toEqual(parsed)
})

test.each([
  [null, 'modal target: '],
  [{ app: 'a' }, 'function: '],
  [{ app: 'a', function: 'a.b.c' }, 'function: must be "function" or "Class.method"'],
  [{ app: 'a/b', function: 'f' }, 'app: must be a name'],
  [{ app: 'a', function: 'f', hardware: 'rtx' }, 'no price is known for hardware "rtx"'],
  [{ app: 'a', function: 'f', url: 'https://x.test' }, 'Unrecognized key: "url"'],
])('refuses the target %j and says why', (wrong, words) => {
  expect(() => setup({}).provider.parseTarget(wrong)).toThrow(words)
})

test.each([
  [{ tokenId: '', tokenSecret: 's' }, 'tokenId: must not be empty'],
  [{ tokenId: 'i', tokenSecret: 's', baseUrl: 'http://modal.example' }, 'baseUrl: must be https'],
  [{ tokenId: 'i', tokenSecret: 's', token: 'x' }, 'Unrecognized key: "token"'],
  [{ mode: 'web', proxyKey: 'wk-1' }, 'proxySecret: is needed together'],
  [{ mode: 'web', tokenId: 'i' }, 'Unrecognized key: "tokenId"'],
] as const)('refuses the options %j and says why', (wrong, words) => {
  expect(() => modal(wrong as Parameters<typeof modal>[0])).toThrow(words)
})

test('only a place that is not the vendor is trusted for private addresses', () => {
  expect(setup({}).provider.trustedOrigins).toEqual([])
  const elsewhere = setup({}, undefined, { baseUrl: 'http://127.0.0.1:9001' })
  expect(elsewhere.provider.trustedOrigins).toEqual(['http://127.0.0.1:9001'])
  expect(modal({ mode: 'web' }).trustedOrigins).toEqual([])
  expect(modal({ mode: 'web', baseUrl: 'http://127.0.0.1:9001' }).trustedOrigins).toEqual(['http://127.0.0.1:9001'])
})
