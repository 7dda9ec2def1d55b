import { extname } from 'node:path'

/** URL of a module in the importer's folder, with the importer's own ending: `.ts` in the sources, `.js` in `dist`. */
export function moduleBeside(importer: string, name: string): URL {
  return new URL(`${name}${extname(importer)}`, importer)
}
