import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { loadConfig } from './config/load-config.ts'
import { openDataFolder } from './open.ts'
import { createSurefoot } from './surefoot.ts'

const photo = readFileSync(fileURLToPath(new URL('../examples/photos/rocket.jpg', import.meta.url)))

test('opens nothing before its first use, and one directory has one Surefoot until that is closed', async () => {
  const { directory, surefoot } = setup()
  expect(createSurefoot({ directory: relative('.', directory) })).toBe(surefoot)
  expect(readdirSync(directory)).toEqual([])
  expect(await surefoot.list()).toEqual([])
  expect(existsSync(join(directory, '.surefoot/surefoot.db'))).toBe(true)
  await surefoot.close()
  expect(createSurefoot({ directory })).not.toBe(surefoot)
})

test('a photo with the fields of its form becomes a file, and every change is seen on the way', async () => {
  const { surefoot } = setup()
  const { id, status, input } = await surefoot.create({
    model: 'surefoot/relief',
    files: { image: new File([photo], 'rocket.jpg') },
    fields: { focal_length: '35' },
  })
  expect(status).toBe('starting')
  expect(input).toMatchObject({ focal_length: 35 })
  const seen: string[] = []
  for await (const prediction of surefoot.watch(id)) {
    if (prediction.status !== seen.at(-1)) seen.push(prediction.status)
  }
  expect([seen[0], seen.at(-1)]).toEqual(['starting', 'succeeded'])
  const { surefoot: details } = await surefoot.wait(id)
  const output = await surefoot.openOutput(id, { start: 0, end: 3 })
  expect(await new Response(output?.body).text()).toBe('ply\n')
  expect(output).toMatchObject({ name: 'scene.ply', bytes: 4, total: details.output?.bytes })
  expect((await surefoot.attempts(id))?.attempts).toMatchObject([{ deployment: 'relief@local', state: 'won' }])
})

test('a create that is repeated with its key is the same prediction, and another one under it is refused', async () => {
  const { surefoot } = setup()
  const create = (focal_length: string) =>
    surefoot.create({
      model: 'surefoot/relief',
      files: { image: new File([photo], 'rocket.jpg') },
      fields: { focal_length },
      idempotencyKey: 'upload 7',
    })
  const [first, again] = await Promise.all([create('35'), create('35')])
  expect(again.id).toBe(first.id)
  await expect(create('50')).rejects.toMatchObject({ status: 409, failure: { code: 'input_invalid' } })
  expect(await surefoot.list()).toHaveLength(1)
})

test('files that came with a refused input are not kept', async () => {
  const { directory, surefoot } = setup()
  await expect(surefoot.create({ files: { image: new TextEncoder().encode('no photo') } })).rejects.toMatchObject({
    failure: { code: 'input_invalid' },
  })
  await expect(surefoot.create({ files: { image: photo, depth: photo } })).rejects.toMatchObject({
    failure: { code: 'input_invalid' },
  })
  const left = readdirSync(join(directory, '.surefoot/files'), { recursive: true, withFileTypes: true })
  expect(left.filter(entry => entry.isFile())).toEqual([])
})

test('files of a prediction that may have been stored stay, whatever the error', async () => {
  const { directory, surefoot } = setup()
  await surefoot.list()
  const database = new DatabaseSync(join(directory, '.surefoot/surefoot.db'))
  database.exec("create trigger t before insert on predictions begin select raise(abort, 'lost'); end")
  database.close()
  await expect(surefoot.create({ files: { image: photo } })).rejects.toThrow('lost')
  const left = readdirSync(join(directory, '.surefoot/files'), { recursive: true, withFileTypes: true })
  expect(left.filter(entry => entry.isFile())).toHaveLength(1)
})

test('what nobody knows: null, and a wait for it fails', async () => {
  const { surefoot } = setup()
  expect(await Promise.all([surefoot.get('none'), surefoot.cancel('none'), surefoot.attempts('none')])).toEqual([
    null,
    null,
    null,
  ])
  expect(await surefoot.openOutput('none')).toBe(null)
  await expect(surefoot.wait('none')).rejects.toMatchObject({ status: 404 })
})

test('while another owns the folder every call fails; as soon as it is free, they work', async () => {
  const { directory, surefoot } = setup()
  const owner = await openDataFolder(await loadConfig({ cwd: directory, env: {} }), () => {})
  await expect(surefoot.list()).rejects.toMatchObject({ status: 409 })
  await owner.close()
  expect(await surefoot.list()).toEqual([])
})

/** A Surefoot on an empty directory, closed and removed after the test. */
function setup() {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-app-'))
  vi.stubEnv('SUREFOOT_DATA', '')
  const surefoot = createSurefoot({ directory })
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await surefoot.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return { directory, surefoot }
}
