import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { checkTarget, saveOutput } from './save-output.ts'

const sha256 = createHash('sha256').update('whole').digest('hex')

function setup() {
  const folder = mkdtempSync(join(tmpdir(), 'surefoot-save-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return { folder, path: join(folder, 'scene.ply') }
}

function bodyOf(text: string, end: (controller: ReadableStreamDefaultController<Uint8Array>) => void) {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(Buffer.from(text))
      end(controller)
    },
  })
}
const whole = (text: string) => bodyOf(text, controller => controller.close())

test('writes what arrives whole', async () => {
  const { folder, path } = setup()
  await saveOutput(path, whole('whole'), { sha256, force: false })
  expect(readFileSync(path, 'utf8')).toBe('whole')
  expect(readdirSync(folder)).toEqual(['scene.ply'])
})

test('leaves nothing of a stream that breaks off, or of other bytes than were verified', async () => {
  const { folder, path } = setup()
  const cut = bodyOf('who', controller => controller.error(new Error('cut')))
  await expect(saveOutput(path, cut, { sha256, force: false })).rejects.toThrow('cut')
  await expect(saveOutput(path, whole('other'), { sha256, force: true })).rejects.toThrow('did not arrive')
  expect(readdirSync(folder)).toEqual([])
})

test('replaces a file only by force, also one that came in the meantime', async () => {
  const { folder, path } = setup()
  writeFileSync(path, 'older')
  expect(() => checkTarget(path, false)).toThrow('exists')
  await expect(saveOutput(path, whole('whole'), { sha256, force: false })).rejects.toThrow('exists')
  expect(readFileSync(path, 'utf8')).toBe('older')
  expect(readdirSync(folder)).toEqual(['scene.ply'])
  checkTarget(path, true)
  await saveOutput(path, whole('whole'), { sha256, force: true })
  expect(readFileSync(path, 'utf8')).toBe('whole')
})

test('refuses folders, and paths in folders that do not exist', () => {
  const { folder, path } = setup()
  mkdirSync(path)
  expect(() => checkTarget(path, true)).toThrow('is a folder')
  expect(() => checkTarget(join(folder, 'nowhere', 'scene.ply'), false)).toThrow('There is no folder')
})

test('refuses what is no plain file, also by force: a rename would take it away from everybody', () => {
  expect(() => checkTarget('/dev/null', true)).toThrow('is not a plain file')
})

test('says in one sentence why a file cannot be written, before the work and after it', async () => {
  const { folder, path } = setup()
  writeFileSync(path, '')
  const beneathFile = join(path, 'scene.ply')
  expect(() => checkTarget(beneathFile, false)).toThrow(/^.*scene\.ply cannot be written: ENOTDIR: .*\.$/)
  await expect(saveOutput(beneathFile, whole('whole'), { sha256, force: false })).rejects.toMatchObject({
    failure: { code: 'input_invalid' },
  })
  expect(readdirSync(folder)).toEqual(['scene.ply'])
})
