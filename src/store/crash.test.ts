import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished } from 'vitest'
import { lockFolder, readOwner } from './lock.ts'
import { openSqliteStore } from './sqlite.ts'

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), 'surefoot-crash-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  /** Runs a program in another process, with `folder` and our modules at hand; what it prints comes line by line. */
  function run(program: string): { child: ChildProcess; lines: AsyncIterator<string> } {
    const imports = [
      `import { lockFolder } from '${new URL('lock.ts', import.meta.url)}'`,
      `import { openSqliteStore } from '${new URL('sqlite.ts', import.meta.url)}'`,
      `import { sampleChange, samplePrediction } from '${new URL('../testing/sample-records.ts', import.meta.url)}'`,
      `const folder = ${JSON.stringify(folder)}`,
    ]
    const argv = ['--input-type=module', '--eval', [...imports, program].join('\n')]
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
  }
  async function kill(child: ChildProcess): Promise<void> {
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }
  return { folder, run, kill }
}

it('keeps every row that was acknowledged before the process was killed', async () => {
  const { folder, run, kill } = await setup()
  const { child, lines } = run(`
    const store = await openSqliteStore({ path: folder + '/surefoot.db' })
    for (let index = 0; ; index++) {
      const batch = ['a', 'b'].map(name => sampleChange(samplePrediction({ id: name + index })))
      await store.commit(batch)
      process.stdout.write(index + '\\n')
    }`)
  let acknowledged = -1
  while (acknowledged < 200) acknowledged = Number((await lines.next()).value)
  await kill(child)
  for (let line = await lines.next(); !line.done; line = await lines.next()) acknowledged = Number(line.value)

  const store = await openSqliteStore({ path: join(folder, 'surefoot.db') })
  const found = new Set((await store.list({ owner: null, limit: 1_000_000 })).map(row => row.record.id))
  await store.close()
  const expected = Array.from({ length: acknowledged + 1 }, (_, index) => [`a${index}`, `b${index}`]).flat()
  expect(expected.filter(id => !found.has(id))).toEqual([])
  // A batch is there whole or not at all.
  expect([...found].filter(id => !found.has((id.startsWith('a') ? 'b' : 'a') + id.slice(1)))).toEqual([])
})

it('lets one process own a folder, names its URL to the second, and hands over at once when the owner is killed', async () => {
  const { folder, run, kill } = await setup()
  const { child, lines } = run(`
    const lock = await lockFolder(folder)
    await lock.announce({ url: 'http://127.0.0.1:3000', pid: process.pid, startedAt: 5 })
    process.stdout.write('locked\\n')
    setInterval(() => lock, 1_000)`)
  expect((await lines.next()).value).toBe('locked')
  expect(await readOwner(folder)).toEqual({ url: 'http://127.0.0.1:3000', pid: child.pid, startedAt: 5 })
  await expect(lockFolder(folder)).rejects.toMatchObject({
    status: 409,
    message: `The data folder ${folder} is in use by the process ${child.pid}, which serves http://127.0.0.1:3000.`,
  })
  await kill(child)
  expect(await readOwner(folder)).not.toBe(null)
  const lock = await lockFolder(folder)
  expect(await readOwner(folder)).toBe(null)
  await lock.release()
})

it('refuses a second owner within the process too, until the first releases', async () => {
  const { folder } = await setup()
  const first = await lockFolder(join(folder, 'new', 'data'))
  await expect(lockFolder(join(folder, 'new', 'data'))).rejects.toThrow('in use by another process')
  await first.announce({ url: 'http://127.0.0.1:1', pid: 1, startedAt: 1 })
  await first.release()
  await first.release()
  expect(await readdir(join(folder, 'new', 'data'))).toEqual(['lock.db'])
  const second = await lockFolder(join(folder, 'new', 'data'))
  await second.release()
})

it('takes an owner file that it cannot read for none', async () => {
  const { folder } = await setup()
  await writeFile(join(folder, 'owner.json'), '{"url":')
  expect(await readOwner(folder)).toBe(null)
  await writeFile(join(folder, 'owner.json'), '{"url":5}')
  expect(await readOwner(folder)).toBe(null)
})

it('makes the folder and those above it, and refuses where something else is in the way', async () => {
  const { folder } = await setup()
  const lock = await lockFolder(join(folder, 'a/b/c'))
  await lock.release()
  await writeFile(join(folder, 'file'), '')
  await expect(lockFolder(join(folder, 'file'))).rejects.toThrow('EEXIST')
  await expect(lockFolder(join(folder, 'file/below'))).rejects.toThrow('ENOTDIR')
})

it.runIf(process.platform === 'linux')('refuses a folder in which nothing can be made', async () => {
  await expect(lockFolder('/proc/surefoot/data')).rejects.toThrow('ENOENT')
})
