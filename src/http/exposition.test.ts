import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseExposition, type Family, openMetrics, prometheusText } from './exposition.ts'

const families: readonly Family[] = [
  {
    name: 'app_cost_usd',
    type: 'counter',
    unit: 'usd',
    help: 'What "it" cost.',
    samples: [{ labels: { deployment: 'a@b' }, value: 1.5 }],
  },
  { name: 'app_live', type: 'gauge', help: 'A\\B\nC', samples: [{ labels: {}, value: Number.POSITIVE_INFINITY }] },
  {
    name: 'app_wait_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Waits.',
    samples: [
      {
        labels: { x: 'y' },
        buckets: [
          { most: 0.5, count: 1 },
          { most: 10, count: 2 },
        ],
        count: 3,
        sum: 99.25,
      },
    ],
  },
]

it('writes OpenMetrics 1.0', () => {
  expect(openMetrics.write(families)).toBe(`# TYPE app_cost_usd counter
# UNIT app_cost_usd usd
# HELP app_cost_usd What \\"it\\" cost.
app_cost_usd_total{deployment="a@b"} 1.5
# TYPE app_live gauge
# HELP app_live A\\\\B\\nC
app_live +Inf
# TYPE app_wait_seconds histogram
# UNIT app_wait_seconds seconds
# HELP app_wait_seconds Waits.
app_wait_seconds_bucket{x="y",le="0.5"} 1
app_wait_seconds_bucket{x="y",le="10.0"} 2
app_wait_seconds_bucket{x="y",le="+Inf"} 3
app_wait_seconds_count{x="y"} 3
app_wait_seconds_sum{x="y"} 99.25
# EOF
`)
})

it("writes Prometheus' text 0.0.4: counters under their whole name, no units, no end", () => {
  const text = prometheusText.write(families)
  expect(text.split('\n').slice(0, 6)).toEqual([
    '# TYPE app_cost_usd_total counter',
    '# HELP app_cost_usd_total What "it" cost.',
    'app_cost_usd_total{deployment="a@b"} 1.5',
    '# TYPE app_live gauge',
    '# HELP app_live A\\\\B\\nC',
    'app_live +Inf',
  ])
  expect(text).not.toMatch(/UNIT|EOF/)
})

it('keeps every label value readable, whatever is in it, on one line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), value => {
      const text = openMetrics.write([
        { name: 'm', type: 'gauge', help: 'h', samples: [{ labels: { v: value }, value: 2 }] },
      ])
      const line = /\nm\{v="((?:[^"\\\n]|\\[\\"n])*)"\} 2\n# EOF\n$/.exec(text)?.[1]
      expect(line?.replaceAll(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped))).toBe(value.toWellFormed())
    }),
  )
})

describe('what is answered', () => {
  it.each([
    [undefined, prometheusText],
    ['*/*', prometheusText],
    ['text/plain', prometheusText],
    ['application/openmetrics-text', openMetrics],
    ['application/openmetrics-text; version=0.0.1', prometheusText],
    ['application/openmetrics-text;version=1.0.0;q=0.2, text/plain;q=0.3', prometheusText],
    ['application/openmetrics-text;q=0', prometheusText],
    // What Prometheus 3 sends.
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      openMetrics,
    ],
  ])('to Accept: %s', (accept, exposition) => {
    expect(chooseExposition(accept)).toBe(exposition)
  })
})
