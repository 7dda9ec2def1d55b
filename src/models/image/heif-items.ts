import { readName, readUint } from './byte-reader.ts'
import { children, type InnerBox } from './heif-boxes.ts'

/** A piece of the file that holds (a part of) an item of metadata. */
export interface MetadataItem {
  readonly kind: 'exif' | 'xmp'
  readonly at: number
  readonly bytes: number
  /** All of the item stands here; a part of one cannot be read alone. */
  readonly isWhole: boolean
}

/**
 * Where the Exif and XMP items of a HEIF file stand (ISO/IEC 14496-12, section 8.11): `iinf` names items and their kinds,
 * `iloc` where their bytes are, in the file or in `idat`. `metaStart` is where the content of `meta` stands in the file. One by
 * one: a description may name millions of pieces.
 */
export function* findMetadataItems(meta: Uint8Array, metaStart: number): Generator<MetadataItem, void, undefined> {
  const kinds = new Map<number, MetadataItem['kind']>()
  const names = firstBox(meta, 'iinf')
  if (names !== undefined) for (const [id, kind] of kindsOf(names.body)) kinds.set(id, kind)
  const locations = firstBox(meta, 'iloc')
  if (kinds.size === 0 || locations === undefined) return
  const data = firstBox(meta, 'idat')
  const idatStart = data === undefined ? null : metaStart + data.at
  for (const { id, inIdat, at, bytes, isWhole } of extentsOf(locations.body)) {
    const kind = kinds.get(id)
    const start = inIdat ? idatStart : 0
    if (kind !== undefined && start !== null && bytes > 0) yield { kind, at: start + at, bytes, isWhole }
  }
}

function firstBox(body: Uint8Array, wanted: string): InnerBox | undefined {
  for (const box of children(body)) if (box.name === wanted) return box
  return undefined
}

function* kindsOf(iinf: Uint8Array): Generator<readonly [id: number, kind: MetadataItem['kind']]> {
  for (const { name, body } of children(iinf.subarray(iinf[0] === 0 ? 6 : 8))) {
    const version = body[0] ?? 0
    if (name !== 'infe' || version < 2) continue
    const read = createFields(body, 4)
    const id = read(version === 2 ? 2 : 4)
    const type = readName(body, version === 2 ? 8 : 10)
    if (type === 'Exif') yield [id, 'exif']
    // Its name, which may be anything, stands before the type of its content.
    if (type === 'mime' && Buffer.from(body).includes('application/rdf+xml')) yield [id, 'xmp']
  }
}

function* extentsOf(iloc: Uint8Array) {
  const version = iloc[0] ?? 0
  const read = createFields(iloc, 4)
  const sizes = read(2)
  const [offsetSize, lengthSize, baseSize] = [sizes >>> 12, (sizes >>> 8) & 15, (sizes >>> 4) & 15]
  const indexSize = version === 0 ? 0 : sizes & 15
  // Extents without a length would be a loop that reads nothing.
  if (lengthSize === 0) return
  const count = read(version < 2 ? 2 : 4)
  for (let item = 0; item < count && !read.isOver(); item++) {
    const id = read(version < 2 ? 2 : 4)
    const inIdat = version > 0 && (read(2) & 15) === 1
    read(2)
    const base = read(baseSize)
    const extents = read(2)
    for (let extent = 0; extent < extents && !read.isOver(); extent++) {
      read(indexSize)
      const at = base + read(offsetSize)
      yield { id, inIdat, at, bytes: read(lengthSize), isWhole: extents === 1 }
    }
  }
}

/** Reads one unsigned number after the other, of 0, 1, 2, 4 or 8 bytes; past the end they are zero. */
function createFields(bytes: Uint8Array, start: number) {
  let at = start
  const read = (size: number): number => {
    let value = 0
    for (let index = 0; index < size; index++) value = value * 256 + (bytes[at + index] ?? 0)
    at += size
    return value
  }
  return Object.assign(read, { isOver: () => at >= bytes.length })
}

/** The TIFF structure of a HEIF file's Exif; null where it has none, or not in one piece. */
export function exifOfHeif(file: Uint8Array): Uint8Array | null {
  const meta = firstBox(file, 'meta')
  if (meta === undefined) return null
  const [item, more] = exifItems(findMetadataItems(meta.body.subarray(4), meta.at + 4))
  if (item === undefined || more !== undefined || item.bytes < 4) return null
  const body = file.subarray(item.at, item.at + item.bytes)
  const tiff = body.subarray(4 + readUint(body, 0, 4, 'big'))
  return readName(tiff, 0) === 'Exif' ? tiff.subarray(6) : tiff
}

function* exifItems(items: Iterable<MetadataItem>): Generator<MetadataItem, void, undefined> {
  for (const item of items) if (item.kind === 'exif') yield item
}
