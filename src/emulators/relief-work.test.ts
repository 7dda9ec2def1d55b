import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../engine/clock.ts'
import { checkSplat } from '../splat/check.ts'
import { createReliefWork } from './relief-work.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

async function setup() {
  const directory = await mkdtemp(join(tmpdir(), 'relief-work-'))
  folders.push(directory)
  const photo = new Blob([await readFile('examples/photos/rocket.jpg')], { type: 'image/jpeg' })
  return { work: createReliefWork({ clock: systemClock, directory }), photo }
}

const signal = new AbortController().signal

test('a photo in any field becomes a valid splat, with progress that never falls', async () => {
  const { work, photo } = await setup()
  const fractions: number[] = []
  const outputs = await work(
    { model: 'any/model', input: {}, files: { picture: photo } },
    each => fractions.push(each),
    signal,
  )
  const [output] = outputs
  expect(outputs.map(each => each.name)).toEqual(['scene.ply'])
  const check = await checkSplat(output?.body.stream() ?? new ReadableStream(), { bytes: output?.body.size ?? 0 })
  expect(check.valid).toBe(true)
  expect(fractions).toEqual([...fractions].sort((one, other) => one - other))
})

test('what is no photo fails with the reason', async () => {
  const { work } = await setup()
  const files = { picture: new Blob(['not a photo']) }
  await expect(work({ model: 'any/model', input: {}, files }, () => {}, signal)).rejects.toThrow(/photo|image/i)
})

test('it never passes for SHARP', async () => {
  const { work, photo } = await setup()
  const answer = work({ model: 'surefoot/sharp', input: {}, files: { photo } }, () => {}, signal)
  await expect(answer).rejects.toThrow('no SHARP')
})
