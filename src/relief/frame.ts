/** A Gaussian that stands for a square of cells and is seen only where nothing finer is. */
export interface CoarseCell {
  /** Middle of the square in cells; may lie beyond the photo. */
  readonly x: number
  readonly y: number
  /** Side of the square in cells. */
  readonly side: number
  /** The cell whose colour it has. */
  readonly source: number
}

/** How far the scene goes on beyond the photo, as a share of the long side: as far as a moving eye looks past its frame. */
const share = 1 / 16

/** Nobody looks past the frame for detail. */
const side = 2

/**
 * The squares around the photo, rows from the top. Their sources are mirrored at the frame: there a background goes on
 * without streaks.
 */
export function listFrame(width: number, height: number): readonly CoarseCell[] {
  const longSide = Math.max(width, height)
  const isInside = (middle: number, size: number) => middle > 0 && middle + side / 2 < size
  const cells: CoarseCell[] = []
  for (const y of listMiddles(height, longSide, side))
    for (const x of listMiddles(width, longSide, side))
      if (!isInside(x, width) || !isInside(y, height))
        cells.push({ x, y, side, source: mirror(y, height) * width + mirror(x, width) })
  return cells
}

/** Middles, in cells, of the squares that cover one side of the photo and what is beyond it. A square begins at 0. */
export function listMiddles(size: number, longSide: number, square: number): readonly number[] {
  const margin = square * Math.ceil((longSide * share) / square)
  const middles: number[] = []
  for (let place = -margin; place < size + margin; place += square) middles.push(place + (square - 1) / 2)
  return middles
}

/** The cell inside at the same distance from the border, or the farthest there is. */
export function mirror(place: number, size: number): number {
  const cell = Math.floor(place)
  const inside = cell < 0 ? -1 - cell : cell >= size ? 2 * size - 1 - cell : cell
  return Math.min(size - 1, Math.max(0, inside))
}
