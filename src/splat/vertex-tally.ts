import { sharpProperties } from './sharp-layout.ts'

/** What the rows of a splat file add up to. */
export type VertexStatistics = {
  readonly count: number
  /** Smallest and largest x, y, z in the file's own units and axes. */
  readonly bounds: {
    readonly min: readonly [number, number, number]
    readonly max: readonly [number, number, number]
  }
  /** `mean` is 0 to 1; `shareBelow2Percent` is the share of Gaussians that can hardly be seen. */
  readonly opacity: { readonly mean: number; readonly shareBelow2Percent: number }
  /** Quantiles of z, each within 0.2 % of the true one; 0 stands for "at or behind the camera". */
  readonly depthQuantiles: {
    readonly '0.1%': number
    readonly '10%': number
    readonly '50%': number
    readonly '90%': number
  }
  /** Gaussians with a NaN or an infinity; they are left out of all other figures. */
  readonly nonFinite: number
}

/** Rows with a fault of one kind. */
export interface FaultyRows {
  readonly rows: number
  /** Index of the first one. */
  readonly first: number
  /** What the first one holds, in words. */
  readonly what: string
}

/** Adds up rows as they pass. State: counters only, so memory does not grow with the file. */
export interface VertexTally {
  /** Takes whole rows. Keeps no reference to `values`. */
  add(values: Float32Array): void
  readonly nonFinite: FaultyRows | null
  readonly outOfRange: FaultyRows | null
  statistics(): VertexStatistics
}

/**
 * Ranges that no working engine leaves. A float32 opacity in (0, 1) has a logit between -88 and 17; the smallest float32
 * sigma has the logarithm -103.3; e^9 = 8,103 m is the largest sigma that viewers keep. Zero rotations come from regions
 * of a file that were never written.
 */
const opacityLimit = 100
const scaleLimits = [-104, 9] as const

/** ln(0.02 / 0.98) */
const logitOf2Percent = -3.8918202981106265

// Depth quantiles come from a histogram over the leading bits of the float: that is a logarithmic histogram with 256
// steps per octave, exact in order, and costs a shift instead of a logarithm.
const depthShift = 15
const depthBins = 0x7f800000 >>> depthShift

// The mean opacity comes from a table of the logistic function, linear in between (error below 1e-4): exp() for each of
// a million rows would alone take as long as reading the file.
const sigmoidReach = 16
const sigmoidSteps = 32
const sigmoidTable = Float64Array.from(
  { length: 2 * sigmoidReach * sigmoidSteps + 2 },
  (_, index) => 1 / (1 + Math.exp(sigmoidReach - index / sigmoidSteps)),
)

/** A tally for rows with these float32 properties, which must include SHARP's fourteen. */
export function createVertexTally(properties: readonly string[]): VertexTally {
  const stride = properties.length
  const [atX, atY, atZ, , , , atOpacity, at0, at1, at2, atW, atI, atJ, atK] = sharpProperties.map(name =>
    properties.indexOf(name),
  ) as [number, number, number, number, number, number, number, number, number, number, number, number, number, number]
  const depths = new Uint32Array(depthBins)
  const min: [number, number, number] = [Infinity, Infinity, Infinity]
  const max: [number, number, number] = [-Infinity, -Infinity, -Infinity]
  let seen = 0
  let opacitySum = 0
  let faint = 0
  let behind = 0
  let nonFinite: FaultyRows | null = null
  let outOfRange: FaultyRows | null = null

  function add(values: Float32Array): void {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
    const clean = allFinite(values)
    // Locals, because closures' variables are slow in a loop of this length.
    let [minX, minY, minZ] = min
    let [maxX, maxY, maxZ] = max
    // Goes on from the sum so far: sums of pieces would round differently with each way of cutting the file.
    let sum = opacitySum
    let faintHere = 0
    let behindHere = 0
    for (let row = 0; row < values.length; row += stride) {
      if (!clean && !allFinite(values.subarray(row, row + stride))) {
        nonFinite = another(nonFinite, row, () => properties[firstNonFinite(values, row)] ?? '')
        continue
      }
      const x = values[row + atX] as number
      const y = values[row + atY] as number
      const z = values[row + atZ] as number
      const opacity = values[row + atOpacity] as number
      const scale0 = values[row + at0] as number
      const scale1 = values[row + at1] as number
      const scale2 = values[row + at2] as number
      if (x < minX) minX = x
      if (x > maxX) maxX = x
      if (y < minY) minY = y
      if (y > maxY) maxY = y
      if (z < minZ) minZ = z
      if (z > maxZ) maxZ = z
      if (z > 0) {
        const bin = (bits[row + atZ] as number) >>> depthShift
        depths[bin] = (depths[bin] as number) + 1
      } else behindHere++
      if (opacity < logitOf2Percent) faintHere++
      sum += sigmoid(opacity)
      if (
        !(opacity >= -opacityLimit && opacity <= opacityLimit) ||
        Math.min(scale0, scale1, scale2) < scaleLimits[0] ||
        Math.max(scale0, scale1, scale2) > scaleLimits[1]
      )
        outOfRange = another(outOfRange, row, () => `opacity ${opacity}, scales ${scale0}, ${scale1}, ${scale2}`)
      else if (values[row + atW] === 0 && values[row + atI] === 0 && values[row + atJ] === 0 && values[row + atK] === 0)
        outOfRange = another(outOfRange, row, () => 'a rotation of zero length')
    }
    min[0] = minX
    min[1] = minY
    min[2] = minZ
    max[0] = maxX
    max[1] = maxY
    max[2] = maxZ
    opacitySum = sum
    faint += faintHere
    behind += behindHere
    seen += values.length / stride
  }

  function another(before: FaultyRows | null, row: number, what: () => string): FaultyRows {
    if (before !== null) return { ...before, rows: before.rows + 1 }
    return { rows: 1, first: seen + row / stride, what: what() }
  }

  function depthAt(share: number): number {
    const good = seen - (nonFinite?.rows ?? 0)
    const rank = Math.min(good - 1, Math.floor(share * good))
    let passed = behind
    if (rank < passed) return 0
    for (let bin = 0; bin < depthBins; bin++) {
      passed += depths[bin] as number
      if (rank < passed) return middleOfBin(bin)
    }
    return 0
  }

  return {
    add,
    get nonFinite() {
      return nonFinite
    },
    get outOfRange() {
      return outOfRange
    },
    statistics() {
      const good = Math.max(1, seen - (nonFinite?.rows ?? 0))
      return {
        count: seen,
        bounds: { min: [...min], max: [...max] },
        opacity: { mean: opacitySum / good, shareBelow2Percent: faint / good },
        depthQuantiles: {
          '0.1%': depthAt(0.001),
          '10%': depthAt(0.1),
          '50%': depthAt(0.5),
          '90%': depthAt(0.9),
        },
        nonFinite: nonFinite?.rows ?? 0,
      }
    },
  }
}

/** A NaN or an infinity survives any sum, and finite float32 cannot overflow a float64: one addition per number. */
function allFinite(values: Float32Array): boolean {
  let a = 0
  let b = 0
  let index = 0
  for (; index + 1 < values.length; index += 2) {
    a += values[index] as number
    b += values[index + 1] as number
  }
  if (index < values.length) a += values[index] as number
  return Number.isFinite(a + b)
}

function firstNonFinite(values: Float32Array, from: number): number {
  let index = from
  while (Number.isFinite(values[index])) index++
  return index - from
}

function sigmoid(logit: number): number {
  const place = (logit + sigmoidReach) * sigmoidSteps
  if (place <= 0) return 0
  if (place >= 2 * sigmoidReach * sigmoidSteps) return 1
  const index = place | 0
  const low = sigmoidTable[index] as number
  return low + ((sigmoidTable[index + 1] as number) - low) * (place - index)
}

function middleOfBin(bin: number): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, (bin << depthShift) | (1 << (depthShift - 1)))
  return view.getFloat32(0)
}
