import { expect, test } from 'vitest'
import { niceEnd, place } from './plot.ts'

test('an axis ends at 1, 2 or 5 times a power of ten that holds the value', () => {
  const values = [0.00047, 0.0005, 0.03, 0.3, 1, 1.01, 2.4, 9, 10, 64, 201]
  expect(values.map(niceEnd)).toEqual([0.0005, 0.0005, 0.05, 0.5, 1, 2, 5, 10, 10, 100, 500])
})

test('an axis with nothing to show has an end all the same', () => {
  expect([0, -1, Number.NaN, Number.POSITIVE_INFINITY].map(niceEnd)).toEqual([1, 1, 1, 1])
})

test('places are percent of the axis, and never off it', () => {
  expect([0, 0.5, 1, 3, -1].map(value => place(value, 2))).toEqual(['0%', '25%', '50%', '100%', '0%'])
})
