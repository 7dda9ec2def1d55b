import { expect, test } from 'vitest'
import { runpod } from './index.ts'
import { parseTarget } from './options.ts'

test.each([
  [{ endpoint: 'abc123def456' }],
  [{ endpoint: 'abc123', hardware: 'h100', kit: true }],
  [{ endpoint: 'abc123', pricePerSecond: 0.001, inputs: { image: 'photo' }, executionTimeoutMs: 5000 }],
])('takes the target %j as it is', target => {
  expect(parseTarget(target)).toEqual(target)
})

test.each([
  [null, 'runpod target: '],
  [{}, 'endpoint: '],
  [{ endpoint: 'https://api.runpod.ai/v2/abc' }, "endpoint: must be an endpoint's id"],
  [{ endpoint: 'abc', hardwear: 'h100' }, 'Unrecognized key: "hardwear"'],
  [{ endpoint: 'abc', hardware: 'toString' }, 'no price is known for hardware "toString"'],
  [{ endpoint: 'abc', executionTimeoutMs: 4999 }, 'executionTimeoutMs: '],
  [{ endpoint: 'abc', pricePerSecond: -1 }, 'pricePerSecond: '],
])('refuses the target %j and says why', (target, words) => {
  expect(() => parseTarget(target)).toThrow(words)
})

test.each([
  [{ apiKey: '' }, 'apiKey: must not be empty'],
  [{ apiKey: 'k', baseUrl: 'http://runpod.example/v2' }, 'baseUrl: must be https'],
  [{ apiKey: 'k', baseUrl: '127.0.0.1/v2' }, 'baseUrl: Invalid URL'],
  [{ apiKey: 'k', baseURL: 'https://runpod.example' }, 'Unrecognized key: "baseURL"'],
])('refuses the options %j and says why', (options, words) => {
  expect(() => runpod(options)).toThrow(words)
})

test('only a place that is not the vendor is trusted for private addresses', () => {
  expect(runpod({ apiKey: 'k' }).trustedOrigins).toEqual([])
  expect(runpod({ apiKey: 'k', baseUrl: 'http://127.0.0.1:9001/v2/' }).trustedOrigins).toEqual([
    'http://127.0.0.1:9001',
  ])
})

test('a second costs what the target says, else what its hardware costs, else nobody knows', () => {
  const price = (target: object) => runpod({ apiKey: 'k' }).pricePerSecond(parseTarget({ endpoint: 'e', ...target }))
  expect([price({ pricePerSecond: 0.5, hardware: 'h100' }), price({ hardware: '16gb' }), price({})]).toEqual([
    0.5,
    0.00016,
    null,
  ])
})

test('a price has the date of the price list, unless the target states it itself', () => {
  const dateOf = (target: object) => runpod({ apiKey: 'k' }).pricesAsOf?.(parseTarget({ endpoint: 'e', ...target }))
  expect([dateOf({ hardware: 'h100' }), dateOf({ pricePerSecond: 0.5, hardware: '16gb' }), dateOf({})]).toEqual([
    '2026-06-08',
    null,
    null,
  ])
})
