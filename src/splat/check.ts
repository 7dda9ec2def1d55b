import type { PlyHeader } from './ply-header.ts'
import { createListSection, createRowSection, type PlySection } from './ply-section.ts'
import { createSplatReader, type SplatProblem, type SplatProblemCode, vertexOf } from './splat-reader.ts'
import { createVertexTally, type VertexStatistics } from './vertex-tally.ts'

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
  | { readonly valid: false; readonly problem: SplatProblem }

/** Ten thousand kilometres: numbers beyond are no positions but other bytes, swapped ones for instance. */
const farthestMetres = 1e7

/**
 * Reads a splat PLY once, in pieces of any size, with flat memory, and says whether it is whole and sane. Bad bytes are a
 * verdict, not a throw; errors of the source pass through. Ends the source as soon as the verdict is sure. With `bytes`,
 * the whole length, a file that was cut is refused by its header alone. NaN and infinities are refused, except those that
 * SHARP's own writer leaves where an opacity saturates or a Gaussian has no extent: they are counted (`saturated`).
 *
 * @example
 * const check = await checkSplat(createReadStream('scene.ply'), { bytes: 66_061_086 })
 */
export async function checkSplat(
  chunks: AsyncIterable<Uint8Array>,
  options: { bytes?: number } = {},
): Promise<SplatCheck> {
  let body: Body | null = null
  const reader = createSplatReader({
    bytes: options.bytes,
    begin(header) {
      body = createBody(header)
      return body.sections
    },
  })
  for await (const chunk of chunks) {
    const found = reader.add(chunk)
    if (found !== null) return { valid: false, problem: found }
  }
  const found = reader.end()
  if (found !== null) return { valid: false, problem: found }
  return (body as Body | null)?.verdict() ?? refused('too_short', 'The file is empty.')
}

function refused(code: SplatProblemCode, message: string): SplatCheck {
  return { valid: false, problem: { code, message } }
}

interface Body {
  readonly sections: readonly PlySection[]
  verdict(): SplatCheck
}

/** Vertices are tallied, SHARP's short lists kept, everything else passed over. */
function createBody(header: PlyHeader): Body {
  const vertex = vertexOf(header)
  const tally = createVertexTally(vertex.properties.map(property => property.name))
  const sections = header.elements.map(element =>
    element === vertex ? createRowSection(element, rows => tally.add(rows)) : createListSection(element),
  )
  return {
    sections,
    verdict() {
      const faulty = tally.nonFinite
      if (faulty !== null)
        return refused(
          'non_finite',
          `${faulty.rows} of ${vertex.count} Gaussians hold NaN or infinity; the first is number ${faulty.first} (${faulty.what}).`,
        )
      const strange = tally.outOfRange
      if (strange !== null)
        return refused(
          'out_of_range',
          `${strange.rows} of ${vertex.count} Gaussians are out of range; the first is number ${strange.first} (${strange.what}).`,
        )
      const statistics = tally.statistics()
      const farthest = Math.max(...[...statistics.bounds.min, ...statistics.bounds.max].map(Math.abs))
      if (farthest > farthestMetres)
        return refused('out_of_range', `Positions reach out to ${farthest}, farther than any scene.`)
      if (statistics.opacity.shareBelow2Percent === 1)
        return refused('no_splats', `All ${vertex.count} Gaussians are too faint to be seen.`)
      const lists = new Map(sections.flatMap(section => (section.list ? [[section.name, section.list()]] : [])))
      for (const [name, values] of lists)
        if (!values.every(Number.isFinite)) return refused('non_finite', `The element "${name}" holds NaN or infinity.`)
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
