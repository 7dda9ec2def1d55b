import { type PlyElement, type PlyHeader, type PlyProperty, type PlyType, writePlyHeader } from './ply-header.ts'

/**
 * The vertex properties of SHARP's files, in file order, all float32: position in metres (x right, y down, z forward, the
 * camera at the origin), colour as SH DC `(c - 0.5) / 0.28209479` of sRGB, opacity as logit, sigma as natural logarithm
 * of metres, rotation as unit quaternion w, x, y, z.
 */
export const sharpProperties = [
  'x',
  'y',
  'z',
  'f_dc_0',
  'f_dc_1',
  'f_dc_2',
  'opacity',
  'scale_0',
  'scale_1',
  'scale_2',
  'rot_0',
  'rot_1',
  'rot_2',
  'rot_3',
] as const

/** Floats per Gaussian in `SharpScene.vertices`. */
export const sharpVertexFloats: number = sharpProperties.length

/** What SHARP's file holds: Gaussians, and the camera that saw them. */
export interface SharpScene {
  /** `sharpVertexFloats` numbers per Gaussian, interleaved in the order of `sharpProperties`. */
  readonly vertices: Float32Array
  /** Size of the original photo in pixels, after its rotation. */
  readonly image: { readonly width: number; readonly height: number }
  /** Focal length in pixels of the original photo. */
  readonly focalPx: number
  /** 10 % and 90 % quantile of 1/z. */
  readonly disparityQuantiles: readonly [number, number]
}

/** Longest piece that the writer yields; 64 KiB pieces would cost a write call each for a file of 66 MB. */
const pieceBytes = 1_048_576

/**
 * Writes SHARP's PLY, byte for byte its layout: the whole file of 1,179,648 Gaussians has 66,061,086 bytes. Pieces of the
 * body are views of `scene.vertices`, not copies. Layout: apple/ml-sharp, `save_ply`. Throws `TypeError` for a broken scene.
 *
 * @example
 * await pipeline(Readable.from(writeSharpPly(scene, ['made by hand'])), createWriteStream('scene.ply'))
 */
export function* writeSharpPly(scene: SharpScene, comments: readonly string[] = []): Generator<Uint8Array, void> {
  const { vertices, image, focalPx } = scene
  if (vertices.length % sharpVertexFloats !== 0) throw new TypeError(`Not whole Gaussians: ${vertices.length} floats`)
  const count = vertices.length / sharpVertexFloats
  yield writePlyHeader(sharpHeader(count, comments))
  for (let start = 0; start < vertices.byteLength; start += pieceBytes)
    yield new Uint8Array(
      vertices.buffer,
      vertices.byteOffset + start,
      Math.min(pieceBytes, vertices.byteLength - start),
    )
  const { width, height } = image
  yield concatenate([
    floats([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]),
    floats([focalPx, 0, width / 2, 0, focalPx, height / 2, 0, 0, 1]),
    new Uint8Array(Uint32Array.of(width, height).buffer),
    new Uint8Array(Int32Array.of(1, count).buffer),
    floats(scene.disparityQuantiles),
    // Colour space 0 is sRGB; then the version, 1.5.0.
    Uint8Array.of(0, 1, 5, 0),
  ])
}

/** The header of SHARP's file with `count` Gaussians: 670 bytes for 1,179,648 of them without comments. */
export function sharpHeader(count: number, comments: readonly string[] = []): PlyHeader {
  const vertex = sharpProperties.map((name): PlyProperty => ({ name, type: 'float' }))
  return {
    comments,
    elements: [
      { name: 'vertex', count, properties: vertex },
      list('extrinsic', 16, 'float'),
      list('intrinsic', 9, 'float'),
      list('image_size', 2, 'uint'),
      list('frame', 2, 'int'),
      list('disparity', 2, 'float'),
      list('color_space', 1, 'uchar'),
      list('version', 3, 'uchar'),
    ],
  }
}

/** SHARP keeps each of its extra facts in an element whose one property has the element's name. */
function list(name: string, count: number, type: PlyType): PlyElement {
  return { name, count, properties: [{ name, type }] }
}

function floats(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer)
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
