import fc from 'fast-check'
import { checkSplat } from './check.ts'
import { parsePlyHeader, plyTypeBytes } from './ply-header.ts'
import { sharpProperties, sharpVertexFloats, writeSharpPly } from './sharp-layout.ts'

/** A file and the sizes of the pieces in which it arrives. */
export interface FuzzCase {
  readonly bytes: Uint8Array
  readonly sizes: readonly number[]
}

/** Splat files with up to a few faults each, in header, body or length; about half of them are still good. */
export const nearlySplats: fc.Arbitrary<FuzzCase> = fc
  .record({
    count: fc.integer({ min: 1, max: 6 }),
    lines: rarely(fc.array(fc.tuple(fc.nat(40), lineFaults()), { minLength: 1, maxLength: 2 })),
    numbers: fc.array(fc.tuple(fc.nat(6 * sharpVertexFloats - 1), specialNumbers()), { maxLength: 2 }),
    flips: rarely(fc.array(fc.tuple(fc.nat(1_500), fc.nat(255)), { minLength: 1, maxLength: 2 })),
    length: rarely(fc.integer({ min: -300, max: 300 }), 0),
    sizes: fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 4 }),
  })
  .map(({ count, lines, numbers, flips, length, sizes }) => ({
    bytes: resize(flip(withLines(splat(count, numbers), lines), flips), length),
    sizes,
  }))

/** Headers put together from words that occur in headers, in any order. */
export const wordHeaders: fc.Arbitrary<Uint8Array> = fc
  .array(fc.array(fc.oneof(headerWords(), fc.string({ maxLength: 8 })), { maxLength: 5 }), { maxLength: 20 })
  .chain(lines => fc.constantFrom('\n', '\r\n').map(end => lines.map(words => words.join(' ')).join(end)))
  .chain(text => fc.constantFrom(text, `ply\n${text}\nend_header\n`))
  .map(text => new TextEncoder().encode(text))

/** The pieces of a file; empty ones as well, but never only empty ones. */
export async function* arrive({ bytes, sizes }: FuzzCase): AsyncGenerator<Uint8Array, void> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    const taken = sizes.every(other => other === 0) ? 1 : size
    yield bytes.subarray(at, at + taken)
    at += taken
  }
}

/** What the check says against what a slow and plain reading of the same bytes says; null where both agree. */
export async function findDisagreement(file: FuzzCase): Promise<string | null> {
  const check = await checkSplat(arrive(file))
  const informed = await checkSplat(arrive(file), { bytes: file.bytes.length })
  const verdict = check.valid ? 'valid' : check.problem.code
  if (informed.valid !== check.valid) return `${verdict} without the length, else with it`
  const isGood = isGoodSplat(file.bytes)
  return isGood === check.valid ? null : `${verdict}, but the file is ${isGood ? 'good' : 'bad'}`
}

/** Whether a header that arrives byte by byte ends as the whole of it does. */
export function endsAlike(bytes: Uint8Array): boolean {
  const whole = JSON.stringify(parsePlyHeader(bytes))
  for (let length = 1; length <= bytes.length; length++) {
    const part = parsePlyHeader(bytes.subarray(0, length), length - 1)
    if (part.kind !== 'incomplete') return JSON.stringify(part) === whole
  }
  return bytes.length === 0 || whole === '{"kind":"incomplete"}'
}

/** `fault` in one case of four; else none. */
function rarely<T>(faults: fc.Arbitrary<T[]>): fc.Arbitrary<T[]>
function rarely(fault: fc.Arbitrary<number>, none: number): fc.Arbitrary<number>
function rarely<T>(fault: fc.Arbitrary<T | T[]>, none: T | T[] = []): fc.Arbitrary<T | T[]> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(none) }, { weight: 1, arbitrary: fault })
}

function splat(count: number, numbers: readonly (readonly [number, number])[]): Uint8Array {
  const vertices = new Float32Array(count * sharpVertexFloats)
  for (let row = 0; row < count; row++)
    vertices.set([row, -row, 2 + row, 0, 0.5, 1, row - 1, -4, -5, -6, 1, 0, 0, 0], row * sharpVertexFloats)
  for (const [at, value] of numbers) vertices[at % vertices.length] = value
  const image = { width: 64, height: 48 }
  return Buffer.concat([...writeSharpPly({ vertices, image, focalPx: 50, disparityQuantiles: [0.1, 0.5] })])
}

function specialNumbers(): fc.Arbitrary<number> {
  return fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 9, 9.5, -104, -105, 100, -100.5, 1e7, -2e7, 3e38, 1e-45, -4)
}

function headerWords(): fc.Arbitrary<string> {
  return fc.constantFrom(
    ...['ply', 'format', 'binary_little_endian', 'ascii', '1.0', 'element', 'vertex', 'property', 'list', 'float'],
    ...['double', 'uchar', 'int8', 'comment', 'obj_info', 'end_header', '1', '0', '-1', '99999999999999999999', ''],
    ...['9007199254740993', '1e3', '0x10', '__proto__', 'constructor', 'x', 'opacity', '\r', '\t', '\u00a0'],
  )
}

function lineFaults(): fc.Arbitrary<(lines: string[], at: number) => void> {
  const replace = (text: string) => (lines: string[], at: number) => void lines.splice(at, 1, text)
  return fc.oneof(
    fc.constantFrom<(lines: string[], at: number) => void>(
      (lines, at) => void lines.splice(at, 1),
      (lines, at) => void lines.splice(at, 0, lines[at] ?? ''),
      (lines, at) => void lines.splice(at, 0, 'comment a word'),
      (lines, at) => void lines.splice(at, 0, 'element spare 0', 'property uchar spare'),
      (lines, at) => void lines.splice(at, 1, `${lines[at]}\r`),
      (lines, at) => void lines.splice(at, 1, `  ${lines[at]} `),
      (lines, at) =>
        void lines.splice(
          at,
          1,
          (lines[at] ?? '').replace(/\d+$/, digits => String(Number(digits) + 1)),
        ),
      (lines, at) => void lines.splice(at, 1, (lines[at] ?? '').replace('float', 'float32')),
      (lines, at) => void lines.splice(at, 1, (lines[at] ?? '').replace('float', 'double')),
    ),
    fc.array(headerWords(), { maxLength: 4 }).map(words => replace(words.join(' '))),
  )
}

function withLines(
  bytes: Uint8Array,
  faults: readonly (readonly [number, (lines: string[], at: number) => void])[],
): Uint8Array {
  const parsed = parsePlyHeader(bytes)
  if (parsed.kind !== 'header' || faults.length === 0) return bytes
  const lines = new TextDecoder().decode(bytes.subarray(0, parsed.bytes)).trimEnd().split('\n')
  for (const [at, change] of faults) change(lines, at % lines.length)
  return Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), bytes.subarray(parsed.bytes)])
}

function flip(bytes: Uint8Array, flips: readonly (readonly [number, number])[]): Uint8Array {
  const copy = bytes.slice()
  for (const [at, value] of flips) if (at < copy.length) copy[at] = value
  return copy
}

function resize(bytes: Uint8Array, more: number): Uint8Array {
  return more < 0 ? bytes.subarray(0, more) : Buffer.concat([bytes, new Uint8Array(more)])
}

/** The rules of `checkSplat`, read from its docstrings and written down once more, number by number, without any haste. */
function isGoodSplat(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.subarray(0, 65_536)).toString('latin1')
  const end = /\nend_header\r?\n/.exec(text)
  if (end === null) return false
  const headerBytes = end.index + end[0].length
  const lines = new TextDecoder().decode(bytes.subarray(0, end.index)).split('\n')
  if (lines.shift()?.replace(/\r$/, '') !== 'ply') return false
  const formats: string[] = []
  const elements: { name: string; count: number; properties: { name: string; bytes: number; type: string }[] }[] = []
  for (const line of lines) {
    const [keyword, ...words] = line.trim().split(/\s+/)
    if (keyword === 'comment' || keyword === 'obj_info') continue
    if (keyword === 'format') formats.push(words.join(' '))
    else if (keyword === 'element' && words.length === 2 && /^\d{1,16}$/.test(words[1] ?? '')) {
      elements.push({ name: words[0] ?? '', count: Number(words[1]), properties: [] })
    } else if (keyword === 'property' && words.length === 2 && elements.length > 0) {
      const short = { float32: 'float', float64: 'double', int8: 'char', uint8: 'uchar' } as Record<string, string>
      const others = { int16: 'short', uint16: 'ushort', int32: 'int', uint32: 'uint' } as Record<string, string>
      const word = words[0] ?? ''
      const type = [short, others].flatMap(names => (Object.hasOwn(names, word) ? [names[word]] : []))[0] ?? word
      if (!Object.hasOwn(plyTypeBytes, type)) return false
      const size = plyTypeBytes[type as keyof typeof plyTypeBytes]
      elements.at(-1)?.properties.push({ name: words[1] ?? '', bytes: size, type })
    } else return false
  }
  if (formats.join() !== 'binary_little_endian 1.0') return false
  if (new Set(elements.map(({ name }) => name)).size < elements.length) return false
  if (elements.some(({ properties: list }) => new Set(list.map(({ name }) => name)).size < list.length)) return false
  const vertex = elements.find(({ name }) => name === 'vertex')
  if (vertex === undefined || vertex.count === 0 || vertex.properties.some(({ type }) => type !== 'float')) return false
  const names = vertex.properties.map(({ name }) => name)
  if (sharpProperties.some(name => !names.includes(name))) return false

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = headerBytes
  let seen = 0
  for (const { name, count, properties } of elements) {
    const rowBytes = properties.reduce((sum, { bytes }) => sum + bytes, 0)
    if (!(at + count * rowBytes <= bytes.length)) return false
    if (name === 'vertex') {
      for (let row = 0; row < count; row++) {
        const values = names.map((property, column) => {
          const number = view.getFloat32(at + row * rowBytes + column * 4, true)
          // What SHARP's writer leaves is as good as the nearest number in range.
          if (property === 'opacity' && Math.abs(number) === Infinity) return number > 0 ? 100 : -100
          return /^scale_[012]$/.test(property) && number === -Infinity ? -104 : number
        })
        const value = (property: string) => values[names.indexOf(property)] ?? NaN
        if (!values.every(Number.isFinite)) return false
        if (Math.abs(value('opacity')) > 100) return false
        if ([0, 1, 2].some(axis => value(`scale_${axis}`) < -104 || value(`scale_${axis}`) > 9)) return false
        if ([0, 1, 2, 3].every(axis => value(`rot_${axis}`) === 0)) return false
        if (['x', 'y', 'z'].some(axis => Math.abs(value(axis)) > 1e7)) return false
        if (1 / (1 + Math.exp(-value('opacity'))) >= 0.02) seen++
      }
    } else if (properties.length === 1 && count * rowBytes <= 1_024) {
      const read = { float: 'getFloat32', double: 'getFloat64' }[properties[0]?.type ?? ''] as 'getFloat32' | undefined
      for (let row = 0; read !== undefined && row < count; row++)
        if (!Number.isFinite(view[read](at + row * rowBytes, true))) return false
    }
    at += count * rowBytes
  }
  return at === bytes.length && seen > 0
}
