import fc from 'fast-check'
import { expect, it } from 'vitest'
import { findExcess } from './json-structure.ts'

/** The same by way of the parser: how deep it is, and how many values are in it. */
function measure(value: unknown): { depth: number; values: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, values: 1 }
  const inner = Object.values(value).map(measure)
  return {
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
    values: 1 + inner.reduce((sum, { values }) => sum + values, 0),
  }
}

it('finds depth to the level, whatever stands in texts', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6, stringUnit: fc.constantFrom('"', '\\', '[', '{', ',', '}', 'é') }), text => {
      const { depth } = measure(JSON.parse(text))
      const most = { depth, values: Number.POSITIVE_INFINITY }
      expect(findExcess(text, most)).toBe(null)
      if (depth > 0) expect(findExcess(text, { ...most, depth: depth - 1 })).toBe('depth')
    }),
  )
})

it('counts every value, and an empty list or object as two at most', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), text => {
      const { values } = measure(JSON.parse(text))
      expect(findExcess(text, { depth: 100, values: values - 1 })).toBe('values')
      expect(findExcess(text, { depth: 100, values: 2 * values })).toBe(null)
    }),
  )
})
