import { gzipSync } from 'node:zlib'
import { build, type Rolldown } from 'vite'
import { expect, test } from 'vitest'

/** The entry as an app's bundler makes it; `react` stays outside. */
async function bundle(entry: string) {
  const made = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: true,
      modulePreload: false,
      rolldownOptions: {
        input: new URL(entry, import.meta.url).pathname,
        preserveEntrySignatures: 'strict',
        external: /^(react|node:.*)$/,
      },
    },
  })
  const { output } = made as Rolldown.RolldownOutput
  const chunks = output.filter(each => each.type === 'chunk')
  return {
    imports: chunks.flatMap(({ imports }) => imports),
    sources: chunks.flatMap(({ moduleIds }) => moduleIds),
    gzipped: chunks.reduce((sum, { code }) => sum + gzipSync(code).length, 0),
  }
}

test('the client is under 3 kB in a page, and brings nothing but itself and the words of statuses', async () => {
  const { imports, sources, gzipped } = await bundle('client.ts')
  console.log(`surefoot/client: ${gzipped} bytes, minified and gzipped`)
  expect(gzipped).toBeLessThan(3_000)
  expect(imports).toEqual([])
  const foreign = sources.filter(id => !/\/src\/(client|browser\/[\w-]+|core\/prediction)\.ts$/.test(id))
  expect(foreign).toEqual([])
})

test('the hooks are under 4 kB, the client included, and bring nothing but React', async () => {
  const { imports, gzipped } = await bundle('react.ts')
  console.log(`surefoot/react: ${gzipped} bytes, the client included, minified and gzipped`)
  expect(gzipped).toBeLessThan(4_000)
  expect(imports).toEqual(['react'])
})
