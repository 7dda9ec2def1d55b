/** Channels of the values that are spread: red, green, blue. */
export const channels = 3

interface Level {
  readonly width: number
  readonly height: number
  /** `channels` sums per pixel, each already times its weight. */
  readonly values: Float32Array
  readonly weights: Float32Array
}

/**
 * Fills gaps smoothly: pixels without weight get a mean of those with weight, the nearer the more. Halves the size until
 * everything is covered (pull), then fills from coarse to fine (push). Method: Gortler et al. 1996, "The lumigraph".
 * `values` has `channels` numbers per pixel and is changed in place.
 */
export function pushPull(width: number, height: number, values: Float32Array, weights: Float32Array): void {
  const weighted = new Float32Array(values.length)
  for (let at = 0; at < weights.length; at++)
    for (let channel = 0; channel < channels; channel++)
      weighted[channels * at + channel] = (values[channels * at + channel] as number) * (weights[at] as number)
  const levels: Level[] = [{ width, height, values: weighted, weights }]
  for (let last = levels[0] as Level; last.width > 1 || last.height > 1; last = levels.at(-1) as Level)
    levels.push(pull(last))
  for (let index = levels.length - 2; index >= 0; index--) push(levels[index] as Level, levels[index + 1] as Level)
  values.set(weighted)
}

function pull(fine: Level): Level {
  const width = Math.ceil(fine.width / 2)
  const height = Math.ceil(fine.height / 2)
  const values = new Float32Array(width * height * channels)
  const weights = new Float32Array(width * height)
  for (let y = 0; y < fine.height; y++)
    for (let x = 0; x < fine.width; x++) {
      const from = y * fine.width + x
      const to = (y >> 1) * width + (x >> 1)
      weights[to] = (weights[to] as number) + (fine.weights[from] as number)
      for (let channel = 0; channel < channels; channel++) {
        const at = channels * to + channel
        values[at] = (values[at] as number) + (fine.values[channels * from + channel] as number)
      }
    }
  // A weight of one is full trust; more of the same must not drown the neighbours on the next level.
  for (let at = 0; at < weights.length; at++) {
    const weight = weights[at] as number
    if (weight <= 1) continue
    weights[at] = 1
    for (let channel = 0; channel < channels; channel++) {
      const place = channels * at + channel
      values[place] = (values[place] as number) / weight
    }
  }
  return { width, height, values, weights }
}

/** Fills what the fine level lacks to a weight of one with the coarse level, which has it everywhere by now. */
function push(fine: Level, coarse: Level): void {
  for (let y = 0; y < fine.height; y++) {
    const v = clampIndex(y / 2 - 0.25, coarse.height)
    for (let x = 0; x < fine.width; x++) {
      const at = y * fine.width + x
      const missing = 1 - (fine.weights[at] as number)
      if (missing <= 0) continue
      const u = clampIndex(x / 2 - 0.25, coarse.width)
      const corner = channels * (v.low * coarse.width + u.low)
      const right = channels * (u.high - u.low)
      const down = channels * coarse.width * (v.high - v.low)
      for (let channel = 0; channel < channels; channel++) {
        const place = corner + channel
        const top = mix(coarse.values[place] as number, coarse.values[place + right] as number, u.share)
        const bottom = mix(
          coarse.values[place + down] as number,
          coarse.values[place + down + right] as number,
          u.share,
        )
        const to = channels * at + channel
        fine.values[to] = (fine.values[to] as number) + missing * mix(top, bottom, v.share)
      }
    }
  }
}

function clampIndex(place: number, size: number): { low: number; high: number; share: number } {
  const inside = Math.min(size - 1, Math.max(0, place))
  const low = Math.floor(inside)
  return { low, high: Math.min(size - 1, low + 1), share: inside - low }
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share
}
