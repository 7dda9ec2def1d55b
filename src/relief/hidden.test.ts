import { expect, test } from 'vitest'
import { findHidden, numberRings, partColours } from './hidden.ts'
import { createPlane, fillPlane } from './plane.ts'

const [width, height] = [60, 20]
const reach = 20

/** A near block from column 20 to 39 before a background that rises a little to the right. */
function setup() {
  const disparity = fillPlane(createPlane(width, height), index => {
    const x = index % width
    return x >= 20 && x < 40 ? 0.8 : 0.2 + x / 1_000
  })
  const colours = new Float32Array(3 * width * height)
  for (let index = 0; index < width * height; index++) {
    const x = index % width
    // The front is red, the outline's pixels are mixed, the background is blue.
    const red = x >= 20 && x < 40 ? 255 : x === 19 || x === 40 ? 128 : 0
    colours.set([red, 0, 255 - red], 3 * index)
  }
  return { disparity, colours }
}

test('a slope that the eye cannot tear hides nothing', () => {
  const slope = fillPlane(createPlane(width, height), index => (index % width) * (0.95 / reach))
  expect(findHidden(slope, reach).mask).toEqual(new Uint8Array(width * height))
})

test('a step hides as much as the eye can uncover, on its near side only', () => {
  const { disparity } = setup()
  const { mask, background } = findHidden(disparity, reach)
  const columns = [...mask.subarray(10 * width, 11 * width)].flatMap((hidden, x) => (hidden ? [x] : []))
  // The left step of 0.581 uncovers 11.6 pixels and the right one of 0.56 uncovers 11.2; the last 1.2 close by themselves.
  expect(columns).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 34, 35, 36, 37, 38, 39])
  expect(background.data[10 * width + 22]).toBeCloseTo(0.219, 6)
  expect(background.data[10 * width + 37]).toBeCloseTo(0.24, 6)
  const wide = fillPlane(disparity, index => (index % width >= 20 ? 0.8 : 0.2))
  const band = [...findHidden(wide, reach).mask.subarray(0, width)].flatMap((hidden, x) => (hidden ? [x] : []))
  expect(band).toEqual(Array.from({ length: 10 }, (_, index) => 20 + index))
})

test('rings are numbered outwards on the far side of what is hidden', () => {
  const { disparity } = setup()
  const ring = numberRings(findHidden(disparity, reach), disparity)
  const row = [...ring.subarray(10 * width, 11 * width)]
  expect(row.slice(11, 21)).toEqual([0, 0, 7, 6, 5, 4, 3, 2, 1, 0])
  expect(row.slice(39, 49)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0, 0])
})

test('elsewhere the background is the surface itself', () => {
  const { disparity } = setup()
  const { mask, background } = findHidden(disparity, reach)
  for (let index = 0; index < mask.length; index++)
    if (mask[index] === 0) expect(background.data[index]).toBe(disparity.data[index])
})

test('what is hidden gets the colour of the background, never of the front', () => {
  const { disparity, colours } = setup()
  const hidden = findHidden(disparity, reach)
  const { filled } = partColours(hidden, disparity, colours)
  for (let index = 0; index < hidden.mask.length; index++) {
    if (hidden.mask[index] === 0) continue
    const [red = NaN, , blue = NaN] = filled.subarray(3 * index, 3 * index + 3)
    expect(red).toBeLessThan(1)
    expect(blue).toBeGreaterThan(254)
  }
})

test('the front keeps its colours and leaves no outline on the background', () => {
  const { disparity, colours } = setup()
  const { front } = partColours(findHidden(disparity, reach), disparity, colours)
  const reds = [17, 18, 19, 20, 30, 39, 40, 41].map(x => Math.round(front[3 * (10 * width + x)] ?? NaN))
  expect(reds).toEqual([0, 0, 0, 255, 255, 255, 0, 0])
})

test('a photo without depth edges keeps all of its colours', () => {
  const { colours } = setup()
  const flat = createPlane(width, height)
  expect(partColours(findHidden(flat, reach), flat, colours).front).toEqual(colours)
})
