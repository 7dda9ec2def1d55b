import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))

// Examples of RFC 8949, appendix A.
test.each<[string, CborValue]>([
  ['00', 0],
  ['1818', 24],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['20', -1],
  ['3903e7', -1000],
  ['fb3ff199999999999a', 1.1],
  ['f5', true],
  ['f6', null],
  ['6161', 'a'],
  ['62c3bc', 'ü'],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['83010203', [1, 2, 3]],
  ['a26161016162820203', { a: 1, b: [2, 3] }],
])('%s is %j, both ways', (text, value) => {
  expect(decodeCbor(hex(text))).toEqual(value)
  expect(encodeCbor(value)).toEqual(hex(text))
})

test.each<[string, CborValue]>([
  ['f93c00', 1],
  ['f97bff', 65_504],
  ['f9c400', -4],
  ['f90001', 2 ** -24],
  ['f97c00', Number.POSITIVE_INFINITY],
  ['fa47c35000', 100_000],
  ['f7', null],
  ['5f42010243030405ff', Uint8Array.of(1, 2, 3, 4, 5)],
  ['7f657374726561646d696e67ff', 'streaming'],
  ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
  ['bf61610161629f0203ffff', { a: 1, b: [2, 3] }],
  ['c074323031332d30332d32315432303a30343a30305a', '2013-03-21T20:04:00Z'],
  ['a201020304', { 1: 2, 3: 4 }],
])('what others write is read: %s is %j', (text, value) => {
  expect(decodeCbor(hex(text))).toEqual(value)
})

test.each(['', '18', '62c3', '9f01', '1c', 'ff', 'f8ff', '5f00ff', '5bffffffffffffffff', '81'.repeat(100)])(
  'the bytes "%s" are refused',
  text => {
    expect(() => decodeCbor(hex(text))).toThrow(RangeError)
  },
)

test('keys without a value are left out', () => {
  expect(decodeCbor(encodeCbor({ a: 1, b: undefined }))).toEqual({ a: 1 })
})

const value = fc.letrec<{ value: CborValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.double(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
  ),
})).value

test('every value comes back as it was', () => {
  fc.assert(
    fc.property(value, each => {
      expect(decodeCbor(encodeCbor(each))).toEqual(each)
    }),
  )
})

test('no bytes do more harm than a RangeError', () => {
  fc.assert(
    fc.property(fc.uint8Array(), bytes => {
      try {
        decodeCbor(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }),
  )
})
