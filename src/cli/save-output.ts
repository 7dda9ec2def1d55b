import { createHash, randomUUID } from 'node:crypto'
import { closeSync, existsSync, openSync, rmSync, statSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createFailure, SurefootError } from '../core/failure.ts'

/**
 * Refuses a path that cannot be written, or would replace a file without `force`; called before any work is done. A
 * file is made beside `path` and removed: rights alone do not tell what a read-only or a virtual disk will do.
 */
export function checkTarget(path: string, force: boolean): void {
  refuseForeign(path, force)
  if (!existsSync(dirname(path))) refuseTarget(`There is no folder ${dirname(path)}.`, 'Make it, or name another file.')
  const probe = temporaryFor(path)
  try {
    closeSync(openSync(probe, 'wx'))
  } catch (error) {
    throw explain(error, path)
  }
  rmSync(probe)
}

/**
 * Writes a verified output to `path`: under another name first, renamed when all of it is there and has the checksum, so
 * that `path` is never half a file. Without a checksum (null) none is looked at.
 */
export async function saveOutput(
  path: string,
  body: ReadableStream<Uint8Array>,
  { sha256, force }: { readonly sha256: string | null; readonly force: boolean },
): Promise<void> {
  const temporary = temporaryFor(path)
  const file = await told(path, open(temporary, 'wx'))
  try {
    try {
      const hash = createHash('sha256')
      for await (const chunk of body) {
        hash.update(chunk)
        await told(path, file.writeFile(chunk))
      }
      if (sha256 !== null && hash.digest('hex') !== sha256)
        refuseTarget('The file did not arrive as it was verified.', 'Run the command again.')
      await told(path, file.sync())
    } finally {
      await file.close()
    }
    // Somebody may have made it while we worked.
    refuseForeign(path, force)
    await told(path, rename(temporary, path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

function temporaryFor(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.partial`)
}

/** What is there already and must stay. */
function refuseForeign(path: string, force: boolean): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) refuseTarget(`${path} is a folder.`, 'Name a file with -o.')
  // Renaming onto it would take a device or a pipe away from everybody, as with `-o /dev/null --force` by root.
  if (found !== undefined && !found.isFile()) refuseTarget(`${path} is not a plain file.`, 'Name another file with -o.')
  if (found !== undefined && !force) refuseTarget(`${path} exists.`, 'Name another file with -o, or use --force.')
}

/** The same work, with what the system says about the file as a sentence. */
async function told<T>(path: string, work: Promise<T>): Promise<T> {
  return await work.catch(error => {
    throw explain(error, path)
  })
}

function explain(error: unknown, path: string): unknown {
  if (!(error instanceof Error && 'code' in error)) return error
  const isFull = error.code === 'ENOSPC' || error.code === 'EDQUOT'
  const failure = createFailure(
    isFull ? 'storage_full' : 'input_invalid',
    `${path} cannot be written: ${error.message}.`,
    { advice: isFull ? 'Make room there, or name another file with -o.' : 'Name another file with -o.' },
  )
  return new SurefootError(failure, { cause: error })
}

function refuseTarget(message: string, advice: string): never {
  throw new SurefootError(createFailure('input_invalid', message, { advice }))
}
