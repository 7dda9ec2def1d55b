/** One number per pixel, in rows from the top. */
export interface Plane {
  readonly width: number
  readonly height: number
  readonly data: Float32Array
}

/** A photo as three planes of one size: luma and two chromas. */
export type ColourPlanes = readonly [Plane, Plane, Plane]

export function createPlane(width: number, height: number): Plane {
  return { width, height, data: new Float32Array(width * height) }
}

/** A plane of the same size with `value(index)` everywhere. */
export function fillPlane(like: Plane, value: (index: number) => number): Plane {
  const plane = createPlane(like.width, like.height)
  for (let index = 0; index < plane.data.length; index++) plane.data[index] = value(index)
  return plane
}

/** Mean over the square of `2 * radius + 1` pixels, at borders over the part inside. Takes the same time for any radius. */
export function boxMean(plane: Plane, radius: number): Plane {
  return meanDown(meanAcross(plane, radius), radius)
}

function meanAcross({ width, height, data }: Plane, radius: number): Plane {
  const result = createPlane(width, height)
  for (let row = 0; row < data.length; row += width) {
    let sum = 0
    for (let x = 0; x < Math.min(radius, width); x++) sum += data[row + x] as number
    for (let x = 0; x < width; x++) {
      if (x + radius < width) sum += data[row + x + radius] as number
      if (x - radius > 0) sum -= data[row + x - radius - 1] as number
      result.data[row + x] = sum / (Math.min(width - 1, x + radius) - Math.max(0, x - radius) + 1)
    }
  }
  return result
}

/** Keeps one sum per column and walks along rows: walking down columns would miss the cache at every step. */
function meanDown({ width, height, data }: Plane, radius: number): Plane {
  const result = createPlane(width, height)
  const sums = new Float64Array(width)
  const add = (y: number, sign: 1 | -1) => {
    for (let x = 0, at = y * width; x < width; x++, at++) sums[x] = (sums[x] as number) + sign * (data[at] as number)
  }
  for (let y = 0; y < Math.min(radius, height); y++) add(y, 1)
  for (let y = 0; y < height; y++) {
    if (y + radius < height) add(y + radius, 1)
    if (y - radius > 0) add(y - radius - 1, -1)
    const count = Math.min(height - 1, y + radius) - Math.max(0, y - radius) + 1
    for (let x = 0, at = y * width; x < width; x++, at++) result.data[at] = (sums[x] as number) / count
  }
  return result
}

/** Largest value of the square of `2 * radius + 1` pixels around each pixel. */
export function maximum({ width, height, data }: Plane, radius: number): Plane {
  const result = createPlane(width, height)
  // Rows side by side, each between two margins, so that no window reaches into the next row.
  const padded = width + 2 * radius
  const across = new Float32Array(padded * height).fill(-Infinity)
  for (let y = 0; y < height; y++) across.set(data.subarray(y * width, (y + 1) * width), y * padded + radius)
  slideMaximum(across, 1, radius)
  const down = new Float32Array(width * (height + 2 * radius)).fill(-Infinity)
  for (let y = 0; y < height; y++) down.set(across.subarray(y * padded, y * padded + width), (y + radius) * width)
  slideMaximum(down, width, radius)
  result.data.set(down.subarray(0, result.data.length))
  return result
}

/** Smallest value of the square of `2 * radius + 1` pixels around each pixel. */
export function minimum(plane: Plane, radius: number): Plane {
  const negated = Float32Array.from(plane.data)
  negate(negated)
  const result = maximum({ ...plane, data: negated }, radius)
  negate(result.data)
  return result
}

function negate(data: Float32Array): void {
  for (let index = 0; index < data.length; index++) data[index] = -(data[index] as number)
}

/** In place: each value becomes the largest of itself and the next `2 * radius` at this distance. Doubles the window. */
function slideMaximum(data: Float32Array, distance: number, radius: number): void {
  const take = (shift: number) => {
    for (let at = 0, other = shift * distance; other < data.length; at++, other++)
      if ((data[other] as number) > (data[at] as number)) data[at] = data[other] as number
  }
  const window = 2 * radius + 1
  let reached = 1
  for (; 2 * reached <= window; reached *= 2) take(reached)
  if (reached < window) take(window - reached)
}

/** Bilinear resize; pixel centres correspond. */
export function resize(plane: Plane, width: number, height: number): Plane {
  const result = createPlane(width, height)
  const columns = sampleAxis(plane.width, width)
  const rows = sampleAxis(plane.height, height)
  const { data } = plane
  for (let y = 0; y < height; y++) {
    const above = (rows.low[y] as number) * plane.width
    const below = (rows.high[y] as number) * plane.width
    const v = rows.share[y] as number
    for (let x = 0; x < width; x++) {
      const left = columns.low[x] as number
      const right = columns.high[x] as number
      const u = columns.share[x] as number
      const top = (data[above + left] as number) * (1 - u) + (data[above + right] as number) * u
      const bottom = (data[below + left] as number) * (1 - u) + (data[below + right] as number) * u
      result.data[y * width + x] = top * (1 - v) + bottom * v
    }
  }
  return result
}

/** For each of `to` positions: the two of `from` positions that it lies between, and the share of the second. */
function sampleAxis(from: number, to: number) {
  const low = new Int32Array(to)
  const high = new Int32Array(to)
  const share = new Float64Array(to)
  for (let index = 0; index < to; index++) {
    const place = Math.min(from - 1, Math.max(0, ((index + 0.5) * from) / to - 0.5))
    low[index] = Math.floor(place)
    high[index] = Math.min(from - 1, Math.floor(place) + 1)
    share[index] = place - Math.floor(place)
  }
  return { low, high, share }
}

/** Values below which these shares (0 to 1) of the numbers lie, exact to 1/4096 of their range. */
export function quantiles(data: Float32Array, shares: readonly number[]): readonly number[] {
  const bins = 4_096
  let low = Infinity
  let high = -Infinity
  for (const value of data) {
    if (value < low) low = value
    if (value > high) high = value
  }
  if (!(high > low)) return shares.map(() => (data.length > 0 ? low : 0))
  const counts = new Uint32Array(bins + 1)
  const scale = bins / (high - low)
  for (const value of data) {
    const bin = Math.floor((value - low) * scale)
    counts[bin] = (counts[bin] as number) + 1
  }
  return shares.map(share => {
    let rank = share * (data.length - 1)
    let bin = 0
    while (bin < bins && rank >= (counts[bin] as number)) rank -= counts[bin++] as number
    return Math.min(high, low + bin / scale)
  })
}

/** Maps two quantiles to 0 and 1 and clamps the rest; null where there is no spread to speak of. */
export function stretch(plane: Plane, lowShare: number, highShare: number): Plane | null {
  const [low = 0, high = 0] = quantiles(plane.data, [lowShare, highShare])
  if (high - low < 1e-5) return null
  return fillPlane(plane, index => clamp(((plane.data[index] as number) - low) / (high - low)))
}

/** Pearson's correlation over the pixels where `use` holds; 0 where one of them does not vary. */
export function correlation(a: Plane, b: Plane, use: (index: number) => boolean): number {
  let count = 0
  let sumA = 0
  let sumB = 0
  let sumAA = 0
  let sumBB = 0
  let sumAB = 0
  for (let index = 0; index < a.data.length; index++) {
    if (!use(index)) continue
    const x = a.data[index] as number
    const y = b.data[index] as number
    count++
    sumA += x
    sumB += y
    sumAA += x * x
    sumBB += y * y
    sumAB += x * y
  }
  const varianceA = sumAA * count - sumA * sumA
  const varianceB = sumBB * count - sumB * sumB
  if (varianceA <= 1e-9 * count * count || varianceB <= 1e-9 * count * count) return 0
  return (sumAB * count - sumA * sumB) / Math.sqrt(varianceA * varianceB)
}

export function clamp(value: number, low = 0, high = 1): number {
  return value < low ? low : value > high ? high : value
}

/** 0 up to `from`, 1 from `to` on, linear in between. */
export function ramp(value: number, from: number, to: number): number {
  return clamp((value - from) / (to - from))
}
