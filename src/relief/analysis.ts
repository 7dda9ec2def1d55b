import { boxMean, type ColourPlanes, createPlane, fillPlane, type Plane } from './plane.ts'

/** A photo: rows of 8-bit sRGB red, green, blue, the right way up. */
export interface ReliefImage {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

/** What the depth cues look at: a small copy of the photo, taken apart. Values 0 to 1, chroma -0.5 to 0.5. */
export interface Analysis {
  readonly width: number
  readonly height: number
  /** Luma, blue and red chroma. */
  readonly colour: ColourPlanes
  readonly luma: Plane
  /** Smallest of red, green and blue. */
  readonly darkest: Plane
  /** Blue minus red. */
  readonly blueness: Plane
  /** Absolute differences of luma to the right and below. */
  readonly gradientX: Plane
  readonly gradientY: Plane
  /** Mean of both over 7 x 7 pixels. */
  readonly roughness: Plane
}

/** Depth cues are broad: more pixels would cost time and add texture, not depth. */
const longSide = 384

/** Makes the small copy by averaging and derives the planes. */
export function analyse(image: ReliefImage): Analysis {
  const scale = Math.min(1, longSide / Math.max(image.width, image.height))
  const width = Math.max(1, Math.round(image.width * scale))
  const height = Math.max(1, Math.round(image.height * scale))
  const colours = shrink(image, width, height)
  const colour = toColourPlanes(colours, width, height)
  const [luma] = colour
  const channel = (index: number, which: number) => (colours[3 * index + which] as number) / 255
  const { gradientX, gradientY } = differences(luma)
  const both = fillPlane(luma, index => (gradientX.data[index] as number) + (gradientY.data[index] as number))
  return {
    width,
    height,
    colour,
    luma,
    darkest: fillPlane(luma, index => Math.min(channel(index, 0), channel(index, 1), channel(index, 2))),
    blueness: fillPlane(luma, index => channel(index, 2) - channel(index, 0)),
    gradientX,
    gradientY,
    roughness: boxMean(both, 3),
  }
}

/** Absolute differences to the right and to the lower neighbour; 0 in the last column and row. */
export function differences(plane: Plane): { gradientX: Plane; gradientY: Plane } {
  const { width, height, data } = plane
  const gradientX = createPlane(width, height)
  const gradientY = createPlane(width, height)
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      const here = data[at] as number
      if (x + 1 < width) gradientX.data[at] = Math.abs((data[at + 1] as number) - here)
      if (y + 1 < height) gradientY.data[at] = Math.abs((data[at + width] as number) - here)
    }
  return { gradientX, gradientY }
}

/** Mean colour (0 to 255, interleaved) of the pixels that each pixel of a smaller raster covers. */
export function shrink(image: ReliefImage, width: number, height: number): Float32Array {
  const { data } = image
  const result = new Float32Array(width * height * 3)
  for (let y = 0, out = 0; y < height; y++) {
    const top = Math.floor((y * image.height) / height)
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * image.height) / height))
    for (let x = 0; x < width; x++, out += 3) {
      const left = Math.floor((x * image.width) / width)
      const right = Math.max(left + 1, Math.floor(((x + 1) * image.width) / width))
      let red = 0
      let green = 0
      let blue = 0
      for (let row = top; row < bottom; row++)
        for (let at = 3 * (row * image.width + left), end = at + 3 * (right - left); at < end; at += 3) {
          red += data[at] as number
          green += data[at + 1] as number
          blue += data[at + 2] as number
        }
      const count = (bottom - top) * (right - left)
      result[out] = red / count
      result[out + 1] = green / count
      result[out + 2] = blue / count
    }
  }
  return result
}

/** Luma (0 to 1) and chromas (-0.5 to 0.5) of interleaved colours (0 to 255): ITU-R BT.601, full range. */
export function toColourPlanes(colours: Float32Array, width: number, height: number): ColourPlanes {
  const luma = createPlane(width, height)
  const blueChroma = createPlane(width, height)
  const redChroma = createPlane(width, height)
  for (let index = 0; index < width * height; index++) {
    const red = (colours[3 * index] as number) / 255
    const blue = (colours[3 * index + 2] as number) / 255
    const bright = 0.299 * red + 0.587 * ((colours[3 * index + 1] as number) / 255) + 0.114 * blue
    luma.data[index] = bright
    blueChroma.data[index] = 0.564 * (blue - bright)
    redChroma.data[index] = 0.713 * (red - bright)
  }
  return [luma, blueChroma, redChroma]
}
