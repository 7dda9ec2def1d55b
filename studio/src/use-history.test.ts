import { expect, test } from 'vitest'
import type { Prediction } from './api.ts'
import { mergeNewest } from './use-history.ts'

const one = (id: string, minute: number, status: Prediction['status']) =>
  ({ id, status, created_at: `2026-11-24T12:0${minute}:00Z` }) as Prediction

test('pages merge by id, newest first', () => {
  const merged = mergeNewest([one('a', 1, 'succeeded')], [one('b', 2, 'starting'), one('c', 0, 'failed')])
  expect(merged.map(item => item.id)).toEqual(['b', 'a', 'c'])
})

test('an answer that was overtaken does not bring an ended prediction back to life', () => {
  const [kept] = mergeNewest([one('a', 1, 'failed')], [one('a', 1, 'processing')])
  expect(kept?.status).toBe('failed')
  const [moved] = mergeNewest([one('a', 1, 'processing')], [one('a', 1, 'succeeded')])
  expect(moved?.status).toBe('succeeded')
})
