import { expect, it } from 'vitest'
import { isMarkerSecret, markerSecret } from './marker.ts'

it('a secret fits its own attempt under its own key, and nothing else', () => {
  const secret = markerSecret('key', 'attempt')
  expect(secret).toMatch(/^[0-9a-f]{64}$/)
  expect(isMarkerSecret('key', 'attempt', secret)).toBe(true)
  expect(isMarkerSecret('key', 'other', secret)).toBe(false)
  expect(isMarkerSecret('other', 'attempt', secret)).toBe(false)
  for (const wrong of ['', 'x', secret.slice(1), `${secret}0`, secret.toUpperCase()])
    expect(isMarkerSecret('key', 'attempt', wrong)).toBe(false)
})
