import { crc32, inflateSync } from 'node:zlib'

/** Tags of the IFD that holds coordinates, and of the one that holds the camera's settings (Exif 3.0, section 4.6.3). */
const gpsPointer = 0x8825
const exifPointer = 0x8769
/** Bytes of a value by its type, 1 to 13 (TIFF 6.0, section 2, and the 32-bit pointer of later registrations). */
const typeBytes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4]
/** A thumbnail follows the picture, and each may have settings of its own; more is a loop. */
const mostDirectories = 8
const mostXmpBytes = 4_000_000
/** Exif 3.0 knows 32 tags of position. */
const mostGpsEntries = 64

/**
 * Exif without its coordinates, byte for byte as long and everything else where it was: the focal length stays. Null where
 * it holds none. What cannot be read holds none for any reader.
 */
export function exifWithoutLocation(exif: Uint8Array): Uint8Array | null {
  const start = startsWith(exif, 'Exif\0\0') ? 6 : 0
  const order = readLatin(exif, start, 2)
  if (order !== 'II' && order !== 'MM') return null
  const copy = Uint8Array.from(exif)
  const tiff = createTiff(copy.subarray(start), order === 'II')
  let found = false
  const waiting = [tiff.u32(4)]
  for (let seen = 0; seen < mostDirectories; seen++) {
    const at = waiting.shift()
    if (at === undefined) break
    if (at < 8) continue
    // Backwards, because an entry that goes is closed up by those behind it.
    for (let index = tiff.entries(at) - 1; index >= 0; index--) {
      const entry = at + 2 + 12 * index
      const tag = tiff.u16(entry)
      if (tag === exifPointer) waiting.push(tiff.u32(entry + 8))
      if (tag !== gpsPointer) continue
      found = true
      tiff.eraseDirectory(tiff.u32(entry + 8))
      tiff.removeEntry(at, index)
    }
    waiting.push(tiff.u32(at + 2 + 12 * tiff.entries(at)))
  }
  return found ? copy : null
}

/** `GPS` in UTF-8, in UTF-16 and in UTF-32, of either order of bytes. */
const gps = ['GPS', 'G\0P\0S', 'G\0\0\0P\0\0\0S'].map(text => Buffer.from(text, 'latin1'))

/**
 * An XMP packet, blank, where it speaks of coordinates (`exif:GPS...`, in any encoding of Unicode); else null. Searched as it is:
 * one of 4 MB packs into 4 KB, and a file may hold hundreds of those.
 */
export function xmpWithoutLocation(packet: Uint8Array): Uint8Array | null {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength)
  return gps.some(name => bytes.includes(name)) ? new Uint8Array(packet.length).fill(0x20) : null
}

/** The Exif item of a HEIF file: four bytes say how far behind them the TIFF header is (ISO/IEC 23008-12, annex A). */
export function heifExifWithoutLocation(item: Uint8Array): Uint8Array | null {
  if (item.length < 4) return null
  const start = 4 + new DataView(item.buffer, item.byteOffset).getUint32(0)
  const clean = exifWithoutLocation(item.subarray(start))
  if (clean === null) return null
  const copy = Uint8Array.from(item)
  copy.set(clean, start)
  return copy
}

/**
 * A whole PNG chunk from its name to its checksum, without coordinates; null where it has none. Exif keeps the rest; XMP
 * that tells, and metadata in old forms that we do not read, go as a whole, under a name that every reader passes over.
 */
export function pngChunkWithoutLocation(chunk: Uint8Array): Uint8Array | null {
  const copy = Uint8Array.from(chunk)
  const data = copy.subarray(4, -4)
  if (readLatin(chunk, 0, 4) === 'eXIf') {
    const clean = exifWithoutLocation(data)
    if (clean === null) return null
    data.set(clean)
  } else {
    if (!startsWith(data, 'XML:com.adobe.xmp\0') && !startsWith(data, 'Raw profile type ')) return null
    const packet = pngXmp(readLatin(chunk, 0, 4), data)
    if (packet !== null && xmpWithoutLocation(packet) === null) return null
    copy.set(Buffer.from('skIp', 'latin1'))
    data.fill(0)
  }
  new DataView(copy.buffer, copy.byteOffset).setUint32(copy.length - 4, crc32(copy.subarray(0, -4)))
  return copy
}

/** The XMP in a chunk of text, unpacked; null for everything else, and for what cannot be unpacked within reason. */
function pngXmp(name: string, data: Uint8Array): Uint8Array | null {
  const start = 'XML:com.adobe.xmp\0'.length
  if (!startsWith(data, 'XML:')) return null
  if (name === 'tEXt') return data.subarray(start)
  if (name === 'zTXt') return unpack(data.subarray(start + 1))
  // Whether it is packed, how, its language and its keyword in that language come first.
  const language = data.indexOf(0, start + 2)
  const text = data.subarray(data.indexOf(0, language + 1) + 1)
  return data[start] === 0 ? text : unpack(text)
}

function unpack(text: Uint8Array): Uint8Array | null {
  try {
    return inflateSync(text, { maxOutputLength: mostXmpBytes })
  } catch {
    return null
  }
}

/** Reads and changes a TIFF structure; what lies outside of it reads as zero and stays as it is. */
function createTiff(bytes: Uint8Array, isLittle: boolean) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const has = (at: number, size: number) => at >= 0 && at + size <= bytes.length
  const u16 = (at: number) => (has(at, 2) ? view.getUint16(at, isLittle) : 0)
  const u32 = (at: number) => (has(at, 4) ? view.getUint32(at, isLittle) : 0)
  /** As many as it says, or as there is room for. */
  const entries = (at: number) => Math.max(0, Math.min(u16(at), Math.floor((bytes.length - at - 2) / 12)))
  const erase = (at: number, size: number) => void bytes.fill(0, Math.min(at, bytes.length), at + size)

  return {
    u16,
    u32,
    entries,
    eraseDirectory(at: number): void {
      if (at < 8) return
      const count = entries(at)
      for (let index = 0; index < Math.min(count, mostGpsEntries); index++) {
        const entry = at + 2 + 12 * index
        const size = (typeBytes[u16(entry + 2)] ?? 0) * u32(entry + 4)
        if (size > 4) erase(u32(entry + 8), size)
      }
      erase(at, 2 + 12 * count)
    },
    removeEntry(at: number, index: number): void {
      const count = entries(at)
      const entry = at + 2 + 12 * index
      const end = Math.min(bytes.length, at + 2 + 12 * count + 4)
      bytes.copyWithin(entry, entry + 12, end)
      erase(end - 12, 12)
      view.setUint16(at, count - 1, isLittle)
    },
  }
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return readLatin(bytes, 0, text.length) === text
}

function readLatin(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', at, at + length)
}
