import { expect, test } from 'vitest'
import type { OutputFile } from './api.ts'
import { isSplat, splatFacts } from './facts.ts'

function file(facts: OutputFile['facts'], name = 'scene.ply'): OutputFile {
  return { name, media_type: 'application/octet-stream', bytes: 1, sha256: '', facts }
}

test('takes the camera and the depths from what verification found', () => {
  const facts = {
    count: 9,
    image: { width: 640, height: 427 },
    focalPx: 500,
    depthQuantiles: { '0.1%': 1.7, '10%': 2.4 },
  }
  expect(splatFacts(file(facts))).toEqual({
    count: 9,
    photo: { width: 640, height: 427, focal: 500 },
    depths: { nearest: 1.7, near: 2.4 },
  })
})

test('a file that tells nothing still opens, with the camera that SHARP assumes', () => {
  const { count, photo, depths } = splatFacts(file({ image: null, focalPx: 'x', depthQuantiles: { '0.1%': 0 } }))
  expect(count).toBe(null)
  expect(photo.focal).toBeCloseTo((30 * Math.hypot(1536, 1536)) / Math.hypot(36, 24), 0)
  expect(depths).toEqual({ near: 2, nearest: 1.6 })
})

test('only PLY files are shown as scenes', () => {
  expect([isSplat(file({})), isSplat(file({}, 'SCENE.PLY')), isSplat(file({}, 'a.zip'))]).toEqual([true, true, false])
})
