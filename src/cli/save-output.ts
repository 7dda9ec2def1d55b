import { createHash, randomUUID } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createFailure, SurefootError } from '../core/failure.ts'

/** Refuses a path that cannot be written, or would replace a file without `force`; called before any work is done. */
export function checkTarget(path: string, force: boolean): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) refuseTarget(`${path} is a folder.`, 'Name a file with -o.')
  if (found !== undefined && !force) refuseTarget(`${path} exists.`, 'Name another file with -o, or use --force.')
  if (!existsSync(dirname(path))) refuseTarget(`There is no folder ${dirname(path)}.`, 'Make it, or name another file.')
}

/**
 * Writes a verified output to `path`: under another name first, renamed when all of it is there and has the checksum, so
 * that `path` is never half a file.
 */
export async function saveOutput(
  path: string,
  body: ReadableStream<Uint8Array>,
  { sha256, force }: { readonly sha256: string; readonly force: boolean },
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.partial`)
  try {
    const file = await open(temporary, 'wx')
    try {
      const hash = createHash('sha256')
      for await (const chunk of body) {
        hash.update(chunk)
        await file.writeFile(chunk)
      }
      if (hash.digest('hex') !== sha256)
        refuseTarget('The file did not arrive as it was verified.', 'Run the command again.')
      await file.sync()
    } finally {
      await file.close()
    }
    // Somebody may have made it while we worked.
    checkTarget(path, force)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

function refuseTarget(message: string, advice: string): never {
  throw new SurefootError(createFailure('input_invalid', message, { advice }))
}
