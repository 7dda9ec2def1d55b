import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createCounter, createHistogram } from './tally.ts'

it('counts each set of labels by itself, and what was read does not change', () => {
  const counter = createCounter(['model', 'status'])
  counter.add({ model: 'a', status: 'failed' })
  const before = counter.read()
  counter.add({ status: 'failed', model: 'a' }, 2.5)
  counter.add({ model: 'a","', status: 'failed' })
  expect(before).toEqual([{ labels: { model: 'a', status: 'failed' }, value: 1 }])
  expect(counter.read()).toEqual([
    { labels: { model: 'a', status: 'failed' }, value: 3.5 },
    { labels: { model: 'a","', status: 'failed' }, value: 1 },
  ])
})

it('counts a value in each bucket whose bound it does not exceed', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { minLength: 1 }), values => {
      const histogram = createHistogram([], [1, 5, 10])
      for (const value of values) histogram.observe({}, value)
      const [spread] = histogram.read()
      expect(spread?.buckets).toEqual(
        [1, 5, 10].map(most => ({ most, count: values.filter(value => value <= most).length })),
      )
      expect([spread?.count, spread?.sum]).toEqual([values.length, values.reduce((sum, value) => sum + value, 0)])
    }),
  )
})
