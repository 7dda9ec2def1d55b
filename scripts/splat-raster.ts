import { sharpVertexFloats } from '../src/splat/sharp-layout.ts'

/** A pinhole in the file's axes: x right, y down, z forward, metres. The origin looking along z is the photo's camera. */
export interface RasterCamera {
  /** Pixels of the picture. */
  readonly width: number
  readonly height: number
  /** Focal length in pixels of the picture. */
  readonly focal: number
  readonly eye: readonly [x: number, y: number, z: number]
  /** A point that lies in the middle of the picture; upright is upright. */
  readonly target: readonly [x: number, y: number, z: number]
}

/** A picture before black. */
export interface Raster {
  readonly width: number
  readonly height: number
  /** Red, green and blue, 0 to 255, interleaved, times the opacity. */
  readonly colours: Float32Array
  /** 0 where nothing is seen, 1 where nothing behind could be. */
  readonly opacity: Float32Array
  /** 1/z where the opacity from front to back passes 15 % and 85 %; 0 where it never does. Apart, they tell of a mixture. */
  readonly front: Float32Array
  readonly back: Float32Array
}

/** Spark's defaults: variance in pixels added to each splat (and made up for in opacity), where splats end, what is too faint. */
const blur = 0.3
const reachSquared = 8
const faintest = 0.5 / 255

/** Nearer than this, in metres, nothing is drawn. */
const nearest = 0.05

const sh0 = 0.28209479177387814

/**
 * Draws splats on the CPU as Spark 2.2 does in its shader: the local affine projection of Zwicker et al. 2001 ("EWA volume
 * splatting"), sorted by distance, blended in sRGB. From front to back, so that what is covered costs nothing. The same
 * vertices give the same picture.
 */
export function rasterise(vertices: Float32Array, camera: RasterCamera): Raster {
  const { width, height, focal, eye } = camera
  const [right, down, forward] = axesOf(camera)
  const count = vertices.length / sharpVertexFloats
  const colours = new Float32Array(3 * width * height)
  const opacity = new Float32Array(width * height)
  const front = new Float32Array(width * height)
  const back = new Float32Array(width * height)

  const places = new Float32Array(3 * count)
  const distances = new Float32Array(count)
  for (let index = 0; index < count; index++) {
    const at = index * sharpVertexFloats
    const offset: Vector = [
      (vertices[at] as number) - eye[0],
      (vertices[at + 1] as number) - eye[1],
      (vertices[at + 2] as number) - eye[2],
    ]
    places[3 * index] = dot(offset, right)
    places[3 * index + 1] = dot(offset, down)
    places[3 * index + 2] = dot(offset, forward)
    distances[index] = dot(offset, offset)
  }

  for (const index of sortUpwards(distances)) {
    const x = places[3 * index] as number
    const y = places[3 * index + 1] as number
    const z = places[3 * index + 2] as number
    if (z < nearest) continue
    const at = index * sharpVertexFloats
    const centreX = (focal * x) / z + width / 2
    const centreY = (focal * y) / z + height / 2

    // Rows of the projection: pixels per metre along each axis of the file.
    const scale = focal / z
    const across = combine(right, forward, scale, (-scale * x) / z)
    const along = combine(down, forward, scale, (-scale * y) / z)
    let xx = 0
    let xy = 0
    let yy = 0
    const rotation = rotationOf(vertices, at + 10)
    for (let axis = 0; axis < 3; axis++) {
      const sigma = Math.exp(vertices[at + 7 + axis] as number)
      const u = sigma * dot(across, rotation[axis] as Vector)
      const v = sigma * dot(along, rotation[axis] as Vector)
      xx += u * u
      xy += u * v
      yy += v * v
    }
    const sharp = xx * yy - xy * xy
    xx += blur
    yy += blur
    const determinant = xx * yy - xy * xy
    const peak = Math.sqrt(Math.max(0, sharp / determinant)) / (1 + Math.exp(-(vertices[at + 6] as number)))
    if (peak < faintest) continue

    const spreadX = Math.sqrt(reachSquared * xx)
    const spreadY = Math.sqrt(reachSquared * yy)
    const left = Math.max(0, Math.ceil(centreX - spreadX - 0.5))
    const end = Math.min(width - 1, Math.floor(centreX + spreadX - 0.5))
    const top = Math.max(0, Math.ceil(centreY - spreadY - 0.5))
    const bottom = Math.min(height - 1, Math.floor(centreY + spreadY - 0.5))
    if (left > end || top > bottom) continue
    const red = Math.max(0, (vertices[at + 3] as number) * sh0 + 0.5) * 255
    const green = Math.max(0, (vertices[at + 4] as number) * sh0 + 0.5) * 255
    const blue = Math.max(0, (vertices[at + 5] as number) * sh0 + 0.5) * 255
    for (let row = top; row <= bottom; row++) {
      const dy = row + 0.5 - centreY
      for (let column = left, pixel = row * width + left; column <= end; column++, pixel++) {
        const covered = opacity[pixel] as number
        if (covered > 0.9999) continue
        const dx = column + 0.5 - centreX
        const square = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant
        if (square > reachSquared) continue
        const alpha = peak * Math.exp(-0.5 * square)
        if (alpha < faintest) continue
        const share = alpha * (1 - covered)
        opacity[pixel] = covered + share
        colours[3 * pixel] = (colours[3 * pixel] as number) + share * red
        colours[3 * pixel + 1] = (colours[3 * pixel + 1] as number) + share * green
        colours[3 * pixel + 2] = (colours[3 * pixel + 2] as number) + share * blue
        if (covered < 0.15 && covered + share >= 0.15) front[pixel] = 1 / z
        if (covered < 0.85 && covered + share >= 0.85) back[pixel] = 1 / z
      }
    }
  }
  return { width, height, colours, opacity, front, back }
}

/** As rows of 8-bit red, green, blue; what is not covered shows `background` (0 to 255, grey). */
export function toBytes({ colours, opacity }: Raster, background: number): Uint8Array {
  const bytes = new Uint8Array(colours.length)
  for (let at = 0; at < bytes.length; at++) {
    const behind = (1 - (opacity[Math.floor(at / 3)] as number)) * background
    bytes[at] = Math.min(255, Math.round((colours[at] as number) + behind))
  }
  return bytes
}

type Vector = readonly [number, number, number]

function axesOf({ eye, target }: RasterCamera): readonly [right: Vector, down: Vector, forward: Vector] {
  const forward = unit([target[0] - eye[0], target[1] - eye[1], target[2] - eye[2]])
  // Down is +y, so right is down x forward.
  const right = unit([forward[2], 0, -forward[0]])
  const down = cross(forward, right)
  return [right, down, forward]
}

/** Columns of the rotation that a quaternion w, x, y, z stands for. */
function rotationOf(vertices: Float32Array, at: number): readonly [Vector, Vector, Vector] {
  const w = vertices[at] as number
  const x = vertices[at + 1] as number
  const y = vertices[at + 2] as number
  const z = vertices[at + 3] as number
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
    [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
    [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
  ]
}

/** Indices from the smallest to the largest of numbers that are not negative; equals stay in order. Radix sort of their bits. */
function sortUpwards(values: Float32Array): Uint32Array {
  const keys = new Uint32Array(values.buffer, values.byteOffset, values.length)
  let from = Uint32Array.from(keys, (_, index) => index)
  let to = new Uint32Array(keys.length)
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(65_537)
    for (const key of keys) {
      const digit = ((key >>> shift) & 0xffff) + 1
      starts[digit] = (starts[digit] as number) + 1
    }
    for (let digit = 1; digit < starts.length; digit++)
      starts[digit] = (starts[digit] as number) + (starts[digit - 1] as number)
    for (const index of from) {
      const digit = ((keys[index] as number) >>> shift) & 0xffff
      const place = starts[digit] as number
      to[place] = index
      starts[digit] = place + 1
    }
    ;[from, to] = [to, from]
  }
  return from
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

function combine(a: Vector, b: Vector, scaleA: number, scaleB: number): Vector {
  return [scaleA * a[0] + scaleB * b[0], scaleA * a[1] + scaleB * b[1], scaleA * a[2] + scaleB * b[2]]
}

function unit(a: Vector): Vector {
  const length = Math.hypot(...a)
  return [a[0] / length, a[1] / length, a[2] / length]
}
