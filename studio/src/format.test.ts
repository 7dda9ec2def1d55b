import { expect, test } from 'vitest'
import type { Prediction } from './api.ts'
import {
  fileName,
  formatAgo,
  formatBytes,
  formatCost,
  formatElapsed,
  formatMoney,
  formatPercent,
  formatSpan,
  formatStage,
} from './format.ts'

test('elapsed time reads like a clock, and never runs backwards', () => {
  expect([-3000, 0, 7900, 754_000, 3_723_000].map(formatElapsed)).toEqual(['0:00', '0:00', '0:07', '12:34', '1:02:03'])
})

test('spans, sizes and costs have few digits', () => {
  expect([840, 3240, 9960, 59_600, 245_000].map(formatSpan)).toEqual([
    '840 ms',
    '3.2 s',
    '10 s',
    '1 min 0 s',
    '4 min 5 s',
  ])
  expect([812, 99_940, 999_600, 66_061_086, 3e9].map(formatBytes)).toEqual([
    '812 B',
    '99.9 kB',
    '1.0 MB',
    '66.1 MB',
    '3.0 GB',
  ])
  expect(formatCost({ amount: 0.01243, currency: 'USD', estimated: true })).toBe('about $0.0124')
  expect(formatCost({ amount: 12.5, currency: 'USD', estimated: false })).toBe('$12.50')
})

test('a percentage is rounded down: 100 % means done', () => {
  expect([0, 0.299, 0.999, 1, 1.2].map(formatPercent)).toEqual(['0 %', '29 %', '99 %', '100 %', '100 %'])
})

test('recent moments are told by their distance, older ones by their date', () => {
  const now = Date.parse('2026-11-24T12:00:00Z')
  const ago = (ms: number) => formatAgo(now - ms, now)
  expect([-5000, 59_000, 60_000, 3_600_000].map(ago)).toEqual(['just now', 'just now', '1 min ago', '1 h ago'])
  expect(ago(3 * 86_400_000)).toBe('Nov 21, 2026')
})

test("the stage is the server's word made readable, else the status", () => {
  const at = (status: Prediction['status'], stage: string | null) =>
    formatStage({ status, surefoot: { progress: stage === null ? null : { stage, fraction: null } } } as Prediction)
  expect(at('starting', null)).toBe('Waiting to start')
  expect(at('processing', 'depth')).toBe('Estimating depth')
  expect(at('processing', 'loading_weights')).toBe('Loading weights')
})

test('the file name of an address is decoded, and an address without one is just a photo', () => {
  expect(fileName('http://a/v1/inputs/caf%C3%A9%201.jpg?key=in%2F1&signature=x')).toBe('café 1.jpg')
  expect(fileName('http://a/100%.jpg')).toBe('100%.jpg')
  expect([fileName('data:image/png;base64,AA=='), fileName(null)]).toEqual(['photo', 'photo'])
})

test('money keeps three figures below a cent', () => {
  expect([0, 0.00019, 0.000475123, 0.0123, 0.5, 1.256].map(formatMoney)).toEqual([
    '$0',
    '$0.00019',
    '$0.000475',
    '$0.012',
    '$0.5',
    '$1.26',
  ])
})
