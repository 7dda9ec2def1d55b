import { maxPlyHeaderBytes, type PlyElement, type PlyHeader, parsePlyHeader, plyElementBytes } from './ply-header.ts'
import { createListSection, createRowSection } from './ply-section.ts'
import { sharpProperties } from './sharp-layout.ts'
import { createVertexTally, type VertexStatistics } from './vertex-tally.ts'

/**
 * Why a file is no usable splat. `header_invalid`: not a PLY that we read. `not_a_splat`: SHARP's properties are missing
 * or not float32. `no_splats`: zero Gaussians, or none that could be seen. `too_short`, `too_long`: the counts and the bytes disagree. `non_finite`:
 * NaN or infinity. `out_of_range`: numbers that no engine writes on purpose.
 */
export type SplatProblemCode =
  | 'header_invalid'
  | 'not_a_splat'
  | 'no_splats'
  | 'too_short'
  | 'too_long'
  | 'non_finite'
  | 'out_of_range'

/** Plain JSON. What the header's extra elements do not say is null. */
export type SplatStatistics = VertexStatistics & {
  /** Size of the photo in pixels. */
  readonly image: { readonly width: number; readonly height: number } | null
  /** Focal length in pixels of the photo. */
  readonly focalPx: number | null
  readonly colorSpace: 'sRGB' | 'linearRGB' | null
  /** 10 % and 90 % quantile of 1/z, as the file states them. */
  readonly disparityQuantiles: readonly [number, number] | null
  /** The layout's version, `1.5.0` for SHARP's. */
  readonly version: string | null
  /** The first 20, each cut after 200 characters. */
  readonly comments: readonly string[]
}

export type SplatCheck =
  | { readonly valid: true; readonly statistics: SplatStatistics }
  | { readonly valid: false; readonly problem: { readonly code: SplatProblemCode; readonly message: string } }

/** Ten thousand kilometres: numbers beyond are no positions but other bytes, swapped ones for instance. */
const farthestMetres = 1e7

/**
 * Reads a splat PLY once, in pieces of any size, with flat memory, and says whether it is whole and sane. Bad bytes are a
 * verdict, not a throw; errors of the source pass through. Ends the source as soon as the verdict is sure. With `bytes`,
 * the whole length, a file that was cut is refused by its header alone. `allowNonFinite` only counts NaN and infinities:
 * SHARP's own writer leaves an infinity where an opacity saturates.
 *
 * @example
 * const check = await checkSplat(createReadStream('scene.ply'), { bytes: 66_061_086 })
 */
export async function checkSplat(
  chunks: AsyncIterable<Uint8Array>,
  options: { bytes?: number; allowNonFinite?: boolean } = {},
): Promise<SplatCheck> {
  const head = createHeaderReader()
  let body: BodyReader | null = null
  for await (const chunk of chunks) {
    let rest = chunk
    if (body === null) {
      const read = head.add(chunk)
      if (read === null) continue
      if (read.kind === 'invalid') return problem('header_invalid', `Not a PLY file that can be read: ${read.message}.`)
      const wrong = findLayoutProblem(read.header) ?? findLengthProblem(read.header, read.bytes, options.bytes)
      if (wrong !== null) return wrong
      body = createBodyReader(read.header)
      rest = read.rest
    }
    if (body.add(rest) > 0) return problem('too_long', 'The file goes on after its last element.')
  }
  if (body === null) return problem('too_short', 'The file ends within its header.')
  if (body.missing() > 0)
    return problem('too_short', `The file ends ${body.missing()} bytes before its last element does.`)
  return body.verdict(options.allowNonFinite ?? false)
}

function problem(code: SplatProblemCode, message: string): SplatCheck {
  return { valid: false, problem: { code, message } }
}

/** Gathers bytes until the header is whole; keeps at most its cap and one chunk. */
function createHeaderReader() {
  const kept = new Uint8Array(maxPlyHeaderBytes)
  let length = 0
  return {
    add(chunk: Uint8Array) {
      const taken = chunk.subarray(0, maxPlyHeaderBytes - length)
      kept.set(taken, length)
      const parsed = parsePlyHeader(kept.subarray(0, length + taken.length), length)
      const before = length
      length += taken.length
      if (parsed.kind === 'incomplete') return null
      return parsed.kind === 'invalid' ? parsed : { ...parsed, rest: chunk.subarray(parsed.bytes - before) }
    },
  }
}

function findLayoutProblem(header: PlyHeader): SplatCheck | null {
  const vertex = header.elements.find(element => element.name === 'vertex')
  if (vertex === undefined) return problem('not_a_splat', 'The file has no element "vertex".')
  const names = new Set(vertex.properties.map(property => property.name))
  const missing = sharpProperties.filter(name => !names.has(name))
  if (missing.length > 0) return problem('not_a_splat', `The vertices lack ${missing.join(', ')}.`)
  if (vertex.properties.some(property => property.type !== 'float'))
    return problem('not_a_splat', 'The vertices have properties that are not float32.')
  return vertex.count === 0 ? problem('no_splats', 'The file holds no Gaussians.') : null
}

function findLengthProblem(header: PlyHeader, headerBytes: number, actual: number | undefined): SplatCheck | null {
  const promised = header.elements.reduce((sum, element) => sum + plyElementBytes(element), headerBytes)
  if (actual === undefined || actual === promised) return null
  return problem(
    actual < promised ? 'too_short' : 'too_long',
    `The header promises ${promised} bytes, the file has ${actual}.`,
  )
}

interface BodyReader {
  /** Takes bytes; answers how many lay beyond the last element. */
  add(chunk: Uint8Array): number
  /** Bytes still to come. */
  missing(): number
  verdict(allowNonFinite: boolean): SplatCheck
}

/** Walks the elements in file order: vertices are tallied, SHARP's short lists kept, everything else passed over. */
function createBodyReader(header: PlyHeader): BodyReader {
  const vertex = header.elements.find(element => element.name === 'vertex') as PlyElement
  const tally = createVertexTally(vertex.properties.map(property => property.name))
  const sections = header.elements.map(element =>
    element === vertex ? createRowSection(element, rows => tally.add(rows)) : createListSection(element),
  )
  let current = 0
  return {
    add(chunk) {
      let rest = chunk
      while (rest.length > 0) {
        const section = sections[current]
        if (section === undefined) return rest.length
        const taken = rest.subarray(0, section.missing)
        section.add(taken)
        section.missing -= taken.length
        if (section.missing === 0) current++
        rest = rest.subarray(taken.length)
      }
      return 0
    },
    missing: () => sections.reduce((sum, section) => sum + section.missing, 0),
    verdict(allowNonFinite) {
      const faulty = tally.nonFinite
      if (faulty !== null && (!allowNonFinite || faulty.rows === vertex.count))
        return problem(
          'non_finite',
          `${faulty.rows} of ${vertex.count} Gaussians hold NaN or infinity; the first is number ${faulty.first} (${faulty.what}).`,
        )
      const strange = tally.outOfRange
      if (strange !== null)
        return problem(
          'out_of_range',
          `${strange.rows} of ${vertex.count} Gaussians are out of range; the first is number ${strange.first} (${strange.what}).`,
        )
      const statistics = tally.statistics()
      const farthest = Math.max(...[...statistics.bounds.min, ...statistics.bounds.max].map(Math.abs))
      if (farthest > farthestMetres)
        return problem('out_of_range', `Positions reach out to ${farthest}, farther than any scene.`)
      if (statistics.opacity.shareBelow2Percent === 1)
        return problem('no_splats', `All ${vertex.count} Gaussians are too faint to be seen.`)
      const lists = new Map(sections.flatMap(section => (section.list ? [[section.name, section.list()]] : [])))
      for (const [name, values] of lists)
        if (!values.every(Number.isFinite)) return problem('non_finite', `The element "${name}" holds NaN or infinity.`)
      return {
        valid: true,
        statistics: { ...statistics, ...readFacts(lists), comments: firstComments(header) },
      }
    },
  }
}

/** Statistics are kept with the prediction, so a header full of comments must not be. */
function firstComments({ comments }: PlyHeader): readonly string[] {
  return comments.slice(0, 20).map(comment => comment.slice(0, 200))
}

/** Reads SHARP's extra elements; what is absent or has another shape is null. */
function readFacts(lists: ReadonlyMap<string, readonly number[]>) {
  const [width, height] = exactly(2, lists.get('image_size')) ?? [0, 0]
  const focal = exactly(9, lists.get('intrinsic'))?.[0] ?? 0
  const [near, far] = exactly(2, lists.get('disparity')) ?? []
  const space = exactly(1, lists.get('color_space'))?.[0]
  return {
    image: width && height && width > 0 && height > 0 ? { width, height } : null,
    focalPx: focal > 0 ? focal : null,
    colorSpace: space === 0 ? ('sRGB' as const) : space === 1 ? ('linearRGB' as const) : null,
    disparityQuantiles: near === undefined || far === undefined ? null : ([near, far] as const),
    version: exactly(3, lists.get('version'))?.join('.') ?? null,
  }
}

function exactly(count: number, values: readonly number[] | undefined): readonly number[] | null {
  return values?.length === count ? values : null
}
