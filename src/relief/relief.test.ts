import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkSplat } from '../splat/check.ts'
import { writeSharpPly } from '../splat/sharp-layout.ts'
import type { ReliefImage } from './analysis.ts'
import { gaussianFloats } from './gaussians.ts'
import { type ReliefScene, type ReliefStage, relief } from './relief.ts'

type Colour = readonly [number, number, number]

function paint(width: number, height: number, colour: (x: number, y: number) => Colour): ReliefImage {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set(colour(x, y), 3 * (y * width + x))
  return { width, height, data }
}

function grain(x: number, y: number): number {
  return ((x * 7919 + y * 104_729 + x * y * 31) % 61) - 30
}

/** Sky above, grass below, a red box that stands on the grass before both. */
function landscape(width = 160, height = 120): ReliefImage {
  return paint(width, height, (x, y) => {
    if (x >= 0.4 * width && x < 0.6 * width && y >= 0.3 * height && y < 0.8 * height) return [200, 40, 40]
    return y < 0.4 * height ? [90, 140, 220] : [80 + grain(x, y), 110 + grain(x, y), 50]
  })
}

function make(image: ReliefImage): ReliefScene {
  return relief(image, { focalPx: image.width, originalWidth: image.width, originalHeight: image.height })
}

/** Depths of the front layer, by row and column of the grid. */
function depthAt(scene: ReliefScene, width: number): (x: number, y: number) => number {
  return (x, y) => scene.vertices[(y * width + x) * gaussianFloats + 2] ?? NaN
}

async function check(scene: ReliefScene) {
  const source = async function* () {
    yield* writeSharpPly(scene)
  }
  const verdict = await checkSplat(source())
  if (!verdict.valid) throw new Error(verdict.problem.message)
  return verdict.statistics
}

test('the same bytes give the same scene; another hash means another recipe', () => {
  const hash = (scene: ReliefScene) => createHash('sha256').update(new Uint8Array(scene.vertices.buffer)).digest('hex')
  const image = landscape()
  const shifted = new Uint8Array(image.data.length + 1).subarray(1)
  shifted.set(image.data)
  const scenes = [make(image), make(image), make({ ...image, data: shifted })].map(hash)
  // When this changes on purpose, raise `reliefRecipe` and put the new hash here.
  expect(scenes).toEqual(Array(3).fill('eaf8f98862df62788613176e260eda29bc320acad180ceb5fb0a4878697c0507'))
})

test('the scene is a valid splat with the camera of its photo', async () => {
  const image = landscape()
  const scene = relief(image, { focalPx: 3_000, originalWidth: 4_000, originalHeight: 3_000 })
  const statistics = await check(scene)
  expect(statistics).toMatchObject({ count: scene.count, image: { width: 4_000, height: 3_000 }, focalPx: 3_000 })
  expect(scene.count).toBeGreaterThan(160 * 120)
  const [low, high] = scene.disparityQuantiles
  expect(low).toBeGreaterThanOrEqual(1 / 14.001)
  expect(high).toBeGreaterThan(low)
  expect(high).toBeLessThanOrEqual(1 / 1.599)
})

test('seen from the origin, each Gaussian of the front lies on its pixel, with its colour but for cleaned outlines', () => {
  const image = landscape()
  const { vertices, focalPx } = make(image)
  let cleaned = 0
  for (let y = 0, at = 0; y < 120; y++)
    for (let x = 0; x < 160; x++, at += gaussianFloats) {
      const [px = NaN, py = NaN, pz = NaN, red = NaN] = vertices.subarray(at, at + 4)
      expect((px / pz) * focalPx + 80).toBeCloseTo(x + 0.5, 3)
      expect((py / pz) * focalPx + 60).toBeCloseTo(y + 0.5, 3)
      const photo = image.data[3 * (y * 160 + x)] ?? NaN
      if (Math.abs((red * 0.28209479 + 0.5) * 255 - photo) > 1e-3) cleaned++
    }
  // Two cells along the box and the horizon.
  expect(cleaned).toBeLessThan(0.05 * 160 * 120)
})

test('the sky is far, the ground comes nearer towards the bottom, what stands on it stands before it', () => {
  const depth = depthAt(make(landscape()), 160)
  expect(depth(10, 10)).toBeGreaterThan(13)
  const ground = [60, 75, 90, 105, 118].map(y => depth(10, y))
  expect(ground).toEqual(ground.toSorted((a, b) => b - a))
  expect(ground.at(-1)).toBeLessThan(2.5)
  expect(depth(80, 60)).toBeLessThan(0.7 * depth(20, 60))
})

test('the second layer lies behind the first, at the edges of what stands in front', () => {
  const scene = make(landscape())
  const depth = depthAt(scene, 160)
  const columns: number[] = []
  for (let index = 160 * 120; index < scene.count; index++) {
    const [x = NaN, y = NaN, z = NaN, red = NaN] = scene.vertices.subarray(index * gaussianFloats)
    const column = Math.round((x / z) * scene.focalPx + 80 - 0.5)
    const row = Math.round((y / z) * scene.focalPx + 60 - 0.5)
    // The surroundings come last.
    if (column < 0) break
    expect(z).toBeGreaterThan(depth(column, row))
    if (row !== 60) continue
    columns.push(column)
    // Grass, not the red of the box.
    expect((red * 0.28209479 + 0.5) * 255).toBeLessThan(140)
  }
  // Both edges of the box, whose columns are 64 to 95.
  expect(columns).toEqual(expect.arrayContaining([66, 67, 68, 91, 92, 93]))
})

test.each([
  ['grey', 90, 60, () => [128, 128, 128] as const],
  ['white', 90, 60, () => [255, 255, 255] as const],
  ['black', 90, 60, () => [0, 0, 0] as const],
  ['a checkerboard', 90, 60, (x: number, y: number): Colour => ((x + y) % 2 ? [255, 255, 255] : [0, 0, 0])],
  ['one pixel', 1, 1, () => [9, 9, 9] as const],
  ['a column', 1, 8_000, (_: number, y: number): Colour => [y % 256, 0, 0]],
  ['a row', 8_000, 1, (x: number): Colour => [x % 256, 0, 0]],
  ['two columns', 2, 300, grass],
])('is valid for extremes: %s', async (_, width, height, colour) => {
  const scene = make(paint(width, height, colour))
  const long = Math.min(768, Math.max(width, height))
  const short = Math.max(1, Math.round((long * Math.min(width, height)) / Math.max(width, height)))
  expect((await check(scene)).count).toBeGreaterThanOrEqual(long * short)
})

function grass(x: number, y: number): Colour {
  return [80 + grain(x, y), 110 + grain(x, y), 50]
}

test('a photo that tells nothing becomes a shallow bowl with its middle near', async () => {
  const scene = make(paint(200, 1, () => [128, 128, 128]))
  const depth = depthAt(scene, 200)
  const { bounds } = await check(scene)
  expect(depth(100, 0)).toBeLessThan(depth(0, 0))
  expect(bounds.min[2]).toBeGreaterThan(2)
  expect(bounds.max[2]).toBeLessThan(5)
})

test('a photo larger than the grid gets at most 768 Gaussians along its long side', () => {
  const scene = make(landscape(1_536, 64))
  const front = scene.vertices.subarray(0, 768 * 32 * gaussianFloats)
  expect(front.at(-gaussianFloats)).toBeGreaterThan(0)
  expect(scene.count).toBeLessThan(3 * 768 * 32)
})

test('any small image gives a valid scene', async () => {
  const images = fc
    .record({ width: fc.integer({ min: 1, max: 24 }), height: fc.integer({ min: 1, max: 24 }) })
    .chain(size =>
      fc
        .uint8Array({ minLength: size.width * size.height * 3, maxLength: size.width * size.height * 3 })
        .map((data): ReliefImage => ({ ...size, data })),
    )
  await fc.assert(
    fc.asyncProperty(images, fc.double({ min: 0.1, max: 1e5, noNaN: true }), async (image, focalPx) => {
      const scene = relief(image, { focalPx, originalWidth: image.width, originalHeight: image.height })
      const { count, bounds } = await check(scene)
      expect(count).toBeGreaterThanOrEqual(image.width * image.height)
      expect(bounds.min[2]).toBeGreaterThan(1.59)
      expect(bounds.max[2]).toBeLessThan(14.01)
    }),
  )
})

test('progress names the stages in order and never falls', () => {
  const image = landscape()
  const stages: ReliefStage[] = []
  const fractions: number[] = []
  relief(image, {
    focalPx: 160,
    originalWidth: 160,
    originalHeight: 120,
    onStage(stage, fraction) {
      stages.push(stage)
      fractions.push(fraction)
    },
  })
  expect([...new Set(stages)]).toEqual(['analyse', 'depth', 'refine', 'background', 'gaussians'])
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
  expect(fractions.at(-1)).toBe(1)
})
