import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeMessage, encodeMessage, type MessageFields } from './protobuf.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))
const inner: MessageFields = { a: [1, 'int'] }
const fields: MessageFields = {
  number: [1, 'int'],
  text: [2, 'string'],
  inner: [3, inner],
  bytes: [4, 'bytes'],
  numbers: [16, 'int', 'repeated'],
  inners: [17, inner, 'repeated'],
  flag: [18, 'bool'],
  short: [19, 'float'],
  long: [20, 'double'],
}
const none = { numbers: [], inners: [] }

// Examples of protobuf.dev/programming-guides/encoding.
test.each([
  ['089601', { number: 150 }],
  ['120774657374696e67', { text: 'testing' }],
  ['1a03089601', { inner: { a: 150 } }],
])('%s is %j, both ways', (text, message) => {
  expect(decodeMessage(fields, hex(text))).toEqual({ ...none, ...message })
  expect(encodeMessage(fields, message)).toEqual(hex(text))
})

test('packed numbers are read like single ones, and fields that nobody knows are skipped', () => {
  expect(decodeMessage(fields, hex('820103018e02'))).toEqual({ ...none, numbers: [1, 270] })
  expect(decodeMessage(inner, hex('120774657374696e67089601'))).toEqual({ a: 150 })
})

test('every message comes back as it was', () => {
  const message = fc.record({
    number: fc.maxSafeInteger(),
    text: fc.string({ unit: 'grapheme' }),
    inner: fc.record({ a: fc.integer() }),
    bytes: fc.uint8Array(),
    numbers: fc.array(fc.integer()),
    inners: fc.array(fc.record({ a: fc.integer() })),
    flag: fc.boolean(),
    short: fc.float(),
    long: fc.double(),
  })
  fc.assert(
    fc.property(message, each => {
      expect(decodeMessage(fields, encodeMessage(fields, each))).toEqual(each)
    }),
  )
})

test('no bytes do more harm than a RangeError', () => {
  fc.assert(
    fc.property(fc.uint8Array(), bytes => {
      try {
        decodeMessage(fields, bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }),
  )
})
