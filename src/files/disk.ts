import { mkdirSync } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, readdir, rm, rmdir, stat, statfs } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import type { FileStore, PutOptions, PutResult } from './contract.ts'
import { checkKey } from './keys.ts'
import { openRange, readAll } from './read-file.ts'
import { receive } from './receive.ts'
import { createTemporaryName, sweepTemporaryFiles } from './temporary-files.ts'
import { withSignal } from './with-signal.ts'

export interface DiskFilesOptions {
  /** Where files live, one per key; made when missing, readable by its user only. */
  readonly directory: string
  /** Writes one chunk, all of it. Default: to the disk. A test gives one that fails the way a full disk does. */
  readonly write?: (file: FileHandle, chunk: Uint8Array) => Promise<void>
  /** Milliseconds since 1970, to tell which half-written files are abandoned. Default: this machine's clock. */
  readonly now?: () => number
}

/**
 * A file store on a local disk. A file is written under a temporary name, synced, and then *linked* to its final name:
 * a link never replaces, so the first complete write wins however many race; a rename would let the last one win. What was
 * answered `stored` survives a power cut. Half-written files of processes that died are removed on opening.
 */
export function createDiskFiles({ directory, write = writeAll, now = Date.now }: DiskFilesOptions): FileStore {
  const root = resolve(directory)
  // `~` is outside the alphabet of keys, so no key leads in here; the same tree, because links cannot cross disks.
  const incoming = join(root, '~incoming')
  mkdirSync(incoming, { recursive: true, mode: 0o700 })
  sweepTemporaryFiles(incoming, now())

  function toPath(key: string): string {
    checkKey(key)
    return join(root, key)
  }

  /** Links a complete file to its final name. Answers false when the name is taken. */
  async function publish(from: string, to: string): Promise<boolean> {
    for (let tries = 0; ; tries++) {
      const firstMade = await mkdir(dirname(to), { recursive: true, mode: 0o700 })
      try {
        await link(from, to)
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return await isTaken(to)
        // A remove() took the folder away again, because it was empty.
        if (codeOf(error) === 'ENOENT' && tries < 10) continue
        throw error
      }
      await syncFolders(dirname(to), firstMade === undefined ? dirname(to) : root)
      return true
    }
  }

  async function put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutResult> {
    const path = toPath(key)
    if (await statFile(path)) {
      // Begun and left: a generator that was never begun would not close what it reads from.
      for await (const _ of withSignal(body, options.signal)) break
      return { kind: 'exists' }
    }
    const temporary = join(incoming, createTemporaryName())
    try {
      // Whoever cleans up by hand takes empty folders along.
      await mkdir(incoming, { recursive: true, mode: 0o700 })
      const file = await open(temporary, 'wx', 0o600)
      try {
        const received = await receive(body, options, chunk => write(file, chunk))
        await file.sync()
        options.signal?.throwIfAborted()
        return (await publish(temporary, path)) ? { kind: 'stored', ...received } : { kind: 'exists' }
      } finally {
        await file.close()
      }
    } catch (error) {
      throw named(error)
    } finally {
      await rm(temporary, { force: true })
    }
  }

  async function adopt(key: string, source: string, options: PutOptions): Promise<PutResult> {
    const path = toPath(key)
    // Looked at first: a process that died right after taking a file over has left nothing at its source.
    if (await statFile(path)) return { kind: 'exists' }
    // Not a link's target: whoever names the path could otherwise have any file of this machine published.
    const found = await lstat(source).catch(() => null)
    if (!found?.isFile()) refuse('output_invalid', 'There is no regular file at the path that was named as an output.')
    try {
      const file = await open(source, 'r+')
      try {
        const received = await receive(readAll(file), options, async () => {})
        await file.sync()
        options.signal?.throwIfAborted()
        if (!(await publish(source, path))) return { kind: 'exists' }
        await rm(source, { force: true })
        return { kind: 'stored', ...received }
      } catch (error) {
        // Another disk; or a file of another user, which Linux does not let us link.
        if (codeOf(error) !== 'EXDEV' && codeOf(error) !== 'EPERM') throw error
        const copied = await put(key, readAll(file), options)
        if (copied.kind === 'stored') await rm(source, { force: true })
        return copied
      } finally {
        await file.close()
      }
    } catch (error) {
      throw named(error)
    }
  }

  return {
    put,
    adopt,
    open: async (key, range) => await openRange(toPath(key), range),
    async stat(key) {
      const found = await statFile(toPath(key))
      return found === null ? null : { bytes: found.size }
    },
    async remove(key) {
      const path = toPath(key)
      if ((await statFile(path)) === null) return
      await rm(path, { force: true })
      // Folders are made per attempt; without this a million of them would stay behind.
      for (let folder = dirname(path); folder !== root; folder = dirname(folder))
        if (
          !(await rmdir(folder).then(
            () => true,
            () => false,
          ))
        )
          break
    },
    async *list(folder, after = '') {
      const options = { recursive: true, withFileTypes: true } as const
      const entries = await readdir(toPath(folder), options).catch(error => {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
        throw error
      })
      const keys = entries.flatMap(entry =>
        entry.isFile() ? relative(root, join(entry.parentPath, entry.name)).split(sep).join('/') : [],
      )
      for (const key of keys.filter(key => key > after).toSorted()) {
        const found = await statFile(join(root, key))
        if (found !== null) yield { key, bytes: found.size }
      }
    },
    async room() {
      // What is left for others than the system's administrator.
      const { bavail, bsize } = await statfs(root)
      return bavail * bsize
    },
    path: key => toPath(key),
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.byteLength; )
    written += (await file.write(chunk, written, chunk.byteLength - written)).bytesWritten
}

async function statFile(path: string): Promise<{ readonly size: number } | null> {
  try {
    const found = await stat(path)
    return found.isFile() ? found : null
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null
    throw error
  }
}

/** False for a file; a folder at that name means that the key is the beginning of another one. */
async function isTaken(path: string): Promise<false> {
  if ((await statFile(path)) === null) refuse('input_invalid', 'This key is the beginning of another key.')
  return false
}

/** Makes names durable: a synced file whose folder entry was lost with the power is lost too. */
async function syncFolders(from: string, upTo: string): Promise<void> {
  // Windows cannot open folders, and needs no sync of them.
  if (process.platform === 'win32') return
  for (let folder = from; ; folder = dirname(folder)) {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (folder === upTo) return
  }
}

function named(error: unknown): unknown {
  const code = codeOf(error)
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new SurefootError(createFailure('storage_full', 'The file does not fit: the disk is full.'), {
    cause: error,
    status: 507,
  })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
