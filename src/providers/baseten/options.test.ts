import { expect, test } from 'vitest'
import { baseten } from './index.ts'
import { prices } from './prices.ts'

const provider = baseten({ apiKey: 'k' })
const held = baseten({ apiKey: 'k', mode: 'held' })

test.each([
  ['no key', { apiKey: '' }],
  ['a mode that is none', { apiKey: 'k', mode: 'sync' }],
  ['an empty secret', { apiKey: 'k', webhookSecrets: [''] }],
  ['a key over plain http', { apiKey: 'k', baseUrl: 'http://api.baseten.co' }],
  ['an option that is none', { apiKey: 'k', token: 'x' }],
])('%s is refused', (_, options) => {
  expect(() => baseten(options as never)).toThrow(/^baseten\(\): /)
})

test.each([
  ['no model', {}],
  ['a model that would leave its host', { model: 'abc.evil.example/' }],
  ['an environment that would leave its path', { model: 'abcd1234', environment: '../x' }],
  ['an environment beside a deployment', { model: 'abcd1234', environment: 'staging', deployment: 'd1' }],
  ['a priority that is none', { model: 'abcd1234', priority: 3 }],
  ['a queue time under 10 s', { model: 'abcd1234', maxQueueSeconds: 9 }],
  ['hardware without a price', { model: 'abcd1234', hardware: 'rtx' }],
])('a target with %s is refused', (_, target) => {
  expect(() => provider.parseTarget(target)).toThrow(/^baseten target: /)
})

test('what concerns the queue is no field of a held target', () => {
  expect(provider.parseTarget({ model: 'abcd1234', priority: 0, maxQueueSeconds: 10 })).toBeDefined()
  expect(() => held.parseTarget({ model: 'abcd1234', priority: 0 })).toThrow(/priority/)
  expect(() => held.parseTarget({ model: 'abcd1234', maxQueueSeconds: 10 })).toThrow(/maxQueueSeconds/)
})

test('prices are the listed minutes in seconds, dated, unless the target states its own', () => {
  const target = { model: 'abcd1234', hardware: 'h100' }
  expect(provider.pricePerSecond(target)).toBeCloseTo(0.0018055, 7)
  expect(provider.pricesAsOf?.(target)).toBe(prices.checkedOn)
  const own = { ...target, pricePerSecond: 0.001 }
  expect([provider.pricePerSecond(own), provider.pricesAsOf?.(own)]).toEqual([0.001, null])
  expect(provider.pricePerSecond({ model: 'abcd1234' })).toBeNull()
})

test('a held connection is the job, and there is nothing to ask, to hear or to cancel', () => {
  expect(held.limits.heldStart).toBe(true)
  expect([held.poll, held.hear, held.cancel, held.find, held.health].every(verb => verb === undefined)).toBe(true)
  expect(provider.limits.heldStart).toBe(false)
})

test('in the queue the only way back leads to us', () => {
  expect(provider.limits.outputForms).toEqual(['stored'])
  expect(held.limits.outputForms).toContain('data')
})
