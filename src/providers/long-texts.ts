import { refuse } from '../core/failure.ts'
import type { Io } from './contract.ts'

/** Which texts of an answer are files. */
export interface InlineFiles {
  /** The key of the answer's own object under which they stand, however deep; null: anywhere. */
  readonly within: string | null
  /** Base64 without a name is a file as well, not only a data URI. */
  readonly bareBase64: boolean
}

export interface LongTextOptions extends InlineFiles {
  readonly keep: NonNullable<Io['keep']>
  /** Most bytes of everything that is not kept. */
  readonly maxTextBytes: number
  /** From how many bytes on a text may be kept. Default 64 KiB. */
  readonly longFrom?: number
}

const quote = 0x22
const backslash = 0x5c

/**
 * Reads JSON as it comes and answers its text, in which every long text that is a file in base64 is replaced by what `keep`
 * makes of its bytes: only these pass through memory. Nothing else changes, and what is no JSON stays what it is. Throws a
 * `RangeError` for more than `maxTextBytes`, and what the body and `keep` throw.
 */
export async function readLongTexts(body: AsyncIterable<Uint8Array>, options: LongTextOptions): Promise<string> {
  const { keep, within, bareBase64, longFrom = 64 * 1024 } = options
  const cursor = createCursor(body)
  const text = createText(options.maxTextBytes)
  const place = createPlace()

  async function readString(): Promise<void> {
    const string = createString(cursor)
    const isKey = place.expectsKey()
    const head = await gather(string, longFrom)
    const isLong = !string.isOver()
    const unescaped = createUnescaper()
    const start = isLong && (within === null || place.key() === within) ? unescaped(head) : null
    const named = start === null ? undefined : /^data:[^,]*;base64,/i.exec(latin1(start))?.[0]
    const file = start?.subarray(named?.length ?? 0)
    if (file !== undefined && isBase64(latin1(file)) && (named !== undefined || bareBase64)) {
      const placeholder = await keep(decode(string, unescaped, file))
      for (let left = options.maxTextBytes; ; ) {
        const rest = await string.next(left)
        if (rest === null) break
        left -= rest.length
        if (left <= 0) refuseMore(options.maxTextBytes)
      }
      text.add(Buffer.from(placeholder))
    } else {
      text.add(head)
      for (let rest = isLong ? await string.next() : null; rest !== null; rest = await string.next()) text.add(rest)
      if (isKey) place.name(head)
    }
    if (string.isClosed()) text.add(Uint8Array.of(quote))
  }

  try {
    // Most answers are short, and are asked for again and again.
    const short = await cursor.whole(longFrom)
    if (short !== null) {
      text.add(short)
      return text.end()
    }
    for (;;) {
      const rest = await cursor.rest()
      if (rest === null) return text.end()
      const { length, isInString } = passShortTexts(rest, place, longFrom)
      text.add(rest.subarray(0, length))
      cursor.skip(length)
      if (isInString) await readString()
    }
  } finally {
    await cursor.close()
  }
}

/**
 * How much of a chunk holds nothing that could be kept; a text follows then that is long or goes on in the next chunk. Without
 * a turn for each text: an answer of a million short ones would take ten seconds, and nothing else would run meanwhile.
 */
function passShortTexts(chunk: Uint8Array, place: Place, longFrom: number): { length: number; isInString: boolean } {
  for (let at = 0; ; ) {
    const open = chunk.indexOf(quote, at)
    place.pass(chunk.subarray(at, open < 0 ? chunk.length : open))
    if (open < 0) return { length: chunk.length, isInString: false }
    const close = endOfText(chunk, open + 1, longFrom)
    if (close < 0) return { length: open + 1, isInString: true }
    if (place.expectsKey()) place.name(chunk.subarray(open + 1, close))
    at = close + 1
  }
}

/** Index of the closing quote of a text that begins at `from` and has fewer than `longFrom` bytes; else -1. */
function endOfText(chunk: Uint8Array, from: number, longFrom: number): number {
  for (let at = from; at < Math.min(chunk.length, from + longFrom); at++) {
    if (chunk[at] === backslash) at += 1
    else if (chunk[at] === quote) return at
  }
  return -1
}

/** Text that is held in memory. */
function createText(maxBytes: number) {
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  return {
    add(piece: Uint8Array): void {
      bytes += piece.length
      if (bytes > maxBytes) refuseMore(maxBytes)
      text += decoder.decode(piece, { stream: true })
    },
    end: () => text + decoder.decode(),
  }
}

function refuseMore(maxBytes: number): never {
  throw new RangeError(`The answer is larger than ${maxBytes} bytes.`)
}

const nothing: Uint8Array = new Uint8Array()

interface Cursor {
  /** At the beginning: the whole body where it has fewer bytes, else null, and nothing counts as read. */
  whole(below: number): Promise<Uint8Array | null>
  /** What is unread of the current chunk, never empty; null at the end of the body. */
  rest(): Promise<Uint8Array | null>
  skip(bytes: number): void
  close(): Promise<void>
}

function createCursor(body: AsyncIterable<Uint8Array>): Cursor {
  const chunks = body[Symbol.asyncIterator]()
  let rest = nothing
  return {
    async whole(below) {
      const head: Uint8Array[] = []
      for (let length = 0; length < below; ) {
        const next = await chunks.next()
        if (next.done) return Buffer.concat(head)
        head.push(next.value)
        length += next.value.length
      }
      rest = Buffer.concat(head)
      return null
    },
    async rest() {
      while (rest.length === 0) {
        const next = await chunks.next()
        if (next.done) return null
        rest = next.value
      }
      return rest
    },
    skip(bytes) {
      // What is read is let go of at once: it may be a while until the next chunk is wanted.
      rest = bytes < rest.length ? rest.subarray(bytes) : nothing
    },
    async close() {
      await chunks.return?.()
    },
  }
}

/** Where in the JSON the cursor is, as far as it matters: at which key of the outermost object. */
type Place = ReturnType<typeof createPlace>

function createPlace() {
  let depth = 0
  let isInObject = false
  let isBeforeKey = false
  let key: string | null = null
  return {
    /** Takes what lies between strings. */
    pass(plain: Uint8Array): void {
      for (const byte of plain) {
        if (byte === 0x7b || byte === 0x5b) {
          depth++
          if (depth === 1) isInObject = isBeforeKey = byte === 0x7b
        } else if (byte === 0x7d || byte === 0x5d) depth--
        else if (depth === 1 && byte === 0x2c) isBeforeKey = isInObject
        else if (depth === 1 && byte === 0x3a) isBeforeKey = false
      }
    },
    expectsKey: () => depth === 1 && isBeforeKey,
    name(bytes: Uint8Array): void {
      key = Buffer.from(bytes).toString('utf8')
    },
    key: () => (isBeforeKey && depth === 1 ? null : key),
  }
}

interface StringReader {
  /** The next bytes of it as they stand there, at most so many; null at its end. */
  next(most?: number): Promise<Uint8Array | null>
  isOver(): boolean
  /** Its closing quote was there: the body did not end before. */
  isClosed(): boolean
}

/** The content of a string whose opening quote has been passed; at its end the cursor stands behind the closing one. */
function createString(cursor: Cursor): StringReader {
  let isEscaped = false
  let end: 'closed' | 'cut' | null = null

  /** Index of the closing quote, or -1. */
  function findQuote(bytes: Uint8Array): number {
    let from = isEscaped ? 1 : 0
    let found = bytes.indexOf(quote, from)
    for (;;) {
      const at = bytes.indexOf(backslash, from)
      if (at < 0 || (found >= 0 && found < at)) break
      from = at + 2
      if (found >= 0 && found < from) found = bytes.indexOf(quote, from)
    }
    isEscaped = found < 0 && from > bytes.length
    return found
  }

  return {
    async next(most = Number.POSITIVE_INFINITY) {
      if (end !== null) return null
      const rest = await cursor.rest()
      if (rest === null) {
        end = 'cut'
        return null
      }
      const part = rest.subarray(0, most)
      const at = findQuote(part)
      cursor.skip(at < 0 ? part.length : at + 1)
      if (at < 0) return part
      end = 'closed'
      return part.subarray(0, at)
    },
    isOver: () => end !== null,
    isClosed: () => end === 'closed',
  }
}

/** The beginning of a string; of a short one, all of it. */
async function gather(string: StringReader, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for (let left = most; left > 0; ) {
    const part = await string.next(left)
    if (part === null) break
    parts.push(part)
    left -= part.length
  }
  return Buffer.concat(parts)
}

/**
 * Takes the escapes out of the bytes of a string, one call after the other: an escape may begin in one and end in the next.
 * What no base64 could need becomes a backslash, which is none.
 */
function createUnescaper(): (bytes: Uint8Array) => Uint8Array {
  let begun = ''
  return bytes => {
    if (begun === '' && !bytes.includes(backslash)) return bytes
    const text = begun + Buffer.from(bytes).toString('latin1')
    begun = /\\(?:u[0-9a-f]{0,3})?$/i.exec(text)?.[0] ?? ''
    const plain = text
      .slice(0, text.length - begun.length)
      .replaceAll(
        /\\(?:u00([0-7][0-9a-f])|u[0-9a-f]{4}|(.))/gi,
        (_, code: string | undefined, sign: string | undefined) =>
          code === undefined ? (sign === '/' ? sign : '\\') : String.fromCharCode(Number.parseInt(code, 16)),
      )
    return Buffer.from(plain, 'latin1')
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text)
}

/** What a character of base64 is worth, of both alphabets; `padding` for `=`, `none` for anything else. */
const none = 255
const padding = 254
const values: Uint8Array = new Uint8Array(256).fill(none)
for (const alphabet of ['+/', '-_'])
  for (const [value, sign] of [
    ...`ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${alphabet}`,
  ].entries())
    values[sign.charCodeAt(0)] = value
values['='.charCodeAt(0)] = padding

/**
 * The bytes of a string in base64, of which `start` has been read; each piece is valid until the next one is asked for.
 * Fails with `output_lost` for one that is broken. By hand, because texts made of the pieces outlive a slow disk and pile up.
 */
async function* decode(
  string: StringReader,
  unescaped: (bytes: Uint8Array) => Uint8Array,
  start: Uint8Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  let buffer = new Uint8Array()
  let bits = 0
  let count = 0
  let padded = 0

  function toBytes(piece: Uint8Array): Uint8Array {
    // Base64 is longer than its bytes, and three characters may have waited.
    if (buffer.length < piece.length + 3) buffer = new Uint8Array(piece.length + 3)
    // Locals in a plain loop: it sees every character of every answer's files.
    let [word, at, length] = [bits, count, 0]
    for (let index = 0; index < piece.length; index++) {
      const value = values[piece[index] ?? 0] ?? none
      if (value < padding && padded === 0) {
        word = (word << 6) | value
        at += 1
        if (at < 4) continue
        buffer[length] = word >> 16
        buffer[length + 1] = word >> 8
        buffer[length + 2] = word
        length += 3
        word = at = 0
      } else if (value === padding && padded < 2) padded += 1
      else refuse('output_lost', 'A file in the answer holds characters that are not base64.')
    }
    bits = word
    count = at
    return buffer.subarray(0, length)
  }

  for (let piece: Uint8Array | null = start; piece !== null; piece = await string.next()) {
    const bytes = toBytes(piece === start ? start : unescaped(piece))
    if (bytes.length > 0) yield bytes
  }
  if (!string.isClosed()) refuse('output_lost', 'The answer ended within a file.')
  if (count === 1) refuse('output_lost', 'A file in the answer is no whole base64.')
  if (count === 2) yield Uint8Array.of(bits >> 4)
  if (count === 3) yield Uint8Array.of(bits >> 10, bits >> 2)
}
