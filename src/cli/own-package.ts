import { registerHooks } from 'node:module'
import { extname } from 'node:path'

let registered = false

/**
 * From here on `import ... from 'surefoot'` means this very program. A config file runs inside of it, wherever the file
 * lies: beside a global installation, where no node_modules is near, or in a clone, where nothing was built.
 */
export function resolveOwnPackage(): void {
  if (registered) return
  registered = true
  const index = new URL(`../index${extname(import.meta.url)}`, import.meta.url).href
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'surefoot' ? { url: index, shortCircuit: true } : next(specifier, context),
  })
}
