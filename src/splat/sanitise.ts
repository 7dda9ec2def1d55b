import { type PlyElement, type PlyHeader, plyElementBytes, writePlyHeader } from './ply-header.ts'
import { createRowSection, type PlySection } from './ply-section.ts'
import { sharpProperties } from './sharp-layout.ts'
import { createSplatReader, type SplatProblem, vertexOf } from './splat-reader.ts'

export interface SanitiseOptions {
  /** Leaves out every element but the vertices: some viewers refuse files that have others. Default false. */
  readonly stripExtras?: boolean
  /** Leaves out Gaussians of less opacity, 0 to 1. Default 0. */
  readonly leastOpacity?: number
  /** Length of the file, where known: a file that was cut is then refused by its header alone. */
  readonly bytes?: number
}

/** What was done to a file, in Gaussians. One whose opacity and scale were both clamped counts in both. */
export interface SanitiseCounts {
  /** In the file that was read. */
  readonly splats: number
  readonly kept: number
  readonly dropped: {
    /** NaN anywhere, or an infinity where no bound makes sense of it: a position, a colour, a rotation. */
    readonly nonFinite: number
    /** A rotation of zero length. */
    readonly unturned: number
    readonly faint: number
  }
  readonly changed: { readonly opacity: number; readonly scale: number; readonly rotation: number }
}

export type Sanitised =
  | {
      readonly kind: 'clean'
      readonly counts: SanitiseCounts
      /** Length of the whole file that `pieces` gives. */
      readonly bytes: number
      /** The clean file. Reads the source once more; throws when that is no longer what it was. */
      pieces(): AsyncGenerator<Uint8Array, void>
    }
  | { readonly kind: 'problem'; readonly problem: SplatProblem }

/** Beyond these an 8-bit opacity no longer differs from 0 or 1. */
const mostLogit = 12
/** Logarithms of a sigma in metres: a ten-millionth, and 7.4 m. */
const leastScale = -16
const mostScale = 2
/** How far the square of a rotation's length may be from 1: float32 arithmetic stays within. */
const unitTolerance = 1e-3

/**
 * Makes a splat PLY safe for viewers and converters, which break on what SHARP's own writer leaves where an opacity
 * saturates or an extent vanishes (`save_ply` of apple/ml-sharp clamps nothing): one `-Infinity` can spoil the scales of a
 * whole SOG file, one NaN a block of 256 splats of a compressed PLY. Clamps opacities and scales, normalises rotations,
 * drops what cannot be mended. Two passes, as the header states how many Gaussians follow; memory is flat. Bad files are
 * a verdict, not a throw.
 *
 * @example
 * const clean = await sanitiseSplat(() => createReadStream('scene.ply'), { stripExtras: true })
 * if (clean.kind === 'clean') await pipeline(clean.pieces(), createWriteStream('clean.ply'))
 */
export async function sanitiseSplat(
  open: () => AsyncIterable<Uint8Array>,
  options: SanitiseOptions = {},
): Promise<Sanitised> {
  const first = createPass(options, () => {})
  for await (const chunk of open()) {
    const problem = first.reader.add(chunk)
    if (problem !== null) return { kind: 'problem', problem }
  }
  const problem = first.reader.end()
  if (problem !== null) return { kind: 'problem', problem }
  const counts = first.counts()
  if (counts.kept === 0)
    return { kind: 'problem', problem: { code: 'no_splats', message: 'No Gaussian of the file can be used.' } }
  const header = toCleanHeader(first.header(), counts.kept, options.stripExtras ?? false)
  const head = writePlyHeader(header)

  async function* pieces(): AsyncGenerator<Uint8Array, void> {
    const ready: Uint8Array[] = [head]
    const second = createPass({ ...options, kept: counts.kept }, bytes => void ready.push(bytes))
    for await (const chunk of open()) {
      failIfChanged(second.reader.add(chunk) === null)
      yield* ready.splice(0)
    }
    failIfChanged(second.reader.end() === null && second.counts().kept === counts.kept)
    yield* ready
  }

  const bytes = header.elements.reduce((sum, element) => sum + plyElementBytes(element), head.length)
  return { kind: 'clean', counts, bytes, pieces }
}

function failIfChanged(same: boolean): void {
  if (!same) throw new Error('The file changed while it was read.')
}

function toCleanHeader(header: PlyHeader, kept: number, stripExtras: boolean): PlyHeader {
  const vertex = vertexOf(header)
  const elements = header.elements.map(element => (element === vertex ? { ...vertex, count: kept } : element))
  return { ...header, elements: stripExtras ? elements.filter(({ name }) => name === 'vertex') : elements }
}

/** One reading of the file; `emit` gets the bytes that stay, in order, without the header. */
function createPass(options: SanitiseOptions & { readonly kept?: number }, emit: (bytes: Uint8Array) => void) {
  let begun: PlyHeader | null = null
  let rows: ReturnType<typeof createRowCleaner> | null = null
  const reader = createSplatReader({
    bytes: options.bytes,
    begin(header) {
      begun = header
      const vertex = vertexOf(header)
      const cleaner = createRowCleaner(vertex, options.leastOpacity ?? 0)
      rows = cleaner
      return header.elements.map(element => {
        if (element === vertex) return createRowSection(element, values => emit(cleaner.clean(values)))
        return createCopySection(element, options, emit)
      })
    },
  })
  return {
    reader,
    header: () => begun as PlyHeader,
    counts: () => (rows as ReturnType<typeof createRowCleaner>).counts(),
  }
}

/** Passes an element on as it is, apart from SHARP's `frame`, whose second number is the count of Gaussians. */
function createCopySection(
  element: PlyElement,
  { stripExtras = false, kept }: SanitiseOptions & { readonly kept?: number },
  emit: (bytes: Uint8Array) => void,
): PlySection {
  const missing = plyElementBytes(element)
  const isFrame = element.name === 'frame' && element.count === 2 && missing === 8
  let filled = 0
  const frame = new Uint8Array(8)
  return {
    name: element.name,
    missing,
    add(bytes) {
      if (stripExtras) return
      if (!isFrame || kept === undefined) return emit(bytes.slice())
      frame.set(bytes, filled)
      filled += bytes.length
      if (filled < 8) return
      new DataView(frame.buffer).setInt32(4, kept, true)
      emit(frame)
    },
  }
}

function createRowCleaner(vertex: PlyElement, leastOpacity: number) {
  const names = vertex.properties.map(({ name }) => name)
  const stride = names.length
  const [, , , , , , atOpacity, at0, at1, at2, atW, atI, atJ, atK] = sharpProperties.map(name =>
    names.indexOf(name),
  ) as [number, number, number, number, number, number, number, number, number, number, number, number, number, number]
  const bounded = new Set([atOpacity, at0, at1, at2])
  const unbounded = [...names.keys()].filter(column => !bounded.has(column))
  const scales = [at0, at1, at2]
  const leastLogit = leastOpacity <= 0 ? Number.NEGATIVE_INFINITY : Math.log(leastOpacity / (1 - leastOpacity))
  const dropped = { nonFinite: 0, unturned: 0, faint: 0 }
  const changed = { opacity: 0, scale: 0, rotation: 0 }
  let splats = 0
  let kept = 0

  /** Mends the row at `at` of `row` in place; false when it has to go. */
  function mend(row: Float32Array, at: number): boolean {
    let total = 0
    for (let index = 0; index < unbounded.length; index++) total += row[at + (unbounded[index] as number)] as number
    const opacity = row[at + atOpacity] as number
    const extent = (row[at + at0] as number) + (row[at + at1] as number) + (row[at + at2] as number)
    // Infinities of both signs make a NaN of their sum, so each is looked at before the row is given up.
    const isNothing =
      Number.isNaN(opacity) || (Number.isNaN(extent) && scales.some(column => Number.isNaN(row[at + column])))
    if (total - total !== 0 || isNothing) {
      dropped.nonFinite++
      return false
    }
    const w = row[at + atW] as number
    const i = row[at + atI] as number
    const j = row[at + atJ] as number
    const k = row[at + atK] as number
    const square = w * w + i * i + j * j + k * k
    if (square === 0) {
      dropped.unturned++
      return false
    }
    if (opacity < leastLogit) {
      dropped.faint++
      return false
    }
    if (opacity < -mostLogit || opacity > mostLogit) {
      row[at + atOpacity] = Math.min(mostLogit, Math.max(-mostLogit, opacity))
      changed.opacity++
    }
    let isScaled = false
    for (let index = 0; index < 3; index++) {
      const column = at + (scales[index] as number)
      const scale = row[column] as number
      if (scale >= leastScale && scale <= mostScale) continue
      row[column] = Math.min(mostScale, Math.max(leastScale, scale))
      isScaled = true
    }
    if (isScaled) changed.scale++
    if (Math.abs(square - 1) > unitTolerance) {
      const factor = 1 / Math.sqrt(square)
      row[at + atW] = w * factor
      row[at + atI] = i * factor
      row[at + atJ] = j * factor
      row[at + atK] = k * factor
      changed.rotation++
    }
    return true
  }

  return {
    /** The rows that stay, mended; `values` is left as it is. */
    clean(values: Float32Array): Uint8Array {
      const rows = values.slice()
      let to = 0
      for (let from = 0; from < rows.length; from += stride) {
        if (!mend(rows, from)) continue
        if (to < from) rows.copyWithin(to, from, from + stride)
        to += stride
      }
      splats += values.length / stride
      kept += to / stride
      return new Uint8Array(rows.buffer, 0, to * 4)
    },
    counts: (): SanitiseCounts => ({ splats, kept, dropped: { ...dropped }, changed: { ...changed } }),
  }
}
