import { maxPlyHeaderBytes, type PlyElement, type PlyHeader, parsePlyHeader, plyElementBytes } from './ply-header.ts'
import type { PlySection } from './ply-section.ts'
import { sharpProperties } from './sharp-layout.ts'

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

/** Why a file is no usable splat; `message` is one sentence for people. */
export interface SplatProblem {
  readonly code: SplatProblemCode
  readonly message: string
}

/** Takes a file's bytes in pieces of any size. After a problem it must not be fed any more. */
export interface SplatReader {
  add(chunk: Uint8Array): SplatProblem | null
  /** To be called when the file has ended. */
  end(): SplatProblem | null
}

/**
 * Walks through a splat PLY as its bytes pass: refuses it by its header where its layout or its length (`bytes`, where
 * known) is wrong, else hands each element's bytes to the section that `begin` made for it, one per element, in order.
 */
export function createSplatReader(options: {
  readonly bytes?: number | undefined
  begin(header: PlyHeader): readonly PlySection[]
}): SplatReader {
  const head = createHeaderReader()
  let sections: readonly PlySection[] | null = null
  let current = 0

  /** Answers whether bytes lay beyond the last element. */
  function addBody(chunk: Uint8Array, sections: readonly PlySection[]): boolean {
    for (let rest = chunk; rest.length > 0; ) {
      const section = sections[current]
      if (section === undefined) return true
      const taken = rest.subarray(0, section.missing)
      section.add(taken)
      section.missing -= taken.length
      if (section.missing === 0) current++
      rest = rest.subarray(taken.length)
    }
    return false
  }

  return {
    add(chunk) {
      let rest = chunk
      if (sections === null) {
        const read = head.add(chunk)
        if (read === null) return null
        if (read.kind === 'invalid')
          return problem('header_invalid', `Not a PLY file that can be read: ${read.message}.`)
        const wrong = findLayoutProblem(read.header) ?? findLengthProblem(read.header, read.bytes, options.bytes)
        if (wrong !== null) return wrong
        sections = options.begin(read.header)
        rest = read.rest
      }
      return addBody(rest, sections) ? problem('too_long', 'The file goes on after its last element.') : null
    },
    end() {
      if (sections === null) return problem('too_short', 'The file ends within its header.')
      const missing = sections.reduce((sum, section) => sum + section.missing, 0)
      return missing === 0 ? null : problem('too_short', `The file ends ${missing} bytes before its last element does.`)
    },
  }
}

/** The vertices of a header that a reader has accepted. */
export function vertexOf(header: PlyHeader): PlyElement {
  return header.elements.find(element => element.name === 'vertex') as PlyElement
}

function problem(code: SplatProblemCode, message: string): SplatProblem {
  return { code, message }
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

function findLayoutProblem(header: PlyHeader): SplatProblem | null {
  const vertex = header.elements.find(element => element.name === 'vertex')
  if (vertex === undefined) return problem('not_a_splat', 'The file has no element "vertex".')
  const names = new Set(vertex.properties.map(property => property.name))
  const missing = sharpProperties.filter(name => !names.has(name))
  if (missing.length > 0) return problem('not_a_splat', `The vertices lack ${missing.join(', ')}.`)
  if (vertex.properties.some(property => property.type !== 'float'))
    return problem('not_a_splat', 'The vertices have properties that are not float32.')
  return vertex.count === 0 ? problem('no_splats', 'The file holds no Gaussians.') : null
}

function findLengthProblem(header: PlyHeader, headerBytes: number, actual: number | undefined): SplatProblem | null {
  const promised = header.elements.reduce((sum, element) => sum + plyElementBytes(element), headerBytes)
  if (actual === undefined || actual === promised) return null
  return problem(
    actual < promised ? 'too_short' : 'too_long',
    `The header promises ${promised} bytes, the file has ${actual}.`,
  )
}
