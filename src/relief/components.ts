/** A region of pixels that hang together by their sides. */
export interface Component {
  /** Indices of its pixels. */
  readonly pixels: Int32Array
  /** Its lowest row on the photo (largest y). */
  readonly foot: number
}

/** The regions where `inside` holds that have at least `minimum` pixels. */
export function findComponents(
  width: number,
  height: number,
  inside: (index: number) => boolean,
  minimum: number,
): readonly Component[] {
  const seen = new Uint8Array(width * height)
  const queue = new Int32Array(width * height)
  const components: Component[] = []
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] === 1 || !inside(start)) continue
    let end = 0
    const add = (index: number) => {
      if (seen[index] === 1 || !inside(index)) return
      seen[index] = 1
      queue[end++] = index
    }
    add(start)
    let foot = 0
    for (let begin = 0; begin < end; begin++) {
      const at = queue[begin] as number
      const x = at % width
      foot = Math.max(foot, Math.floor(at / width))
      if (x > 0) add(at - 1)
      if (x + 1 < width) add(at + 1)
      if (at >= width) add(at - width)
      if (at + width < seen.length) add(at + width)
    }
    if (end >= minimum) components.push({ pixels: queue.slice(0, end), foot })
  }
  return components
}
