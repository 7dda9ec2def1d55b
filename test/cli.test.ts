import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PredictionJson } from '../src/http/shapes.ts'
import { makeFolder, root, signalGroup, startGateway, surefoot } from './support/gateway.ts'

const cat = join(root, 'examples/photos/chelsea.png')
/** For polls, on a machine that is busy with other things too. */
const patience = { timeout: 60_000 }

test('a photo goes through the running gateway and comes back as a file', async () => {
  const cwd = makeFolder()
  const gateway = await startGateway({ cwd })
  const { code, stdout } = await surefoot(['predict', cat, '-o', 'scene.ply'], { cwd }).ended
  expect(code).toBe(0)
  expect(stdout).toMatch(/scene\.ply: [\d,]+ splats, [\d.]+ MB in [\d.]+ s \(relief@local\)/)
  const { results } = (await (await fetch(`${gateway.url}/v1/predictions`)).json()) as { results: PredictionJson[] }
  expect(results.map(({ status }) => status)).toEqual(['succeeded'])
  expect(readFileSync(join(cwd, 'scene.ply')).length).toBe(results[0]?.surefoot.output?.bytes)
})

test('a second gateway on the same folder is refused, and the first serves on', async () => {
  const cwd = makeFolder()
  const { url, child } = await startGateway({ cwd })
  const { code, stderr } = await surefoot(['serve', '--port', '0'], { cwd }).ended
  expect(code).toBe(1)
  expect(stderr).toContain(`is in use by the process ${child.pid}, which serves ${url}.`)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
})

test('after kill -9 of the gateway the next command opens the folder, whatever owner.json still says', async () => {
  const cwd = makeFolder()
  const gateway = await startGateway({ cwd })
  gateway.child.kill('SIGKILL')
  await gateway.ended
  expect(existsSync(join(cwd, '.surefoot/owner.json'))).toBe(true)
  expect(await surefoot(['predict', cat, '-o', 'scene.ply'], { cwd }).ended).toMatchObject({ code: 0 })
  expect((await surefoot(['status'], { cwd }).ended).stdout).toContain('Gateway  none')
})

test('a signal stops the gateway in order: exit code 0, and nothing left that points to it', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const cwd = makeFolder()
    const gateway = await startGateway({ cwd })
    gateway.child.kill(signal)
    expect(await gateway.ended).toMatchObject({ code: 0, stderr: 'Stopping ...\n' })
    expect(existsSync(join(cwd, '.surefoot/owner.json'))).toBe(false)
  }
})

test('exit codes: 0 done, 1 failed, 2 not understood', async () => {
  const cwd = makeFolder()
  const codeOf = async (...args: readonly string[]) => (await surefoot(args, { cwd }).ended).code
  expect(await codeOf('--version')).toBe(0)
  expect(await codeOf('predict', 'none.jpg')).toBe(1)
  expect(await codeOf('predict', cat, '--modle', 'relief')).toBe(2)
})

test('two commands on one folder at the same time both come to their end', async () => {
  const cwd = makeFolder()
  const [first, second] = await Promise.all(
    ['a.ply', 'b.ply'].map(name => surefoot(['predict', cat, '-o', name], { cwd }).ended),
  )
  expect(first).toMatchObject({ code: 0 })
  expect(second).toMatchObject({ code: 0 })
  expect(readFileSync(join(cwd, 'a.ply')).equals(readFileSync(join(cwd, 'b.ply')))).toBe(true)
})

test('a config file means this very program by "surefoot", wherever it lies; Ctrl-C cancels at the provider too', async () => {
  const { cwd, baseUrl } = await emulate('--fault', 'boot-forever')
  const predict = surefoot(['predict', cat, '-o', 'scene.ply'], { cwd })
  await predict.said(/^relief@replicate: /m)
  await expect.poll(() => statusesAt(baseUrl), patience).toEqual(['starting'])
  signalGroup(predict.child, 'SIGINT')
  expect(await predict.ended).toMatchObject({ code: 130, stdout: '', stderr: expect.stringContaining('Canceled.') })
  expect(await statusesAt(baseUrl)).toEqual(['canceled'])
  expect((await surefoot(['list'], { cwd }).ended).stdout).toMatch(/ canceled$/m)
  expect(readdirSync(cwd).filter(name => name.includes('scene.ply'))).toEqual([])
})

test('Ctrl-C cancels through the gateway as well, which serves on', async () => {
  const { cwd, baseUrl } = await emulate('--fault', 'boot-forever')
  const gateway = await startGateway({ cwd })
  const predict = surefoot(['predict', cat], { cwd })
  await predict.said(/^relief@replicate: /m)
  await expect.poll(() => statusesAt(baseUrl), patience).toEqual(['starting'])
  signalGroup(predict.child, 'SIGINT')
  expect(await predict.ended).toMatchObject({ code: 130 })
  await expect.poll(() => statusesAt(baseUrl), patience).toEqual(['canceled'])
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
})

test('a gateway that is killed while a command waits for it costs nothing: the command goes on with the same run', async () => {
  const { cwd, baseUrl } = await emulate('--boot-ms', '4000')
  const gateway = await startGateway({ cwd })
  const predict = surefoot(['predict', cat, '-o', 'scene.ply'], { cwd })
  await predict.said(/^relief@replicate: /m)
  await expect.poll(async () => (await statusesAt(baseUrl)).length, patience).toBe(1)
  gateway.child.kill('SIGKILL')
  expect(await predict.ended).toMatchObject({ code: 0 })
  expect(await statusesAt(baseUrl)).toEqual(['succeeded'])
  expect(existsSync(join(cwd, 'scene.ply'))).toBe(true)
})

test('--timeout ends a run that does not come to an end, and says so', async () => {
  const { cwd } = await emulate('--fault', 'boot-forever')
  const { code, stderr } = await surefoot(['predict', cat, '--timeout', '1'], { cwd }).ended
  expect(code).toBe(1)
  expect(stderr).toContain('Gave up after 1 s, as --timeout says.')
})

/** An emulator in its own process, and a folder whose config, as the emulator printed it, leads to it. */
async function emulate(...flags: readonly string[]): Promise<{ cwd: string; baseUrl: string }> {
  const cwd = makeFolder()
  // Killed at the end, it cannot clear away what it keeps in the folder for temporary files.
  const emulator = surefoot(['emulate', 'replicate', '--port', '0', ...flags], { cwd, env: { TMPDIR: cwd } })
  const [config] = await emulator.said(/^import[\s\S]+^\}\)$/m)
  writeFileSync(join(cwd, 'surefoot.config.ts'), config)
  return { cwd, baseUrl: /baseUrl: '(\S+)'/.exec(config)?.[1] ?? '' }
}

/** What the emulator says of all runs that it was asked for. */
async function statusesAt(baseUrl: string): Promise<readonly string[]> {
  const response = await fetch(`${baseUrl}/predictions`, { headers: { authorization: 'Bearer anything' } })
  const { results } = (await response.json()) as { results: { status: string }[] }
  return results.map(({ status }) => status)
}
