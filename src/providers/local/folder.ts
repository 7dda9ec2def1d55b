import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { refuse } from '../../core/failure.ts'

/** One attempt's files. The folder outlives the run: as long as it is there, the attempt cannot run a second time. */
export interface WorkFolder {
  readonly path: string
  readonly job: string
  /** Whoever creates it decides: a worker (its pid inside) will run, or `gateway` inside and no worker ever will. */
  readonly claim: string
  readonly status: string
  readonly exit: string
  /** Its presence tells a worker to stop. */
  readonly canceled: string
  /** What the process writes to its standard streams. */
  readonly log: string
  readonly output: string
  readonly partial: string
}

export function workFolderAt(path: string): WorkFolder {
  return {
    path,
    job: join(path, 'job.json'),
    claim: join(path, 'claim'),
    status: join(path, 'status.json'),
    exit: join(path, 'exit.json'),
    canceled: join(path, 'canceled'),
    log: join(path, 'worker.log'),
    output: join(path, 'scene.ply'),
    partial: join(path, 'scene.ply.partial'),
  }
}

/** The attempt's folder; an id that could lead out of the directory is refused. */
export function workFolderOf(directory: string, attemptId: string): WorkFolder {
  if (!/^[A-Za-z0-9_-]{1,100}$/.test(attemptId)) refuse('internal', `"${attemptId}" is no attempt id.`)
  return workFolderAt(join(directory, attemptId))
}

/** Creates the claim; false when somebody else was first. */
export async function takeClaim(folder: WorkFolder, holder: string): Promise<boolean> {
  return await writeFile(folder.claim, holder, { flag: 'wx' }).then(
    () => true,
    error => {
      if (hasCode(error, 'EEXIST')) return false
      throw error
    },
  )
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(value))
  await rename(`${path}.new`, path)
}

/** The file's content through its schema; null when there is none. Throws `provider_error` for a file that cannot be read. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const text = await readText(path)
  if (text === null) return null
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    return refuse('provider_error', `The local worker's file ${path} cannot be read.`, { cause })
  }
}

/** Null when there is no such file. */
export async function readText(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').catch(error => {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  })
}

/** The last characters of a file that may be of any length; empty when there is none. */
export async function readTail(path: string, characters: number): Promise<string> {
  if ((await changedAt(path)) === null) return ''
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(characters),
      position: Math.max(0, size - characters),
    })
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** When the file or folder last changed, in milliseconds since 1970; null when there is none. */
export async function changedAt(path: string): Promise<number | null> {
  return await stat(path).then(
    found => found.mtimeMs,
    error => {
      if (hasCode(error, 'ENOENT')) return null
      throw error
    },
  )
}

/** Removes what an attempt that was given up may have left of its output. */
export async function removeOutput(folder: WorkFolder): Promise<void> {
  await rm(folder.partial, { force: true })
  await rm(folder.output, { force: true })
}

/** Removes folders that nothing has touched since `before` (ms); a living worker touches its own twice a second. */
export async function sweep(directory: string, before: number): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory() && ((await changedAt(path)) ?? before) < before)
      await rm(path, { recursive: true, force: true })
  }
}

/** Makes the attempt's folder; false when it was there already. */
export async function makeFolder(directory: string, folder: WorkFolder): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return await mkdir(folder.path).then(
    () => true,
    error => {
      if (hasCode(error, 'EEXIST')) return false
      throw error
    },
  )
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
