import { sharpProperties, sharpVertexFloats } from './sharp-layout.ts'

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
  /**
   * Gaussians with an infinity as SHARP's own writer leaves it (apple/ml-sharp, `save_ply`, does not clamp): an opacity of 0
   * or 1, an extent of 0. They count with the nearest number in range.
   */
  readonly saturated: number
}

/** Rows with a fault of one kind. */
export interface FaultyRows {
  readonly rows: number
  /** Index of the first one. */
  readonly first: number
  /** What the first one holds, in words. */
  readonly what: string
}

type Counted = { -readonly [key in keyof FaultyRows]: FaultyRows[key] }

/** Adds up rows as they pass. State: counters only, so memory does not grow with the file. */
export interface VertexTally {
  /** Takes whole rows. Keeps no reference to `values`. */
  add(values: Float32Array): void
  readonly nonFinite: FaultyRows | null
  readonly outOfRange: FaultyRows | null
  statistics(): VertexStatistics
}

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

/** Place of the rows behind the camera among the sums. */
const behindAt = 8

/** Ranges that no working engine leaves; why they are these, `addRows` says, which has them as bare numbers of its own. */
const mostLogit = 100
const leastScale = -104
const opacityColumn = sharpProperties.indexOf('opacity')
const scaleColumns = (['scale_0', 'scale_1', 'scale_2'] as const).map(name => sharpProperties.indexOf(name))

/** A tally for rows with these float32 properties, which must include SHARP's fourteen. */
export function createVertexTally(properties: readonly string[]): VertexTally {
  const given = properties.length
  const gather = isSharpOrder(properties) ? null : createGather(properties)
  const depths = new Uint32Array(depthBins)
  const sums = createSums()
  // Sums of their own, or how a file is cut would decide in which order they are added.
  const saturatedSums = createSums()
  let seen = 0
  let saturated = 0
  let nonFinite: Counted | null = null
  let outOfRange: Counted | null = null

  function add(values: Float32Array): void {
    const rows = gather === null ? values : gather(values)
    addRows(rows, depths, sums, (row, isWhole) => {
      if (isWhole) return addOutOfRange(rows, row)
      const mended = desaturate(rows.subarray(row, row + sharpVertexFloats))
      if (mended === null) return addNonFinite(values, row)
      saturated++
      addRows(mended, depths, saturatedSums, () => addOutOfRange(rows, row))
    })
    seen += rows.length / sharpVertexFloats
  }

  function addNonFinite(values: Float32Array, at: number): void {
    const row = at / sharpVertexFloats
    nonFinite ??= { rows: 0, first: seen + row, what: properties[firstNonFinite(values, row * given)] ?? '' }
    nonFinite.rows++
  }

  function addOutOfRange(rows: Float32Array, at: number): void {
    outOfRange ??= { rows: 0, first: seen + at / sharpVertexFloats, what: describeRow(rows, at) }
    outOfRange.rows++
  }

  /** The depths at these shares, which rise; one walk through the histogram for all of them. */
  function depthsAt(...shares: readonly number[]): readonly number[] {
    let bin = -1
    let passed = (sums[behindAt] as number) + (saturatedSums[behindAt] as number)
    return shares.map(share => {
      const rank = Math.min(seen - 1, Math.floor(share * seen))
      while (rank >= passed && bin < depthBins - 1) passed += depths[++bin] as number
      return bin < 0 || rank >= passed ? 0 : middleOfBin(bin)
    })
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
      const least = (at: number) => Math.min(sums[at] as number, saturatedSums[at] as number)
      const most = (at: number) => Math.max(sums[at] as number, saturatedSums[at] as number)
      const share = (at: number) => ((sums[at] as number) + (saturatedSums[at] as number)) / Math.max(1, seen)
      const [nearest = 0, near = 0, middle = 0, far = 0] = depthsAt(0.001, 0.1, 0.5, 0.9)
      return {
        count: seen,
        bounds: { min: [least(0), least(1), least(2)], max: [most(3), most(4), most(5)] },
        opacity: { mean: share(6), shareBelow2Percent: share(7) },
        depthQuantiles: { '0.1%': nearest, '10%': near, '50%': middle, '90%': far },
        saturated,
      }
    },
  }
}

/** Smallest x, y, z, largest x, y, z, opacity, faint rows, rows behind the camera: of nothing yet. */
function createSums(): Float64Array {
  return Float64Array.of(Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity, 0, 0, 0)
}

/** A row whose only infinities are those that SHARP's writer leaves, with the nearest number in their place; else null. */
function desaturate(row: Float32Array): Float32Array | null {
  const copy = Float32Array.from(row)
  const logit = copy[opacityColumn] as number
  if (Math.abs(logit) === Infinity) copy[opacityColumn] = Math.sign(logit) * mostLogit
  for (const column of scaleColumns) if (copy[column] === -Infinity) copy[column] = leastScale
  return copy.every(Number.isFinite) ? copy : null
}

/**
 * Adds rows in SHARP's order to `sums` (smallest x, y, z, largest x, y, z, opacity, faint rows, rows behind the camera) and
 * to the histogram `depths`. This loop sees every row of every file, and looks odd for it: it is no closure over a tally,
 * whose compiled code would be thrown away with each tally; nothing in it captures a row's numbers, which would cost an
 * allocation per row; its sums are locals, and SHARP's columns bare numbers.
 */
function addRows(
  rows: Float32Array,
  depths: Uint32Array,
  sums: Float64Array,
  onFault: (row: number, isWhole: boolean) => void,
): void {
  const bits = new Uint32Array(rows.buffer, rows.byteOffset, rows.length)
  let [minX = 0, minY = 0, minZ = 0, maxX = 0, maxY = 0, maxZ = 0, sum = 0, faint = 0, behind = 0] = sums
  // Ranges that no working engine leaves. A float32 opacity in (0, 1) has a logit between -88 and 17; the smallest float32
  // sigma has the logarithm -103.3; e^9 = 8,103 m is the largest sigma that viewers keep. Zero rotations come from regions
  // of a file that were never written.
  const opacityMost = 100
  const scaleLeast = -104
  const scaleMost = 9
  for (let row = 0; row < rows.length; row += 14) {
    const x = rows[row] as number
    const y = rows[row + 1] as number
    const z = rows[row + 2] as number
    const red = rows[row + 3] as number
    const green = rows[row + 4] as number
    const blue = rows[row + 5] as number
    const logit = rows[row + 6] as number
    const scale0 = rows[row + 7] as number
    const scale1 = rows[row + 8] as number
    const scale2 = rows[row + 9] as number
    const w = rows[row + 10] as number
    const i = rows[row + 11] as number
    const j = rows[row + 12] as number
    const k = rows[row + 13] as number
    // A NaN or an infinity survives any sum, and finite float32 cannot overflow a float64. In pairs: a chain of
    // additions would wait for each one.
    const all = x + y + (z + logit) + (red + green + (blue + scale0)) + (scale1 + scale2 + (w + i) + (j + k))
    if (all - all !== 0) {
      onFault(row, false)
      continue
    }
    if (x < minX) minX = x
    if (x > maxX) maxX = x
    if (y < minY) minY = y
    if (y > maxY) maxY = y
    if (z < minZ) minZ = z
    if (z > maxZ) maxZ = z
    if (z > 0) {
      const bin = (bits[row + 2] as number) >>> depthShift
      depths[bin] = (depths[bin] as number) + 1
    } else behind++
    faint += logit < logitOf2Percent ? 1 : 0
    // Goes on from the sum so far: sums of pieces would round differently with each way of cutting the file.
    sum += sigmoid(logit)
    if (
      logit < -opacityMost ||
      logit > opacityMost ||
      scale0 < scaleLeast ||
      scale0 > scaleMost ||
      scale1 < scaleLeast ||
      scale1 > scaleMost ||
      scale2 < scaleLeast ||
      scale2 > scaleMost ||
      (w === 0 && i === 0 && j === 0 && k === 0)
    )
      onFault(row, true)
  }
  sums.set([minX, minY, minZ, maxX, maxY, maxZ, sum, faint, behind])
}

function describeRow(rows: Float32Array, at: number): string {
  const [opacity, scale0, scale1, scale2, ...rotation] = rows.subarray(at + 6, at + 14)
  return rotation.every(part => part === 0)
    ? 'a rotation of zero length'
    : `opacity ${opacity}, scales ${scale0}, ${scale1}, ${scale2}`
}

function isSharpOrder(properties: readonly string[]): boolean {
  return properties.join() === sharpProperties.join()
}

/** Brings rows into SHARP's order; a row whose other columns hold NaN or infinity gets a NaN. One buffer serves all calls. */
function createGather(properties: readonly string[]): (values: Float32Array) => Float32Array {
  const columns = sharpProperties.map(name => properties.indexOf(name))
  const others = [...properties.keys()].filter(column => !columns.includes(column))
  let buffer = new Float32Array(0)
  return values => {
    const length = (values.length / properties.length) * sharpVertexFloats
    if (buffer.length < length) buffer = new Float32Array(length)
    for (let from = 0, to = 0; from < values.length; from += properties.length, to += sharpVertexFloats) {
      for (let column = 0; column < sharpVertexFloats; column++)
        buffer[to + column] = values[from + (columns[column] as number)] as number
      for (const other of others) if (!Number.isFinite(values[from + other])) buffer[to] = Number.NaN
    }
    return buffer.subarray(0, length)
  }
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
