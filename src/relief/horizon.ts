import type { Analysis } from './analysis.ts'
import type { Sky } from './sky.ts'

/** The horizon's row (may lie between rows): below the sky where there is one, else where the rows' texture changes most. */
export function findHorizon(analysis: Analysis, sky: Sky): number {
  const { height } = analysis
  if (sky === null) return findTextureChange(analysis)
  const { width } = analysis
  const lowest: number[] = []
  for (let x = 0; x < width; x++) {
    let y = height - 1
    while (y >= 0 && sky[y * width + x] === 0) y--
    if (y >= 0) lowest.push(y + 1)
  }
  lowest.sort((a, b) => a - b)
  // Not the middle: trees and towers cover the horizon in many columns, nothing uncovers it.
  const boundary = lowest[Math.floor(0.7 * (lowest.length - 1))] ?? 0.45 * height
  return Math.min(0.92 * height, Math.max(0.2 * height, boundary))
}

/** The row within 0.3 to 0.6 of the height with the largest change of edge density, with a preference for 0.45. */
function findTextureChange({ width, height, gradientX, gradientY }: Analysis): number {
  const rows = Float64Array.from({ length: height }, (_, y) => {
    let sum = 0
    for (let at = y * width; at < (y + 1) * width; at++)
      sum += (gradientX.data[at] as number) + (gradientY.data[at] as number)
    return sum / width
  })
  const reach = Math.max(1, Math.round(height / 16))
  const mean = (from: number, to: number) => {
    const part = rows.subarray(Math.max(0, from), Math.min(height, to))
    return part.length === 0 ? 0 : part.reduce((sum, value) => sum + value, 0) / part.length
  }
  let best = 0.45 * height
  let bestScore = 0
  for (let y = Math.ceil(0.3 * height); y <= 0.6 * height; y++) {
    const change = Math.abs(mean(y, y + reach) - mean(y - reach, y))
    const distance = (y / height - 0.45) / 0.1
    const score = change * Math.exp(-0.5 * distance * distance)
    if (score > bestScore) {
      best = y
      bestScore = score
    }
  }
  return best
}
