import { expect, test } from 'vitest'
import { replicate } from './index.ts'
import { parseTarget } from './options.ts'

const hex = 'a'.repeat(64)

test.each([
  [{ version: hex }],
  [{ version: `owner/name:${hex}` }],
  [{ model: 'owner/name', hardware: 'gpu-l40s' }],
  [{ deployment: 'owner/name', pricePerSecond: 0.001, inputs: { image: 'photo' }, kit: true }],
])('takes the target %j as it is', target => {
  expect(parseTarget(target)).toEqual(target)
})

test.each([
  [null, 'exactly one of'],
  [{}, 'exactly one of'],
  [{ model: 'owner/name', version: hex }, 'exactly one of'],
  [{ version: 'latest' }, 'version: must be 64 hex digits'],
  [{ model: 'name' }, 'model: must look like owner/name'],
  [{ model: 'owner/name', hardwear: 'cpu' }, 'Unrecognized key: "hardwear"'],
  [{ model: 'owner/name', hardware: 'gpu-b200' }, 'no price is known for hardware "gpu-b200"'],
  [{ model: 'owner/name', pricePerSecond: -1 }, 'pricePerSecond: '],
])('refuses the target %j and says why', (target, words) => {
  expect(() => parseTarget(target)).toThrow(words)
})

test.each([
  [{ token: '' }, 'token: must not be empty'],
  [{ token: 't', baseUrl: 'http://replicate.example/v1' }, 'baseUrl: must be https'],
  [{ token: 't', baseUrl: '127.0.0.1/v1' }, 'baseUrl: Invalid URL'],
  [{ token: 't', baseURL: 'https://replicate.example' }, 'Unrecognized key: "baseURL"'],
])('refuses the options %j and says why', (options, words) => {
  expect(() => replicate(options)).toThrow(words)
})

test('only a place that is not the vendor is trusted for private addresses', () => {
  expect(replicate({ token: 't' }).trustedOrigins).toEqual([])
  expect(replicate({ token: 't', baseUrl: 'http://127.0.0.1:9001/v1/' }).trustedOrigins).toEqual([
    'http://127.0.0.1:9001',
  ])
})

test('a second costs what the target says, else what its hardware costs, else nobody knows', () => {
  const price = (target: object) => replicate({ token: 't' }).pricePerSecond(parseTarget({ model: 'o/n', ...target }))
  expect([price({ pricePerSecond: 0.5, hardware: 'cpu' }), price({ hardware: 'gpu-t4' }), price({})]).toEqual([
    0.5,
    0.000225,
    null,
  ])
})

test('a price has the date of the price list, unless the target states it itself', () => {
  const dateOf = (target: object) => replicate({ token: 't' }).pricesAsOf?.(parseTarget({ model: 'o/n', ...target }))
  expect([dateOf({ hardware: 'gpu-t4' }), dateOf({ pricePerSecond: 0.5, hardware: 'cpu' }), dateOf({})]).toEqual([
    '2026-03-09',
    null,
    null,
  ])
})
