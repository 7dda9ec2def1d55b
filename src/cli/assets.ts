import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The bundled photo. These paths are the same from `src/cli` and from `dist/cli`. */
export const samplePhoto: string = fileURLToPath(new URL('../../examples/photos/rocket.jpg', import.meta.url))

/** Folder of the built Studio page, or null where it was not built. */
export function findStudio(): string | null {
  const folder = fileURLToPath(new URL('../../studio/dist', import.meta.url))
  return existsSync(`${folder}/index.html`) ? folder : null
}

/** Folder of the kits: a wrapper for each provider, the worker's package, and what its models need. */
export const kitsFolder: string = fileURLToPath(new URL('../../kits', import.meta.url))
