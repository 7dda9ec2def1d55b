import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PredictionJson } from '../http/shapes.ts'
import { openTerminal } from './test-support.ts'

test('without a gateway it opens the data folder itself: progress on stderr, the result on stdout, the file named after the photo', async () => {
  const { folder, run } = await openTerminal()
  const { code, stdout, stderr } = await run('predict', 'photo.png')
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('It is not SHARP') })
  expect(stderr).toMatch(/^relief@local: /)
  expect(stdout).toMatch(/^\S+photo\.ply: [\d,]+ splats, [\d.]+ [kM]B in [\d.]+ s \(relief@local\)\n$/)
  expect(readFileSync(join(folder, 'photo.ply')).subarray(0, 4).toString()).toBe('ply\n')
  expect(readdirSync(folder).toSorted()).toEqual(['.surefoot', 'photo.ply', 'photo.png'])
})

test('--json prints the prediction, whose checksum is the file', async () => {
  const { folder, run } = await openTerminal()
  const argv = ['predict', 'photo.png', '-o', 'scene.ply', '--model', 'relief', '--focal-length', '50', '--json']
  const { code, stdout } = await run(...argv)
  expect(code).toBe(0)
  const { path, prediction } = JSON.parse(stdout) as { path: string; prediction: PredictionJson }
  expect(path).toBe(join(folder, 'scene.ply'))
  expect(prediction).toMatchObject({ status: 'succeeded', input: { focal_length: 50 } })
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex')
  expect(prediction.surefoot.output?.sha256).toBe(sha256)
})

test('a file that exists stays as it is, and nothing is run, without --force', async () => {
  const { folder, run } = await openTerminal()
  writeFileSync(join(folder, 'photo.ply'), 'mine')
  expect(await run('predict', 'photo.png')).toEqual({
    code: 1,
    stdout: '',
    stderr: `surefoot: ${join(folder, 'photo.ply')} exists. Name another file with -o, or use --force.\n`,
  })
  expect(readdirSync(folder).toSorted()).toEqual(['photo.ply', 'photo.png'])
  expect(await run('predict', 'photo.png', '--force')).toMatchObject({ code: 0 })
  expect(readFileSync(join(folder, 'photo.ply')).subarray(0, 3).toString()).toBe('ply')
})

test.each([
  ['none.jpg', /^surefoot: There is no file \S+none\.jpg\. Name a photo\.\n$/],
  ['.', /^surefoot: \S+ is a folder\. Name a photo in it\.\n$/],
  ['notes.jpg', /^surefoot: The image is not a picture that can be read; [^\n]+\n$/],
])('%s is one sentence, exit code 1 and no file', async (photo, sentence) => {
  const { folder, run } = await openTerminal()
  writeFileSync(join(folder, 'notes.jpg'), 'hello')
  expect(await run('predict', photo, '-o', 'scene.ply')).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(sentence),
  })
  expect(readdirSync(folder)).not.toContain('scene.ply')
})

test('standard output is refused as a place for the splat', async () => {
  const { folder, run } = await openTerminal()
  expect(await run('predict', 'photo.png', '-o', '-')).toMatchObject({ code: 2, stdout: '' })
  expect(readdirSync(folder)).not.toContain('-')
})

test('a model that does not exist is named together with those that do', async () => {
  const { run } = await openTerminal()
  const { code, stderr } = await run('predict', 'photo.png', '--model', 'releif')
  expect(code).toBe(1)
  expect(stderr).toContain('There is no model "releif". Did you mean "relief"?')
  expect(stderr).toContain('surefoot/relief')
})

test('what ran can be listed and accounted for afterwards', async () => {
  const { folder, run } = await openTerminal()
  expect(await run('list')).toEqual({
    code: 1,
    stdout: '',
    stderr: `surefoot: There is no data folder ${join(folder, '.surefoot')}. surefoot serve and surefoot predict make one.\n`,
  })
  await run('predict', 'photo.png')
  const [prediction] = JSON.parse((await run('list', '--json')).stdout) as PredictionJson[]
  const id = prediction?.id ?? ''
  expect((await run('list')).stdout).toMatch(
    new RegExp(`\\n${id}  surefoot/relief  \\S+ \\S+ +succeeded  [\\d,]+ splats, `),
  )
  expect((await run('status', id)).stdout).toContain('succeeded')
  expect((await run('status')).stdout).toMatch(/^Gateway {2}none.*\nData.*\nRunning {2}0\n$/)
  const { stdout } = await run('show', id)
  expect(stdout).toMatch(
    /Attempts\n#1 {2}relief@local {2}won \(there: succeeded\)\n {4}submitted \+[\d.]+ s, .*\n {4}0 USD\n/,
  )
  expect(stdout).toMatch(/Decisions\n\+0\.00 s {2}#1 {2}attempt 1 on relief@local .*\n\+[\d.]+ s {2}#1 {2}succeeded/)
  expect(await run('show', 'nobody')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'surefoot: There is no prediction nobody here. surefoot list shows what there is.\n',
  })
})
