import { expect, test } from 'vitest'
import { cog } from './index.ts'
import { parseTarget } from './options.ts'

test.each([[{}], [{ pricePerSecond: 0.001, inputs: { image: 'photo' }, kit: true }]])(
  'takes the target %j as it is',
  target => {
    expect(parseTarget(target)).toEqual(target)
  },
)

test.each([
  [null, 'cog target: '],
  [{ hardware: 'l4' }, 'Unrecognized key: "hardware"'],
  [{ pricePerSecond: -1 }, 'pricePerSecond: '],
])('refuses the target %j and says why', (target, words) => {
  expect(() => parseTarget(target)).toThrow(words)
})

test.each([['http://10.0.0.5:5000'], ['http://cog:5000/'], ['https://gpu.example/model-1']])(
  'takes the address %s, because without a secret plain http is as good',
  baseUrl => {
    expect(cog({ baseUrl }).kind).toBe('cog')
  },
)

test.each([
  [{ baseUrl: '10.0.0.5:5000' }, 'baseUrl: Invalid URL'],
  [{ baseUrl: 'ftp://10.0.0.5' }, 'baseUrl: Invalid URL'],
  [{ baseUrl: 'http://10.0.0.5:5000', authorization: 'Bearer x' }, 'baseUrl: must be https'],
  [{ baseUrl: 'https://x.example', authorization: '' }, 'authorization: must not be empty'],
  [{ baseUrl: 'https://x.example', kitSecret: 'fifteen letters' }, 'kitSecret: must have 16'],
  [{ baseUrl: 'https://x.example', mode: 'sync' }, 'mode: '],
  [{ baseUrl: 'https://x.example', token: 't' }, 'Unrecognized key: "token"'],
])('refuses the options %j and says why', (options, words) => {
  expect(() => cog(options as Parameters<typeof cog>[0])).toThrow(words)
})

test('outputs may come from the server and from where its uploads go, although these are private', () => {
  expect(
    cog({ baseUrl: 'http://10.0.0.5:5000/x', outputOrigins: ['http://10.0.0.6:9000/bucket'] }).trustedOrigins,
  ).toEqual(['http://10.0.0.5:5000', 'http://10.0.0.6:9000'])
})

test('a held request is the run itself: there is nothing to ask, to hear or to cancel', () => {
  const baseUrl = 'http://x.test'
  const [told, held] = [cog({ baseUrl }), cog({ baseUrl, mode: 'held' })]
  expect([told.limits.heldStart, held.limits.heldStart]).toEqual([false, true])
  expect([held.poll, held.hear, held.cancel].every(verb => verb === undefined)).toBe(true)
  expect([told.poll, told.hear, told.cancel].some(verb => verb === undefined)).toBe(false)
  expect([told.find, held.find]).toEqual([undefined, undefined])
})

test('a second costs what the target says, else nobody knows, and no price list is behind it', () => {
  const provider = cog({ baseUrl: 'http://x.test' })
  expect([provider.pricePerSecond({ pricePerSecond: 0.5 }), provider.pricePerSecond({})]).toEqual([0.5, null])
  expect(provider.pricesAsOf).toBeUndefined()
})
