/** What CBOR carries for us: JSON's values and bytes. */
export type CborValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly CborValue[]
  | { readonly [key: string]: CborValue | undefined }

/** Deeper than this is no honest value. */
const deepest = 64

/** A value as CBOR (RFC 8949). Keys whose value is undefined are left out, as in JSON. */
export function encodeCbor(value: CborValue): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = []
  write(value, parts)
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.byteLength
  }
  return all
}

function write(value: CborValue, parts: Uint8Array[]): void {
  if (value === null || typeof value === 'boolean')
    parts.push(Uint8Array.of(value === null ? 0xf6 : value ? 0xf5 : 0xf4))
  else if (typeof value === 'number') parts.push(numberBytes(value))
  else if (typeof value === 'string') {
    const bytes = new TextEncoder().encode(value)
    parts.push(head(3, bytes.byteLength), bytes)
  } else if (value instanceof Uint8Array) parts.push(head(2, value.byteLength), value)
  else if (isList(value)) {
    parts.push(head(4, value.length))
    for (const each of value) write(each, parts)
  } else {
    const entries = Object.entries(value).filter(([, each]) => each !== undefined)
    parts.push(head(5, entries.length))
    for (const [key, each] of entries) {
      write(key, parts)
      write(each ?? null, parts)
    }
  }
}

function isList(value: readonly CborValue[] | { readonly [key: string]: CborValue | undefined }): value is CborValue[] {
  return Array.isArray(value)
}

function numberBytes(value: number): Uint8Array {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return value < 0 ? head(1, -1 - value) : head(0, value)
  const bytes = new Uint8Array(9)
  bytes[0] = 0xfb
  new DataView(bytes.buffer).setFloat64(1, value)
  return bytes
}

/** The first bytes of a value: its major type and its number or length. */
function head(major: number, length: number): Uint8Array {
  const type = major << 5
  if (length < 24) return Uint8Array.of(type | length)
  const size = length < 0x100 ? 1 : length < 0x1_0000 ? 2 : length < 0x1_0000_0000 ? 4 : 8
  const bytes = new Uint8Array(1 + size)
  const view = new DataView(bytes.buffer)
  bytes[0] = type | (24 + Math.log2(size))
  if (size === 1) view.setUint8(1, length)
  else if (size === 2) view.setUint16(1, length)
  else if (size === 4) view.setUint32(1, length)
  else view.setBigUint64(1, BigInt(length))
  return bytes
}

/**
 * Reads one CBOR value. Tags (dates, sets) are read as what they wrap, undefined as null, integers beyond 2^53 inexactly.
 * Fails with `RangeError` on anything that is cut off, too deep or no CBOR.
 */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0

  function take(length: number): number {
    const from = at
    if (length > bytes.byteLength - from) throw new RangeError('CBOR that is cut off.')
    at += length
    return from
  }

  /** The number that follows a first byte; null: of indefinite length. */
  function lengthOf(info: number): number | null {
    if (info < 24) return info
    if (info === 24) return view.getUint8(take(1))
    if (info === 25) return view.getUint16(take(2))
    if (info === 26) return view.getUint32(take(4))
    if (info === 27) return Number(view.getBigUint64(take(8)))
    if (info === 31) return null
    throw new RangeError('No CBOR: a reserved length.')
  }

  function isBreak(): boolean {
    if (bytes[at] !== 0xff) return false
    at += 1
    return true
  }

  function* items(length: number | null): Generator<void> {
    if (length === null) while (!isBreak()) yield
    else for (let index = 0; index < length; index++) yield
  }

  function chunks(length: number | null, depth: number): Uint8Array {
    if (length !== null) {
      const from = take(length)
      return bytes.subarray(from, from + length)
    }
    const parts: number[] = []
    while (!isBreak()) {
      const part = read(depth + 1)
      const piece = typeof part === 'string' ? new TextEncoder().encode(part) : part
      if (!(piece instanceof Uint8Array)) throw new RangeError('No CBOR: a string of other things.')
      for (const byte of piece) parts.push(byte)
    }
    return Uint8Array.from(parts)
  }

  function simple(info: number): CborValue {
    if (info === 20 || info === 21) return info === 21
    if (info === 22 || info === 23) return null
    if (info === 25) return halfFloat(view.getUint16(take(2)))
    if (info === 26) return view.getFloat32(take(4))
    if (info === 27) return view.getFloat64(take(8))
    throw new RangeError('No CBOR: a simple value that means nothing.')
  }

  function read(depth: number): CborValue {
    if (depth > deepest) throw new RangeError('CBOR that is too deep.')
    const first = view.getUint8(take(1))
    const [major, info] = [first >> 5, first & 31]
    if (major === 7) return simple(info)
    const length = lengthOf(info)
    switch (major) {
      case 2:
        return chunks(length, depth)
      case 3:
        return new TextDecoder().decode(chunks(length, depth))
      case 4: {
        const list: CborValue[] = []
        for (const _ of items(length)) list.push(read(depth + 1))
        return list
      }
      case 5: {
        const entries: [string, CborValue][] = []
        for (const _ of items(length)) entries.push([keyOf(read(depth + 1)), read(depth + 1)])
        return Object.fromEntries(entries)
      }
      case 6:
        return read(depth + 1)
    }
    if (length === null) throw new RangeError('No CBOR: an integer without a value.')
    return major === 0 ? length : -1 - length
  }

  return read(0)
}

function keyOf(value: CborValue): string {
  return typeof value === 'string' ? value : String(value)
}

/** Sixteen bits: sign, five of exponent, ten of fraction. */
function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}
