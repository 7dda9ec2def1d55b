import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { refuse } from '../core/failure.ts'
import type { Io } from './io.ts'

/** The path of a photo that was named on the command line; `input_invalid` where there is no such file. */
export function findPhoto(io: Pick<Io, 'cwd'>, photo: string): string {
  const path = resolve(io.cwd, photo)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFile()) return path
  if (found?.isDirectory()) refuse('input_invalid', `${path} is a folder.`, { advice: 'Name a photo in it.' })
  return refuse('input_invalid', `There is no file ${path}.`, { advice: 'Name a photo.' })
}
