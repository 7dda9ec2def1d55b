import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../engine/clock.ts'
import { checkSplat } from '../splat/check.ts'
import { sharpProperties, sharpVertexFloats, writeSharpPly } from '../splat/sharp-layout.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createRandom } from '../testing/random.ts'
import { convert } from './convert.ts'
import { type Ending, type Limits, noLimits } from './formats.ts'
import { readers } from './test-readers.ts'

const count = 2_000
const opacity = sharpProperties.indexOf('opacity')
const scale = sharpProperties.indexOf('scale_0')

/** A scene as SHARP leaves it: in front of the camera, in metres, some opacities saturated, some extents vanished. */
function setup() {
  const folder = mkdtempSync(join(tmpdir(), 'surefoot-convert-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const random = createRandom(7)
  const vertices = new Float32Array(count * sharpVertexFloats)
  for (let row = 0; row < count; row++) {
    const z = 1.5 + 12 * random() ** 2
    const turn = Array.from({ length: 4 }, () => random() - 0.5)
    const length = Math.hypot(...turn)
    vertices.set(
      [
        ...[(random() - 0.5) * z, (random() - 0.5) * z, z],
        ...[random() - 0.5, random() - 0.5, random() - 0.5],
        ...[-6 + 14 * random(), -5 - random(), -5 - random(), -6],
        ...turn.map(part => part / length),
      ],
      row * sharpVertexFloats,
    )
  }
  vertices[opacity] = Infinity
  vertices[5 * sharpVertexFloats + scale] = -Infinity
  const source = join(folder, 'scene.ply')
  const scene = { vertices, image: { width: 640, height: 480 }, focalPx: 500, disparityQuantiles: [0.1, 0.5] as const }
  writeFileSync(source, Buffer.concat([...writeSharpPly(scene)]))
  const work = join(folder, 'work')
  const run = async (format: Ending, limits: Limits = noLimits, from = source) => {
    const target = join(folder, `made.${format}`)
    const job = { source: from, target, format, limits, folder: mkdtempSync(work) }
    const done = await convert(job, { clock: systemClock })
    return { ...done, bytes: new Uint8Array(readFileSync(target)) }
  }
  return { folder, vertices, source, work, run }
}

/** Along one axis, from least to most: files order their splats as they like. */
function sorted(positions: ArrayLike<number>, stride: number, axis: number, sign: number): number[] {
  return Array.from(
    { length: positions.length / stride },
    (_, row) => sign * (positions[row * stride + axis] ?? NaN),
  ).sort((a, b) => a - b)
}

describe('what is written is read back by readers that have nothing to do with the writer', () => {
  test.each([
    { format: 'clean.ply', signs: [1, 1, 1], within: 0 },
    { format: 'compressed.ply', signs: [1, 1, 1], within: 0.01 },
    { format: 'sog', signs: [1, 1, 1], within: 0.001 },
    // In SPZ y goes up and z comes towards the viewer.
    { format: 'spz', signs: [1, -1, -1], within: 0.001 },
  ] as const)('$format', async ({ format, signs, within }) => {
    const { vertices, run } = setup()
    const { bytes, splats, counts } = await run(format)
    expect(splats).toBe(count)
    expect(counts).toMatchObject({ kept: count, changed: { opacity: 1, scale: 1 } })
    const positions = (await readers[format]?.(bytes)) ?? []
    expect(positions.length).toBe(3 * count)
    for (const [axis, sign] of signs.entries()) {
      const before = sorted(vertices, sharpVertexFloats, axis, 1)
      const after = sorted(positions, 3, axis, sign)
      const farthest = Math.max(...before.map((value, row) => Math.abs(value - (after[row] ?? NaN))))
      expect(farthest).toBeLessThanOrEqual(within)
    }
  })
})

test('SPZ is written in version 3, which viewers read', async () => {
  const { bytes } = await setup().run('spz')
  expect(new DataView(new Uint8Array(gunzipSync(bytes)).buffer).getUint32(4, true)).toBe(3)
})

test('a clean PLY has no other elements, and stands the check', async () => {
  const { bytes } = await setup().run('clean.ply')
  expect(
    Buffer.from(bytes)
      .toString('latin1', 0, 1_000)
      .match(/element \w+/g),
  ).toEqual(['element vertex'])
  const pieces = (async function* () {
    yield bytes
  })()
  expect(await checkSplat(pieces, { bytes: bytes.length })).toMatchObject({ valid: true, statistics: { count } })
})

test('the page has the scene in it, and a camera that sways before it instead of turning round it', async () => {
  const { bytes } = await setup().run('html')
  const page = Buffer.from(bytes).toString('utf8')
  const settings = /"animTracks":\s*\[\s*\{\s*"name":\s*"sway"/.test(page)
  expect(settings).toBe(true)
  expect(page).toMatch(/"startMode":\s*"animTrack"/)
  expect(page).toMatch(/"position":\s*\[\s*0,\s*0,\s*0\s*\]/)
})

test('the side-car says what a viewer must know of the camera', async () => {
  const { bytes } = await setup().run('json')
  expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({
    version: 1,
    splats: count,
    image: { width: 640, height: 480 },
    focal_px: 500,
    vertical_fov: expect.closeTo(51.28, 2),
    horizontal_fov: expect.closeTo(65.24, 2),
    focus: 2,
    disparity_quantiles: [expect.closeTo(0.1), 0.5],
    color_space: 'sRGB',
  })
})

test('limits leave out what is faint, and merge what is too much', async () => {
  const { run } = setup()
  const faint = await run('clean.ply', { leastOpacity: 0.5, mostSplats: null })
  expect(faint.splats).toBeLessThan(0.7 * count)
  expect(faint.counts?.dropped.faint).toBe(count - (faint.splats ?? 0))
  const merged = await run('sog', { leastOpacity: 0.02, mostSplats: 500 })
  const positions = (await readers.sog?.(merged.bytes)) ?? []
  expect([merged.splats, positions.length / 3]).toEqual([500, 500])
})

test('the poster is the photo: upright, small, without what it says of its owner', async () => {
  const { folder, run } = setup()
  const photo = join(folder, 'photo')
  const image = sharp({ create: { width: 2_000, height: 1_000, channels: 3, background: '#a40' } })
  await image
    .jpeg()
    .withExif({ IFD0: { Artist: 'somebody' } })
    .withMetadata({ orientation: 6 })
    .toFile(photo)
  const { bytes } = await run('webp', noLimits, photo)
  const { format, width, height, exif, orientation } = await sharp(bytes).metadata()
  expect({ format, width, height, exif, orientation }).toEqual({ format: 'webp', width: 640, height: 1_280 })
})

test('a file that is no splat is refused in words', async () => {
  const { folder, run } = setup()
  const wrong = join(folder, 'wrong.ply')
  writeFileSync(wrong, '<!doctype html>')
  await expect(run('sog', noLimits, wrong)).rejects.toMatchObject({
    failure: { code: 'input_invalid', message: expect.stringContaining('does not begin with "ply"') },
  })
})

test('a conversion is killed when nobody wants it, when its time is over, and when it takes too much memory', async () => {
  const { source, folder, work } = setup()
  const job = (target: string) => ({
    source,
    target: join(folder, target),
    format: 'sog' as const,
    limits: noLimits,
    folder: mkdtempSync(work),
  })
  const gone = new AbortController()
  const aborted = convert(job('a.sog'), {
    clock: systemClock,
    signal: gone.signal,
    onProgress: () => gone.abort(new Error('gone')),
  })
  await expect(aborted).rejects.toThrow('gone')
  expect(existsSync(join(folder, 'a.sog'))).toBe(false)

  const clock = createSimulatedClock()
  const late = convert(job('b.sog'), { clock, timeoutMs: 60_000 })
  const failure = expect(late).rejects.toMatchObject({ failure: { code: 'run_timeout' } })
  await clock.advance(60_000)
  await failure
  expect(clock.waiting).toBe(0)

  if (process.platform !== 'linux') return
  const greedy = convert(job('c.sog'), { clock: systemClock, memoryBytes: 1_000_000 })
  await expect(greedy).rejects.toMatchObject({ failure: { code: 'out_of_memory' } })
})

test('a conversion dies with whoever asked for it, however that ended, and leaves nothing behind', async () => {
  const { folder, source } = setup()
  const script = `
    const { convert } = await import(${JSON.stringify(new URL('./convert.ts', import.meta.url).href)})
    const { systemClock } = await import(${JSON.stringify(new URL('../engine/clock.ts', import.meta.url).href)})
    // The smaller the target, the longer the child's first thread computes.
    const job = { source: ${JSON.stringify(source)}, format: 'sog', limits: { leastOpacity: 0, mostSplats: 1 } }
    const work = ${JSON.stringify(join(folder, 'work'))}
    const onProgress = ({ stage }) => stage === 'merge' && process.kill(process.pid, 'SIGKILL')
    await convert({ ...job, folder: work, target: work + '/made.sog' }, { clock: systemClock, onProgress })
  `
  mkdirSync(join(folder, 'work'))
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
  const [, signal] = await once(parent, 'exit')
  expect(signal).toBe('SIGKILL')
  await vi.waitFor(() => expect(existsSync(join(folder, 'work'))).toBe(false), { timeout: 20_000 })
})
