import { type PlyElement, type PlyType, plyElementBytes, plyRowBytes } from './ply-header.ts'

/** One element's bytes as they pass. */
export interface PlySection {
  readonly name: string
  /** Bytes still to come. */
  missing: number
  /** Takes at most `missing` bytes; whoever calls counts `missing` down. */
  add(bytes: Uint8Array): void
  /** The values of a short list, once all its bytes are there. */
  list?(): readonly number[]
}

/** Floats that are looked at in one go: small enough for the processor's cache, large enough to amortise the call. */
const blockBytes = 65_536

/** Longer lists are passed over; SHARP's longest has 64 bytes. */
const maxListBytes = 1_024

/** A section of float32 rows; `feed` gets whole rows, in a view that is valid during the call only. */
export function createRowSection(element: PlyElement, feed: (rows: Float32Array) => void): PlySection {
  return {
    name: element.name,
    missing: plyElementBytes(element),
    add: createRowFeeder(plyRowBytes(element), feed),
  }
}

/** A section that keeps the values of a short list with one property, and passes over anything else. */
export function createListSection(element: PlyElement): PlySection {
  const missing = plyElementBytes(element)
  const [property, ...others] = element.properties
  if (property === undefined || others.length > 0 || missing > maxListBytes)
    return { name: element.name, missing, add: () => {} }
  const kept = new Uint8Array(missing)
  let length = 0
  return {
    name: element.name,
    missing,
    add(bytes) {
      kept.set(bytes, length)
      length += bytes.length
    },
    list: () => readNumbers(kept, element.count, property.type),
  }
}

/**
 * Cuts bytes into whole rows of floats. Aligned bytes are viewed in place. Others (the usual case: SHARP's header has 670
 * bytes, so the floats of a file read in even pieces are never aligned) pass through one small buffer that stays cached.
 */
function createRowFeeder(rowBytes: number, feed: (rows: Float32Array) => void): (bytes: Uint8Array) => void {
  const buffer = new Uint8Array(Math.max(1, Math.floor(blockBytes / rowBytes)) * rowBytes)
  let filled = 0
  return bytes => {
    let at = 0
    while (at < bytes.length) {
      const whole = bytes.length - at - ((bytes.length - at) % rowBytes)
      if (filled === 0 && whole > 0 && (bytes.byteOffset + at) % 4 === 0) {
        const length = Math.min(whole, buffer.length)
        feed(new Float32Array(bytes.buffer, bytes.byteOffset + at, length / 4))
        at += length
        continue
      }
      const room = Math.min(bytes.length - at, buffer.length - filled)
      buffer.set(bytes.subarray(at, at + room), filled)
      at += room
      filled += room
      const ready = filled - (filled % rowBytes)
      if (ready === 0) continue
      feed(new Float32Array(buffer.buffer, 0, ready / 4))
      buffer.copyWithin(0, ready, filled)
      filled -= ready
    }
  }
}

const readers: Readonly<Record<PlyType, (view: DataView, at: number) => number>> = {
  char: (view, at) => view.getInt8(at),
  uchar: (view, at) => view.getUint8(at),
  short: (view, at) => view.getInt16(at, true),
  ushort: (view, at) => view.getUint16(at, true),
  int: (view, at) => view.getInt32(at, true),
  uint: (view, at) => view.getUint32(at, true),
  float: (view, at) => view.getFloat32(at, true),
  double: (view, at) => view.getFloat64(at, true),
}

function readNumbers(bytes: Uint8Array, count: number, type: PlyType): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return Array.from({ length: count }, (_, index) => readers[type](view, (index * bytes.length) / count))
}
