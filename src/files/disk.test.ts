import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describeFiles, digest, sampleBody } from '../testing/describe-files.ts'
import { createDiskFiles, type DiskFilesOptions } from './disk.ts'

const roomy = { maxBytes: 100_000_000 }

function setup() {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-files-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  /** Everything on the disk that is a file, temporary ones included. */
  const onDisk = async () => {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    return entries.filter(entry => entry.isFile()).map(entry => entry.name)
  }
  return {
    directory,
    onDisk,
    create: (more: Partial<DiskFilesOptions> = {}) => createDiskFiles({ directory, ...more }),
  }
}

describeFiles('files on disk', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-files-'))
  return {
    files: createDiskFiles({ directory }),
    async close() {
      const left = await readdir(join(directory, '~incoming'))
      await rm(directory, { recursive: true })
      expect(left, 'temporary files left behind').toEqual([])
    },
  }
})

describe('createDiskFiles', () => {
  it('keeps a file at a path that only its user can read, and no empty folders after it is gone', async () => {
    const { create, directory } = setup()
    const files = create()
    await files.put('a/b/key', sampleBody('hello'), roomy)
    const path = files.path('a/b/key') ?? ''
    expect(path).toBe(join(directory, 'a', 'b', 'key'))
    expect(await readFile(path, 'utf8')).toBe('hello')
    expect((await stat(path)).mode & 0o077).toBe(0)
    expect((await stat(join(directory, 'a'))).mode & 0o077).toBe(0)
    await files.remove('a/b/key')
    expect(await readdir(directory)).toEqual(['~incoming'])
  })

  it('goes on when everything in its folder was deleted while it ran', async () => {
    const { create, directory } = setup()
    const files = create()
    await rm(join(directory, '~incoming'), { recursive: true })
    expect(await files.put('a', sampleBody('x'), roomy)).toMatchObject({ kind: 'stored' })
    await rm(directory, { recursive: true })
    expect(await files.put('a', sampleBody('x'), roomy)).toMatchObject({ kind: 'stored' })
  })

  it('refuses a key that is the beginning of another one', async () => {
    const { create } = setup()
    const files = create()
    await files.put('a/b', sampleBody('x'), roomy)
    await expect(files.put('a', sampleBody('x'), roomy)).rejects.toMatchObject({ failure: { code: 'input_invalid' } })
  })

  it.each(['ENOSPC', 'EDQUOT'])(
    'answers storage_full when the disk says %s half way, and keeps nothing',
    async code => {
      const { create, onDisk } = setup()
      let room = 2_500
      const files = create({
        async write(file, chunk) {
          if (chunk.byteLength > room) throw Object.assign(new Error(`${code}: write`), { code })
          room -= chunk.byteLength
          await file.write(chunk)
        },
      })
      const chunks = [new Uint8Array(1_000), new Uint8Array(1_000), new Uint8Array(1_000)]
      await expect(files.put('a/key', sampleBody(...chunks), roomy)).rejects.toMatchObject({
        failure: { code: 'storage_full' },
        status: 507,
      })
      expect(await onDisk()).toEqual([])
      room = 5_000
      expect(await files.put('a/key', sampleBody(...chunks), roomy)).toMatchObject({ kind: 'stored', bytes: 3_000 })
    },
  )

  it.skipIf(process.platform !== 'linux')(
    "answers storage_full to the kernel's own error of /dev/full (Linux only)",
    async () => {
      const { create, onDisk } = setup()
      const full = await open('/dev/full', 'w')
      onTestFinished(() => full.close())
      const files = create({ write: async (_, chunk) => void (await full.write(chunk)) })
      await expect(files.put('key', sampleBody('x'), roomy)).rejects.toMatchObject({
        failure: { code: 'storage_full' },
      })
      expect(await onDisk()).toEqual([])
    },
  )

  // A real full disk: a file system of 1 MB in a mount namespace of our own, which some systems forbid to plain users.
  const mayMount = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true']).status === 0
  it.skipIf(!mayMount)(
    'survives a disk that is really full (skipped where unprivileged mounts are forbidden)',
    async () => {
      const { directory } = setup()
      const program = `
      import { readdirSync } from 'node:fs'
      import { createDiskFiles } from '${new URL('disk.ts', import.meta.url)}'
      const directory = process.argv[1]
      const files = createDiskFiles({ directory })
      async function* body(bytes) { for (let sent = 0; sent < bytes; sent += 50_000) yield new Uint8Array(50_000) }
      const put = async (key, bytes) => await files.put(key, body(bytes), { maxBytes: 10_000_000 })
      const outcome = await put('big', 2_000_000).catch(error => error.failure?.code ?? String(error))
      const left = readdirSync(directory, { recursive: true })
      const after = await put('small', 500_000)
      console.log(JSON.stringify([outcome, left, after.kind, after.bytes]))`
      const script = 'mount -t tmpfs -o size=1m none "$0" && exec "$1" --input-type=module --eval "$2" "$0"'
      const argv = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, directory, process.execPath, program]
      const { stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' })
      expect(JSON.parse(stdout || stderr)).toEqual(['storage_full', ['~incoming'], 'stored', 500_000])
    },
  )

  it('copies across disks when adopting, and removes the original', async ({ skip }) => {
    const { create } = setup()
    const elsewhere = await mkdir('/dev/shm', { recursive: true }).then(
      () => mkdtempSync('/dev/shm/surefoot-'),
      () => null,
    )
    if (elsewhere === null) return skip('there is no second file system at /dev/shm')
    onTestFinished(() => rm(elsewhere, { recursive: true }))
    const files = create()
    await writeFile(join(elsewhere, 'out'), 'hello')
    expect(await files.adopt('key', join(elsewhere, 'out'), roomy)).toMatchObject({ sha256: digest('hello') })
    expect(await readFile(files.path('key') ?? '', 'utf8')).toBe('hello')
    expect(await readdir(elsewhere)).toEqual([])
  })
})

describe('createDiskFiles after a crash', () => {
  it('shows nothing of a write whose process was killed, and sweeps it away on the next opening', async () => {
    const { directory, create, onDisk } = setup()
    const program = `
      import { createDiskFiles } from '${new URL('disk.ts', import.meta.url)}'
      const files = createDiskFiles({ directory: ${JSON.stringify(directory)} })
      async function* body() {
        yield new Uint8Array(100_000)
        process.stdout.write('half\\n')
        await new Promise(resolve => setTimeout(resolve, 1e6))
      }
      await files.put('key', body(), { maxBytes: 1e9 })`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(createInterface({ input: child.stdout }), 'line')

    const beside = create()
    expect(await onDisk(), 'a living process keeps its file').toHaveLength(1)
    expect(await beside.stat('key')).toBe(null)
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
    expect(await onDisk()).toHaveLength(1)

    const files = create()
    expect(await onDisk()).toEqual([])
    expect(await files.put('key', sampleBody('whole'), roomy)).toMatchObject({ kind: 'stored', bytes: 5 })
  })

  it('tells an earlier life of its own process id, and keeps what it is writing itself', async () => {
    const { directory, create, onDisk } = setup()
    const gate = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    async function* slow() {
      yield Buffer.from('slow')
      begun.resolve()
      await gate.promise
    }
    const put = create().put('key', slow(), roomy)
    await begun.promise
    const [mine = ''] = await onDisk()
    const [host, pid, , random] = mine.split('.')
    await writeFile(join(directory, '~incoming', [host, pid, 'earlier', random, 'part'].join('.')), 'x')
    create()
    expect(await onDisk()).toEqual([mine])
    gate.resolve()
    expect(await put).toMatchObject({ kind: 'stored' })
  })

  it('sweeps files of other hosts only after a day without a write', async () => {
    const { directory, create, onDisk } = setup()
    create()
    const path = join(directory, '~incoming', 'otherhost.1.life.random.part')
    await writeFile(path, 'x')
    const touched = Date.UTC(2026, 0, 1)
    await utimes(path, touched / 1_000, touched / 1_000)
    create({ now: () => touched + 24 * 3_600_000 })
    expect(await onDisk()).toHaveLength(1)
    create({ now: () => touched + 24 * 3_600_000 + 1 })
    expect(await onDisk()).toEqual([])
  })
})
