import { expect, test } from 'vitest'
import { formatBytes, formatCost, formatDuration, formatOutput, formatProgress, formatTable } from './format.ts'

test.each([
  [999, '999 bytes'],
  [17_499, '17 kB'],
  [17_334_213, '17.3 MB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

test.each([
  [940, '0.9 s'],
  [75_400, '75 s'],
  [725_000, '12 min 5 s'],
])('%d ms are %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text))

test('an output has its count where verification counted', () => {
  expect(formatOutput({ bytes: 17_334_213, facts: { count: 309_524 } })).toBe('309,524 splats, 17.3 MB')
  expect(formatOutput({ bytes: 920, facts: { count: 1 } })).toBe('1 splat, 920 bytes')
  expect(formatOutput({ bytes: 12, facts: {} })).toBe('12 bytes')
})

test('a cost says whether it is an estimate', () => {
  expect(formatCost({ amount: 0.03125, currency: 'USD', estimated: true })).toBe('0.0313 USD, estimated')
  expect(formatCost({ amount: 0, currency: 'USD', estimated: false })).toBe('0 USD')
})

test('progress is never shown as more than it is', () => {
  expect(formatProgress('depth', 0.999)).toBe('depth 99 %')
  expect(formatProgress('upload', null)).toBe('upload')
})

test('columns are as wide as their widest cell, without blanks at the end', () => {
  expect(
    formatTable([
      ['a', 'bb', ''],
      ['ccc', 'd', 'e'],
    ]),
  ).toBe('a    bb\nccc  d   e\n')
  expect(formatTable([])).toBe('')
})
