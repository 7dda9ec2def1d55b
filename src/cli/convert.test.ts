import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { sharpVertexFloats, writeSharpPly } from '../splat/sharp-layout.ts'
import { openTerminal } from './test-support.ts'

/** A terminal whose folder holds `scene.ply`: 300 splats, one without an extent, one that is none. */
async function setup() {
  const terminal = await openTerminal()
  const vertices = new Float32Array(300 * sharpVertexFloats)
  for (let row = 0; row < 300; row++)
    vertices.set([row / 300, -row / 300, 2 + row / 100, 0, 0, 0, 3, -5, -5, -6, 1, 0, 0, 0], row * sharpVertexFloats)
  vertices[8] = -Infinity
  vertices[2 * sharpVertexFloats] = NaN
  const scene = { vertices, image: { width: 64, height: 48 }, focalPx: 50, disparityQuantiles: [0.1, 0.5] as const }
  writeFileSync(join(terminal.folder, 'scene.ply'), Buffer.concat([...writeSharpPly(scene)]))
  return terminal
}

test('a splat becomes another format, and what was mended is told', async () => {
  const { folder, run } = await setup()
  const { code, stdout, stderr } = await run('convert', 'scene.ply', 'small.sog')
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: 'Of 300 splats: 1 that were no splats are left out, 1 extents clamped.\n',
  })
  expect(stdout).toMatch(/^\S+small\.sog: 299 splats, [\d.]+ [kM]B in [\d.]+ s\n$/)
  expect(readFileSync(join(folder, 'small.sog')).subarray(0, 2).toString()).toBe('PK')
  expect(readdirSync(folder).toSorted()).toEqual(['photo.png', 'scene.ply', 'small.sog'])
})

test('limits and --json', async () => {
  const { folder, run } = await setup()
  const { code, stdout } = await run('convert', 'scene.ply', 'few.compressed.ply', '--most-splats', '100', '--json')
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    { path: join(folder, 'few.compressed.ply'), splats: 100, counts: { kept: 299 } },
  ])
})

test.each([
  [['scene.ply'], 2, /Name a splat PLY, and the file to make of it\./],
  [['scene.ply', 'scene.xyz'], 2, /"scene\.xyz" ends as no format does; there are: \.sog, /],
  [['scene.ply', 'a.sog', '--preset', 'fridge'], 2, /There is no preset "fridge"; there are: phone\./],
  [['scene.ply', 'a.sog', '--least-opacity', '2'], 2, /takes a number from 0 to less than 1, not "2"/],
  [['none.ply', 'a.sog'], 1, /There is no file \S+none\.ply\. Name a splat PLY\./],
  [['photo.png', 'a.sog'], 1, /No splat that can be converted: .*does not begin with "ply"/],
  [['scene.ply', 'photo.png.json', '--force'], 0, /^Of 300/],
  [['scene.ply', 'scene.ply'], 1, /scene\.ply exists\. Name another file with -o, or use --force\./],
])('convert %j ends with %i and a sentence', async (argv, expected, sentence) => {
  const { folder, run } = await setup()
  const { code, stderr } = await run('convert', ...argv)
  expect([code, stderr]).toEqual([expected, expect.stringMatching(sentence)])
  expect(readdirSync(folder).filter(name => name.startsWith('.') || name === 'a.sog')).toEqual([])
})

test('Ctrl-C ends the conversion and leaves nothing behind', async () => {
  const { folder, begin } = await setup()
  const running = begin('convert', 'scene.ply', 'small.sog')
  while (!readdirSync(folder).some(name => name.startsWith('.surefoot-convert-'))) await new Promise(setImmediate)
  running.interrupt()
  expect(await running.ended).toEqual({ code: 130, stdout: '', stderr: 'Canceled.\n' })
  expect(readdirSync(folder).toSorted()).toEqual(['photo.png', 'scene.ply'])
})

test('what is made has the mode that any new file gets here', async () => {
  const { folder, run } = await setup()
  const modeOf = (name: string) => statSync(join(folder, name)).mode & 0o777
  writeFileSync(join(folder, 'any'), '')
  for (const name of ['a.sog', 'a.spz', 'a.compressed.ply', 'a.clean.ply', 'a.json']) {
    expect((await run('convert', 'scene.ply', name)).code).toBe(0)
    expect([name, modeOf(name)]).toEqual([name, modeOf('any')])
  }
})

test('a HEIC photo becomes a poster', async () => {
  const { folder, run } = await openTerminal()
  copyFileSync(new URL('../photos/test-photo.heic', import.meta.url), join(folder, 'phone.heic'))
  expect(await run('convert', 'phone.heic', 'poster.webp')).toMatchObject({ code: 0, stderr: '' })
  const { format, width } = await sharp(readFileSync(join(folder, 'poster.webp'))).metadata()
  expect({ format, isWide: width > 0 }).toEqual({ format: 'webp', isWide: true })
  expect(readdirSync(folder).toSorted()).toEqual(['phone.heic', 'photo.png', 'poster.webp'])
})

test('a photo that predict would refuse makes no poster, in the same words', async () => {
  const { folder, run } = await openTerminal()
  writeFileSync(join(folder, 'cut.png'), readFileSync(join(folder, 'photo.png')).subarray(0, 200))
  const refused = await run('predict', 'cut.png')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is cut off: its end is missing.') })
  expect(await run('convert', 'cut.png', 'poster.webp')).toEqual(refused)
  expect(readdirSync(folder)).not.toContain('poster.webp')
})

test('a photo becomes a file in the format that its name asks for', async () => {
  const { folder, run } = await openTerminal()
  const { code, stdout } = await run('predict', 'photo.png', '--format', 'sog')
  expect(code).toBe(0)
  expect(stdout).toMatch(/photo\.sog: [\d,]+ splats, .*\(relief@local\), [\d.]+ [kM]B as \.sog\n$/)
  expect(readFileSync(join(folder, 'photo.sog')).subarray(0, 2).toString()).toBe('PK')
  expect((await run('predict', 'photo.png', '-o', 'camera.json')).code).toBe(0)
  expect(JSON.parse(readFileSync(join(folder, 'camera.json'), 'utf8'))).toMatchObject({ image: { width: 64 } })
  expect((await run('predict', 'photo.png', '-o', 'poster.webp')).code).toBe(0)
  expect(readFileSync(join(folder, 'poster.webp')).subarray(8, 12).toString()).toBe('WEBP')
  const wrong = await run('predict', 'photo.png', '--format', 'sogg')
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('Did you mean "sog"?')])
})
