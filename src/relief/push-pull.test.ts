import fc from 'fast-check'
import { expect, test } from 'vitest'
import { channels, pushPull } from './push-pull.ts'

const grids = fc.record({
  width: fc.integer({ min: 1, max: 17 }),
  height: fc.integer({ min: 1, max: 17 }),
  seed: fc.integer({ min: 1, max: 1_000 }),
})

test('known pixels stay, gaps are filled from within the range of the known ones', () => {
  fc.assert(
    fc.property(grids, ({ width, height, seed }) => {
      const count = width * height
      const known = Float32Array.from({ length: count }, (_, index) => ((index * seed) % 7 === 0 ? 1 : 0))
      const before = Float32Array.from({ length: count * channels }, (_, index) => (index * seed) % 100)
      // What is not known must not matter, whatever it is.
      for (let index = 0; index < before.length; index++)
        if (known[Math.floor(index / channels)] === 0) before[index] = 1e6
      const after = Float32Array.from(before)
      pushPull(width, height, after, known)
      for (let index = 0; index < after.length; index++) {
        if (known[Math.floor(index / channels)] === 1) expect(after[index]).toBe(before[index])
        expect(after[index]).toBeGreaterThanOrEqual(-1e-3)
        expect(after[index]).toBeLessThanOrEqual(100 + 1e-3)
      }
    }),
  )
})

test('one known pixel colours everything', () => {
  const values = new Float32Array(9 * 5 * channels)
  const weights = new Float32Array(9 * 5)
  weights[22] = 1
  values.set([10, 20, 30], 22 * channels)
  pushPull(9, 5, values, weights)
  for (let index = 0; index < 45; index++)
    expect([...values.subarray(index * channels, (index + 1) * channels)]).toEqual([10, 20, 30])
})
