import { type ColourPlanes, createPlane, type Plane } from './plane.ts'

export interface DomainTransformOptions {
  /** How far values spread where the photo is flat: standard deviation in pixels. */
  readonly distance: number
  /** How large a change of colour, summed over the channels, stops them: as far apart as `distance` pixels. */
  readonly contrast: number
}

/** Each goes half as far as the one before; what a pass smears along its direction, the next ones even out. */
const rounds = 3

/**
 * Spreads values over the photo from where they are trusted: each pixel gets the mean of the values around it, weighted by
 * trust and by how easily they get there. A way over an edge of the photo is long, so the answer breaks at edges only. No
 * value leaves the range of those trusted. Method: Gastal and Oliveira 2011, "Domain transform", recursive, normalised by
 * the trust that is spread the same way.
 */
export function spreadTrusted(
  guide: ColourPlanes,
  values: Plane,
  trust: Plane,
  options: DomainTransformOptions,
): Plane {
  const { width, height } = values
  const { across, down } = measureWays(guide, options.distance / options.contrast)
  const weighted = createPlane(width, height)
  for (let index = 0; index < weighted.data.length; index++)
    weighted.data[index] = (values.data[index] as number) * (trust.data[index] as number)
  const weights = Float32Array.from(trust.data)
  const first = (options.distance * Math.sqrt(3) * 2 ** (rounds - 1)) / Math.sqrt(4 ** rounds - 1)
  raise(across, -Math.SQRT2 / first)
  raise(down, -Math.SQRT2 / first)
  for (let round = 0; round < rounds; round++) {
    if (round > 0) {
      square(across)
      square(down)
    }
    for (const data of [weighted.data, weights]) {
      smearAcross(data, across, width)
      smearDown(data, down, width, height)
    }
  }
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index] as number
    weighted.data[index] = weight > 0 ? (weighted.data[index] as number) / weight : (values.data[index] as number)
  }
  return weighted
}

/** In place: the share that comes over ways of these lengths. */
function raise(ways: Float32Array, rate: number): void {
  for (let index = 0; index < ways.length; index++) ways[index] = Math.exp(rate * (ways[index] as number))
}

/** In place: the share that comes over when values go half as far. */
function square(passes: Float32Array): void {
  for (let index = 0; index < passes.length; index++) passes[index] = (passes[index] as number) ** 2
}

/** Length of the way to each pixel from its left and its upper neighbour: 1 plus the change of colour. */
function measureWays(guide: ColourPlanes, perContrast: number): { across: Float32Array; down: Float32Array } {
  const { width, height } = guide[0]
  const across = new Float32Array(width * height)
  const down = new Float32Array(width * height)
  for (const { data } of guide)
    for (let y = 0, at = 0; y < height; y++)
      for (let x = 0; x < width; x++, at++) {
        const here = data[at] as number
        if (x > 0) across[at] = (across[at] as number) + Math.abs(here - (data[at - 1] as number))
        if (y > 0) down[at] = (down[at] as number) + Math.abs(here - (data[at - width] as number))
      }
  for (const ways of [across, down])
    for (let at = 0; at < ways.length; at++) ways[at] = 1 + perContrast * (ways[at] as number)
  return { across, down }
}

/** In place, to the right and back: `pass` is the share that comes over from the left neighbour. */
function smearAcross(data: Float32Array, pass: Float32Array, width: number): void {
  for (let row = 0; row < data.length; row += width) {
    for (let at = row + 1; at < row + width; at++)
      data[at] = (data[at] as number) + (pass[at] as number) * ((data[at - 1] as number) - (data[at] as number))
    for (let at = row + width - 2; at >= row; at--)
      data[at] = (data[at] as number) + (pass[at + 1] as number) * ((data[at + 1] as number) - (data[at] as number))
  }
}

/** In place, down and back up, row by row: walking down columns would miss the cache at every step. */
function smearDown(data: Float32Array, pass: Float32Array, width: number, height: number): void {
  for (let at = width; at < data.length; at++)
    data[at] = (data[at] as number) + (pass[at] as number) * ((data[at - width] as number) - (data[at] as number))
  for (let at = (height - 1) * width - 1; at >= 0; at--)
    data[at] =
      (data[at] as number) + (pass[at + width] as number) * ((data[at + width] as number) - (data[at] as number))
}
