import { expect, test } from 'vitest'
import { listBackdrop } from './backdrop.ts'
import { listFrame } from './frame.ts'
import { createPlane, fillPlane } from './plane.ts'

const [width, height] = [65, 33]

/** How many squares cover each cell of the photo and of what is around it. */
function cover(cells: readonly { x: number; y: number; side: number }[], margin: number): number[] {
  const counts = Array.from({ length: (width + 2 * margin) * (height + 2 * margin) }, () => 0)
  for (const { x, y, side } of cells)
    for (let row = y - (side - 1) / 2; row < y + side / 2; row++)
      for (let column = x - (side - 1) / 2; column < x + side / 2; column++) {
        if (column < -margin || column >= width + margin || row < -margin || row >= height + margin) continue
        const at = (row + margin) * (width + 2 * margin) + column + margin
        counts[at] = (counts[at] ?? 0) + 1
      }
  return counts
}

test('the surroundings lie around the photo without a gap, and over no more than its last row and column', () => {
  const margin = 5
  const counts = cover(listFrame(width, height), margin)
  for (const [index, count] of counts.entries()) {
    const x = (index % (width + 2 * margin)) - margin
    const y = Math.floor(index / (width + 2 * margin)) - margin
    const outside = x < 0 || y < 0 || x >= width || y >= height
    if (outside) expect([x, y, count]).toEqual([x, y, 1])
    else if (x < width - 1 && y < height - 1) expect([x, y, count]).toEqual([x, y, 0])
  }
})

test('they mirror the photo at its frame', () => {
  const source = new Map(listFrame(width, height).map(cell => [`${cell.x} ${cell.y}`, cell.source]))
  expect(source.get('-1.5 10.5')).toBe(10 * width + 1)
  expect(source.get('-3.5 -1.5')).toBe(width + 3)
})

test('the surroundings of one pixel are that pixel', () => {
  expect(new Set(listFrame(1, 1).map(({ source }) => source))).toEqual(new Set([0]))
})

test('a backdrop stands behind what is near a step, at the far side of it, and nowhere else', () => {
  const background = fillPlane(createPlane(64, 32), index => (index % 64 < 32 ? 0.1 : 0.9))
  const cells = listBackdrop(background, 8, 0.05)
  expect(cells.length).toBeGreaterThan(0)
  for (const { x, disparity } of cells) {
    expect(x).toBeGreaterThan(32)
    expect(x).toBeLessThan(42)
    expect(disparity).toBeCloseTo(0.1, 6)
  }
  expect(listBackdrop(createPlane(64, 32), 8, 0.05)).toEqual([])
})
