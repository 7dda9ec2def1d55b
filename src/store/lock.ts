import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { createFailure, SurefootError } from '../core/failure.ts'

/** Who serves a data folder, for other processes of this machine: they talk to its URL instead of opening the folder. */
export interface Owner {
  readonly url: string
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** What lets whoever can read this file do everything at the URL. Default: nothing does. */
  readonly secret?: string | undefined
}

export interface FolderLock {
  /** Tells other processes where the owner can be reached. */
  announce(owner: Owner): Promise<void>
  /** Gives the folder free and takes the announcement away. */
  release(): Promise<void>
}

const lockName = 'lock.db'
const ownerName = 'owner.json'
const ownerSchema: z.ZodType<Owner> = z.object({
  url: z.string(),
  pid: z.number(),
  startedAt: z.number(),
  secret: z.string().optional(),
})
/** SQLite's primary result code for "somebody else has it": https://sqlite.org/rescode.html#busy */
const sqliteBusy = 5

/**
 * Makes this process the only owner of a data folder, until `release` or its death: an open exclusive transaction holds
 * a lock of the kernel's, which cannot go stale as a pid file can. Makes the folder when missing. Fails with a
 * `SurefootError` of status 409 that names the owner's URL where it is known.
 *
 * Nothing else in this process may open `lock.db`, not even to read or copy it: POSIX drops all locks that a process has
 * on a file when it closes any descriptor of that file.
 */
export async function lockFolder(directory: string): Promise<FolderLock> {
  await makeFolder(directory)
  const database = new DatabaseSync(join(directory, lockName), { timeout: 0 })
  try {
    database.exec('begin exclusive')
  } catch (error) {
    database.close()
    if (!isBusy(error)) throw error
    throw await createTakenError(directory, error)
  }
  // Left by an owner that was killed: it would send others to a URL where nobody, or somebody else, listens.
  await removeOwner(directory)

  return {
    async announce(owner) {
      // Renamed into place: a reader sees all of it or nothing.
      const temporary = join(directory, `${ownerName}.${process.pid}.tmp`)
      // Made anew, for nobody else to read: what is left of another file would keep its rights.
      await rm(temporary, { force: true })
      await writeFile(temporary, JSON.stringify(owner), { mode: 0o600, flag: 'wx' })
      await rename(temporary, join(directory, ownerName))
    },
    async release() {
      if (!database.isOpen) return
      await removeOwner(directory)
      database.close()
    },
  }
}

/** The announced owner of a data folder; null when none has announced itself. It may have been killed since. */
export async function readOwner(directory: string): Promise<Owner | null> {
  try {
    return ownerSchema.parse(JSON.parse(await readFile(join(directory, ownerName), 'utf8')))
  } catch {
    return null
  }
}

async function removeOwner(directory: string): Promise<void> {
  await rm(join(directory, ownerName), { force: true })
}

async function createTakenError(directory: string, cause: unknown): Promise<SurefootError> {
  const owner = await readOwner(directory)
  const where = owner === null ? 'another process' : `the process ${owner.pid}, which serves ${owner.url}`
  const failure = createFailure('input_invalid', `The data folder ${directory} is in use by ${where}.`, {
    fault: 'config',
    advice:
      owner === null ? 'Stop that process, or use another data folder.' : `Use ${owner.url}, or another data folder.`,
  })
  return new SurefootError(failure, { status: 409, cause })
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === sqliteBusy
}

/**
 * Makes a folder and those above it. Node's own recursive form never ends where a folder that exists says that it does
 * not know its new child, as `/proc` does.
 */
async function makeFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 })
  } catch (error) {
    if (await isFolder(directory)) return
    const parent = dirname(directory)
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing || (await isFolder(parent))) throw error
    await makeFolder(parent)
    await makeFolder(directory)
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    found => found.isDirectory(),
    () => false,
  )
}
