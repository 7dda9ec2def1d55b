/** Scalar types of a PLY property, with their size in bytes. Both naming families occur in the wild. */
export const plyTypeBytes = {
  char: 1,
  uchar: 1,
  short: 2,
  ushort: 2,
  int: 4,
  uint: 4,
  float: 4,
  double: 8,
} as const

export type PlyType = keyof typeof plyTypeBytes

/** A named column of an element. */
export interface PlyProperty {
  readonly name: string
  readonly type: PlyType
}

/** A table of the file: `count` rows with the same scalar properties. */
export interface PlyElement {
  readonly name: string
  readonly count: number
  readonly properties: readonly PlyProperty[]
}

/** What a PLY file says about itself before its data begins. */
export interface PlyHeader {
  /** Text of the `comment` lines, in order. */
  readonly comments: readonly string[]
  /** In the order in which their rows follow in the file. */
  readonly elements: readonly PlyElement[]
}

/** `incomplete`: the bytes end before the header does. */
export type ParsedPlyHeader =
  | { readonly kind: 'header'; readonly header: PlyHeader; readonly bytes: number }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid'; readonly message: string }

/** Longest header that is read. Real ones stay under 2 KiB; a stream without an end of header must not fill memory. */
export const maxPlyHeaderBytes = 65_536

const aliases: Readonly<Record<string, PlyType>> = {
  int8: 'char',
  uint8: 'uchar',
  int16: 'short',
  uint16: 'ushort',
  int32: 'int',
  uint32: 'uint',
  float32: 'float',
  float64: 'double',
}

const newline = 0x0a
const magic = 'ply'

/**
 * Reads the header at the start of `bytes`: binary little endian 1.0, elements with scalar properties. Never throws.
 * `from` is where an earlier, incomplete call stopped looking, so that a header that arrives byte by byte is scanned once.
 */
export function parsePlyHeader(bytes: Uint8Array, from = 0): ParsedPlyHeader {
  const end = findHeaderEnd(bytes, from)
  if (end > maxPlyHeaderBytes || (end < 0 && bytes.length >= maxPlyHeaderBytes))
    return invalid(`no end of header within ${maxPlyHeaderBytes} bytes`)
  // Refuses anything else by its first bytes: a 66 MB picture need not be read up to the cap.
  for (let index = 0; index < Math.min(magic.length, bytes.length); index++)
    if (bytes[index] !== magic.charCodeAt(index)) return invalid('the file does not begin with "ply"')
  if (end < 0) return { kind: 'incomplete' }
  const lines = new TextDecoder().decode(bytes.subarray(0, end)).split('\n')
  return parseLines(lines.map(line => line.replace(/\r$/, '')).slice(0, -1), end)
}

/** The bytes of a header; `binary_little_endian`, LF line ends. Comments must be single lines, names single words. */
export function writePlyHeader(header: PlyHeader): Uint8Array {
  const lines = ['ply', 'format binary_little_endian 1.0', ...header.comments.map(comment => `comment ${comment}`)]
  for (const element of header.elements) {
    lines.push(`element ${element.name} ${element.count}`)
    for (const property of element.properties) lines.push(`property ${property.type} ${property.name}`)
  }
  lines.push('end_header')
  if (lines.some(line => /[\r\n]/.test(line))) throw new TypeError('A PLY header line must not hold a line break')
  return new TextEncoder().encode(`${lines.join('\n')}\n`)
}

/** Bytes of one row. */
export function plyRowBytes(element: PlyElement): number {
  return element.properties.reduce((sum, property) => sum + plyTypeBytes[property.type], 0)
}

/** Bytes of all rows. */
export function plyElementBytes(element: PlyElement): number {
  return element.count * plyRowBytes(element)
}

/** Index after the line `end_header`, or -1. Looks at each byte after `from` once, apart from one line's overlap. */
function findHeaderEnd(bytes: Uint8Array, from: number): number {
  const word = 'end_header'
  const limit = Math.min(bytes.length, maxPlyHeaderBytes + 1)
  for (let at = bytes.indexOf(newline, from); at >= 0 && at < limit; at = bytes.indexOf(newline, at + 1)) {
    const stop = bytes[at - 1] === 0x0d ? at - 1 : at
    const start = stop - word.length
    if (start < 1 || bytes[start - 1] !== newline) continue
    if ([...word].every((letter, index) => bytes[start + index] === letter.charCodeAt(0))) return at + 1
  }
  return -1
}

function parseLines(lines: readonly string[], bytes: number): ParsedPlyHeader {
  const comments: string[] = []
  const elements: { name: string; count: number; properties: PlyProperty[] }[] = []
  const names = new Set<string>()
  let format: string | null = null
  if (lines[0] !== magic) return invalid('the first line is not "ply"')
  for (const line of lines.slice(1, -1)) {
    const words = line.trim().split(/\s+/)
    const [keyword, first, second, ...rest] = words
    if (keyword === 'comment') comments.push(line.slice('comment'.length).trim())
    else if (keyword === 'obj_info') continue
    else if (keyword === 'format') {
      if (format !== null) return invalid('two format lines')
      format = words.slice(1).join(' ')
    } else if (keyword === 'element') {
      if (first === undefined || second === undefined || rest.length > 0) return invalid(`bad line: ${quote(line)}`)
      const count = parseCount(second)
      if (count === null) return invalid(`bad count of element ${quote(first)}: ${quote(second)}`)
      if (names.has(first)) return invalid(`element ${quote(first)} occurs twice`)
      names.add(first)
      elements.push({ name: first, count, properties: [] })
    } else if (keyword === 'property') {
      const element = elements.at(-1)
      if (element === undefined) return invalid('a property before the first element')
      if (first === 'list') return invalid(`element ${quote(element.name)} has a list property`)
      const type = first === undefined ? undefined : parseType(first)
      if (type === undefined || second === undefined || rest.length > 0) return invalid(`bad line: ${quote(line)}`)
      element.properties.push({ name: second, type })
    } else return invalid(`unknown line: ${quote(line)}`)
  }
  if (format !== 'binary_little_endian 1.0')
    return invalid(`format ${quote(format ?? 'missing')}, wanted binary_little_endian 1.0`)
  for (const element of elements)
    if (new Set(element.properties.map(property => property.name)).size < element.properties.length)
      return invalid(`element ${quote(element.name)} names a property twice`)
  // Beyond 2^53 sums of bytes would no longer be exact, and a wrong length could look right.
  const body = elements.reduce((sum, element) => sum + plyElementBytes(element), 0)
  if (!Number.isSafeInteger(body)) return invalid('the counts add up to more bytes than a file can have')
  return { kind: 'header', header: { comments, elements }, bytes }
}

function parseType(word: string): PlyType | undefined {
  if (Object.hasOwn(plyTypeBytes, word)) return word as PlyType
  return Object.hasOwn(aliases, word) ? aliases[word] : undefined
}

function parseCount(word: string): number | null {
  if (!/^\d{1,16}$/.test(word)) return null
  const count = Number(word)
  return Number.isSafeInteger(count) ? count : null
}

/** Header text comes from outside and ends up in messages: keep it short and printable. */
function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)
}

function invalid(message: string): ParsedPlyHeader {
  return { kind: 'invalid', message }
}
