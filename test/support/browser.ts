import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import chromium, { inflate } from '@sparticuz/chromium'
import { type Browser, chromium as playwright } from 'playwright-core'

const libraries = fileURLToPath(new URL('../../node_modules/@sparticuz/chromium/bin/al2023.tar.br', import.meta.url))

/**
 * A real Chromium from the npm registry, with WebGL in software (SwiftShader). Web security stays on: pages are held to
 * their content policy as in anybody's browser. Where the machine lacks Chromium's shared libraries, the package's own
 * are used. The caller closes it.
 */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = await chromium.executablePath()
  const options = {
    executablePath,
    args: [
      // Tests run as root in containers, where Chromium's own sandbox cannot.
      '--no-sandbox',
      '--use-gl=angle',
      '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
      '--ignore-gpu-blocklist',
    ],
  }
  try {
    return await playwright.launch(options)
  } catch (error) {
    if (!String(error).includes('shared librar')) throw error
    await inflate(libraries)
    return await playwright.launch({
      ...options,
      env: { ...process.env, LD_LIBRARY_PATH: join(tmpdir(), 'al2023/lib') },
    })
  }
}
