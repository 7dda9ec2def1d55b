import { appendFileSync, cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Process, type ProcessOptions, root, signalGroup, start } from './support/gateway.ts'

/** What no clone has. */
const made = ['.git', '.next', '.surefoot', 'dist', 'node_modules']
const listening = /^Surefoot is listening on (http:\S+)$/m

let clone: string
let options: ProcessOptions

beforeAll(async () => {
  clone = await mkdtemp(join(tmpdir(), 'surefoot-clone-'))
  cpSync(root, clone, { recursive: true, filter: path => !made.includes(basename(path)) })
  options = {
    cwd: clone,
    // The registry's files are here already: the tests themselves were installed.
    env: { PATH: callersPath(), SUREFOOT_PORT: '0', npm_config_prefer_offline: 'true' },
  }
})

afterAll(() => rmSync(clone, { recursive: true, force: true }))

test('npm start in a fresh clone installs, builds the page, listens, and turns the sample into a splat; the second start only listens', async () => {
  const first = start('npm', ['start'], options)
  const [, url] = await first.said(listening)
  const [, path = ''] = await first.said(/^Sample: rocket\.jpg -> [\d,]+ splats, [\d.]+ MB in [\d.]+ s \(.*\): (\S+)$/m)
  expect(relative(join(clone, '.surefoot'), path)).not.toMatch(/^\.\./)
  expect(readFileSync(path).subarray(0, 4).toString()).toBe('ply\n')
  expect(await (await fetch(`${url}/`)).text()).toContain('<title>')
  const { stderr } = await stop(first)
  expect(stderr).toMatch(/^Installing packages .*\nBuilding the Studio page .*\n/)

  const startedAt = performance.now()
  const second = start('npm', ['start'], options)
  await second.said(listening)
  console.log(`The second npm start listened after ${((performance.now() - startedAt) / 1_000).toFixed(2)} s.`)
  const again = await stop(second)
  expect(again.stderr).toBe('Stopping ...\n')
  expect(again.stdout).not.toContain('Sample')
})

test('npm start -- predict does the same as a command, with its exit code', async () => {
  const argv = ['start', '--', 'predict', 'examples/photos/chelsea.png', '-o', 'scene.ply']
  expect(await start('npm', argv, options).ended).toMatchObject({ code: 0 })
  expect(readFileSync(join(clone, 'scene.ply')).subarray(0, 4).toString()).toBe('ply\n')
  const { code, stderr } = await start('npm', argv, options).ended
  expect(code).toBe(1)
  expect(stderr).toContain('scene.ply exists. Name another file with -o, or use --force.')
})

test('the page is built again when a source has changed', async () => {
  appendFileSync(join(clone, 'studio/src/main.tsx'), '// Changed.\n')
  const gateway = start('npm', ['start'], options)
  await gateway.said(listening)
  expect((await stop(gateway)).stderr).toMatch(/^Building the Studio page .*\nStopping \.\.\.\n$/)
})

test('npm that is ended alone does not leave a gateway behind', async () => {
  const gateway = start('npm', ['start'], options)
  const [, url] = await gateway.said(listening)
  gateway.child.kill('SIGTERM')
  await gateway.ended
  await expect(fetch(`${url}/healthz`)).rejects.toThrow()
  expect(existsSync(join(clone, '.surefoot/owner.json'))).toBe(false)
})

/** Ctrl-C, as a terminal sends it to all of a group. */
async function stop(gateway: Process) {
  signalGroup(gateway.child, 'SIGINT')
  return await gateway.ended
}

/** Without the Node that npm brought for the tests: `npm start` must do with the caller's. */
function callersPath(): string {
  const own = dirname(process.execPath)
  const paths = (process.env.PATH ?? '').split(delimiter)
  return paths.filter(path => path !== own || !own.startsWith(root)).join(delimiter)
}
