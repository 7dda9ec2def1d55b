import { inflateRawSync } from 'node:zlib'
import sharp from 'sharp'
import { GaussianSplatPLYLoader } from 'three/examples/jsm/loaders/GaussianSplatPLYLoader.js'
import { SPZLoader } from 'three/examples/jsm/loaders/SPZLoader.js'
import type { Ending } from './formats.ts'

/** Positions of a file, x, y, z interleaved, in whatever order the file has them, in the file's own axes. */
export type ReadPositions = (bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayLike<number>>

/** Readers that share no line with what wrote the files: three's own, and two that follow the formats' descriptions. */
export const readers: { readonly [ending in Ending]?: ReadPositions } = {
  'clean.ply': async bytes => positionsOf(new GaussianSplatPLYLoader().parse(bytes.buffer)),
  spz: async bytes => positionsOf(await new SPZLoader().parse(bytes.buffer)),
  sog: readSog,
  'compressed.ply': async bytes => readCompressedPly(bytes),
}

interface Geometry {
  getAttribute(name: string): { readonly array: ArrayLike<number> }
}

function positionsOf(geometry: unknown): ArrayLike<number> {
  return (geometry as Geometry).getAttribute('position').array
}

/**
 * https://developer.playcanvas.com/user-manual/gaussian-splatting/formats/sog/: 16 bits per axis in two lossless WebP
 * pictures, between bounds, over a logarithm that keeps its sign.
 */
async function readSog(bytes: Uint8Array): Promise<ArrayLike<number>> {
  const files = readZip(bytes)
  const meta = JSON.parse(String(files.get('meta.json'))) as {
    readonly version: number
    readonly count: number
    readonly means: { readonly mins: number[]; readonly maxs: number[]; readonly files: string[] }
  }
  if (meta.version !== 2) throw new Error(`SOG version ${meta.version}`)
  const [low, high] = await Promise.all(
    meta.means.files.map(async name => {
      const { data, info } = await sharp(files.get(name)).raw().toBuffer({ resolveWithObject: true })
      return { data, channels: info.channels }
    }),
  )
  if (low === undefined || high === undefined) throw new Error('SOG without means')
  return Float64Array.from({ length: 3 * meta.count }, (_, index) => {
    const axis = index % 3
    const row = (index - axis) / 3
    const quantized = (high.data[row * high.channels + axis] ?? 0) * 256 + (low.data[row * low.channels + axis] ?? 0)
    const least = meta.means.mins[axis] ?? 0
    const value = least + ((meta.means.maxs[axis] ?? 0) - least) * (quantized / 65_535)
    return Math.sign(value) * (Math.exp(Math.abs(value)) - 1)
  })
}

/** The files of a zip archive by its central directory, deflated or stored. */
function readZip(bytes: Uint8Array): Map<string, Buffer> {
  const zip = Buffer.from(bytes)
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  const files = new Map<string, Buffer>()
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [method, length, nameLength] = [
      zip.readUInt16LE(at + 10),
      zip.readUInt32LE(at + 20),
      zip.readUInt16LE(at + 28),
    ]
    const local = zip.readUInt32LE(at + 42)
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    const data = zip.subarray(start, start + length)
    files.set(zip.toString('utf8', at + 46, at + 46 + nameLength), method === 0 ? data : inflateRawSync(data))
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return files
}

/** Chunks of 256 with bounds of 18 floats, then 4 words a splat, the first of which is the position: 11, 10, 11 bits. */
function readCompressedPly(bytes: Uint8Array): ArrayLike<number> {
  const head = Buffer.from(bytes.subarray(0, 65_536)).toString('latin1')
  const start = head.indexOf('end_header\n') + 'end_header\n'.length
  const countOf = (name: string) => Number(new RegExp(`element ${name} (\\d+)`).exec(head)?.[1])
  const chunks = countOf('chunk')
  const count = countOf('vertex')
  const view = new DataView(bytes.buffer, bytes.byteOffset + start)
  return Float64Array.from({ length: 3 * count }, (_, index) => {
    const axis = index % 3
    const row = (index - axis) / 3
    const chunk = Math.floor(row / 256) * 72
    const word = view.getUint32(chunks * 72 + row * 16, true)
    const share = [(word >>> 21) / 2047, ((word >>> 11) & 1023) / 1023, (word & 2047) / 2047][axis] ?? 0
    const least = view.getFloat32(chunk + axis * 4, true)
    return least + share * (view.getFloat32(chunk + 12 + axis * 4, true) - least)
  })
}
