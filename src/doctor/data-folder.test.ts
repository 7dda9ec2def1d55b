import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lockFolder } from '../store/lock.ts'
import { inspectDataFolder } from './data-folder.ts'

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'surefoot-doctor-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const answering: typeof globalThis.fetch = async () => Response.json({ status: 'ok' })
const silent: typeof globalThis.fetch = () => Promise.reject(new TypeError('fetch failed'))

async function look(directory: string, fetch: typeof globalThis.fetch = silent) {
  const { findings, gateway } = await inspectDataFolder(directory, fetch)
  return { gateway, first: `${findings[0]?.level}: ${findings[0]?.message}` }
}

test('a folder that is not there is not made', async () => {
  const folder = makeFolder()
  const { first } = await look(join(folder, 'a', 'b'))
  expect(first).toMatch(/^ok: .* is not there yet/)
  expect(readdirSync(folder)).toEqual([])
})

test('a folder of nobody can be opened afterwards', async () => {
  const folder = makeFolder()
  expect(await look(folder)).toEqual({ gateway: null, first: expect.stringMatching(/^ok: .*no process has it open/) })
  await (await lockFolder(folder)).release()
})

test('a file in its place is a problem', async () => {
  const file = join(makeFolder(), 'data')
  writeFileSync(file, '')
  expect((await look(file)).first).toMatch(/^problem: .* cannot be written: ENOTDIR/)
})

test('who has it open is told, and whether he answers', async () => {
  const folder = makeFolder()
  const lock = await lockFolder(folder)
  onTestFinished(lock.release)
  expect((await look(folder)).first).toMatch(/^warning: .* announces no address/)
  const url = 'http://127.0.0.1:8787'
  await lock.announce({ url, pid: 42, startedAt: 0 })
  expect(await look(folder, answering)).toEqual({
    gateway: url,
    first: expect.stringMatching(/^ok: .* is served by process 42 at http/),
  })
  expect(await look(folder)).toEqual({
    gateway: null,
    first: expect.stringMatching(/^problem: Process 42 .* does not answer/),
  })
})
