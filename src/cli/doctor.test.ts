import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Reported } from '../doctor/finding.ts'
import type { Emulator, Work } from '../emulators/contract.ts'
import {
  createFixedWork,
  createRandom,
  createReplicateEmulator,
  createRunpodEmulator,
  serveEmulator,
} from '../emulators/index.ts'
import { systemClock } from '../engine/clock.ts'
import type { Io } from './io.ts'
import { type Ended, openTerminal, type TestTerminal } from './test-support.ts'

/** 9 MB are more than RunPod carries in an answer. */
const largeWork = createFixedWork({
  clock: systemClock,
  durationMs: 10,
  steps: 1,
  name: 'scene.ply',
  mediaType: 'application/octet-stream',
  bytes: new Uint8Array(9_000_000),
})

const emulation: { clock: typeof systemClock; random: () => number; work: Work; bootMs: number } = {
  clock: systemClock,
  random: createRandom(1),
  work: largeWork,
  bootMs: 10,
}

/** Where the emulator answers, on loopback. */
async function serve(emulator: Emulator): Promise<string> {
  const served = await serveEmulator(emulator, 0)
  onTestFinished(() => served.close())
  return served.origin
}

/** A terminal with a config in which `provider` (code) is `there`, and `relief@there` its one deployment. */
async function setup(
  { provider, target, policy = '{}' }: { provider: string; target: string; policy?: string },
  confirm?: Io['confirm'],
): Promise<TestTerminal> {
  const terminal = await openTerminal({}, confirm)
  writeFileSync(
    join(terminal.folder, 'surefoot.config.mjs'),
    `${['koyeb', 'replicate', 'runpod'].map(importOf).join('')}
export default {
  providers: { there: ${provider} },
  deployments: { 'relief@there': { target: ${target} } },
  models: { relief: { route: ['relief@there', 'relief@local'], policy: ${policy} } },
}`,
  )
  return terminal
}

function importOf(kind: string): string {
  const file = new URL(`../providers/${kind}/index.ts`, import.meta.url)
  return `import { ${kind} } from ${JSON.stringify(file.href)}\n`
}

function findingsOf({ stdout }: Ended): readonly Reported[] {
  return (JSON.parse(stdout) as { readonly findings: readonly Reported[] }).findings
}

/** Level and words of what is said about this. */
function about(subject: string, ended: Ended): readonly (readonly [string, string])[] {
  return findingsOf(ended)
    .filter(finding => finding.about === subject)
    .map(({ level, message, advice }) => [level, `${message} ${advice ?? ''}`] as const)
}

test('without a config there is nothing to mend, and the data folder is not made', async () => {
  const { run, folder } = await openTerminal()
  const { code, stdout, stderr } = await run('doctor')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^ok +config +There is no config file/)
  expect(stdout).toMatch(/\n\n0 problems, 0 warnings\.\n$/)
  expect(existsSync(join(folder, '.surefoot'))).toBe(false)
})

test('a config that cannot be read is the one finding', async () => {
  const { run } = await setup({ provider: '{}', target: '{}' })
  const ended = await run('doctor', '--json')
  expect(ended.code).toBe(1)
  expect(findingsOf(ended)).toMatchObject([
    { about: 'config', level: 'problem', message: expect.stringContaining('there') },
  ])
})

test('a provider that is well is ok, and nothing is started there', async () => {
  const emulator = createRunpodEmulator({ ...emulation, apiKey: 'right' })
  const origin = await serve(emulator)
  const { run } = await setup({
    provider: `runpod({ apiKey: 'right', baseUrl: '${origin}/v2' })`,
    target: `{ endpoint: 'relief' }`,
  })
  const ended = await run('doctor', '--json')
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(about('relief@there', ended)).toContainEqual(['ok', expect.stringContaining('no job waits')])
  expect(about('clock', ended)).toEqual([['ok', expect.stringContaining(origin)]])
  expect(emulator.state().submits).toBe(0)
})

test('a wrong key is a problem, and what to do about it is said', async () => {
  const origin = await serve(createRunpodEmulator({ ...emulation, apiKey: 'right' }))
  const { run } = await setup({
    provider: `runpod({ apiKey: 'wrong', baseUrl: '${origin}/v2' })`,
    target: `{ endpoint: 'relief' }`,
  })
  const ended = await run('doctor', 'there', '--json')
  expect(ended.code).toBe(1)
  expect(about('relief@there', ended)).toContainEqual([
    'problem',
    expect.stringMatching(/RunPod answered 401.*credentials/i),
  ])
})

test('a target that names nothing is a problem', async () => {
  const emulator = createReplicateEmulator(emulation)
  const origin = await serve({
    ...emulator,
    fetch: async request =>
      new URL(request.url).pathname.startsWith('/v1/models/')
        ? Response.json({ detail: 'The requested resource could not be found.' }, { status: 404 })
        : await emulator.fetch(request),
  })
  const { run } = await setup({
    provider: `replicate({ token: 'any', baseUrl: '${origin}/v1' })`,
    target: `{ model: 'nobody/nothing' }`,
  })
  const ended = await run('doctor', 'relief@there', '--json')
  expect(ended.code).toBe(1)
  expect(about('relief@there', ended).slice(0, 2)).toEqual([
    ['ok', expect.stringContaining('emulated')],
    ['problem', expect.stringMatching(/there is no model nobody\/nothing.*target/)],
  ])
})

test('a kit without a public URL cannot be started', async () => {
  const origin = await serve(createRunpodEmulator(emulation))
  const { run } = await setup({
    provider: `runpod({ apiKey: 'any', baseUrl: '${origin}/v2' })`,
    target: `{ endpoint: 'relief', kit: true }`,
  })
  const ended = await run('doctor', '--json')
  expect(ended.code).toBe(1)
  expect(about('relief@there', ended)).toContainEqual([
    'problem',
    expect.stringMatching(/uploads the output to us, and there is no public URL\. Set publicUrl/),
  ])
})

test("a clock that differs from the provider's is a warning", async () => {
  const clock = { ...systemClock, now: () => Date.now() + 3_600_000 }
  const origin = await serve(createRunpodEmulator({ ...emulation, clock }))
  const { run } = await setup({
    provider: `runpod({ apiKey: 'any', baseUrl: '${origin}/v2' })`,
    target: `{ endpoint: 'relief' }`,
  })
  const ended = await run('doctor', '--json')
  expect(ended.code).toBe(0)
  expect(about('clock', ended)).toEqual([['warning', expect.stringMatching(/ is 3(600|59\d) s ahead of .*NTP/)]])
})

test('a probe tells an output that is too large for the answer, and how to get it', async () => {
  const emulator = createRunpodEmulator({ ...emulation, answers: 'inline' })
  const origin = await serve(emulator)
  const { run } = await setup({
    provider: `runpod({ apiKey: 'any', baseUrl: '${origin}/v2' })`,
    target: `{ endpoint: 'relief' }`,
    policy: '{ attempts: 1 }',
  })
  const ended = await run('doctor', 'relief@there', '--probe', '--json')
  expect(ended.code).toBe(1)
  expect(about('relief@there', ended).at(-1)).toEqual([
    'problem',
    expect.stringMatching(
      /^The run finished on its worker at [\d.]+ s, but its output is not here .*output_lost: .* usually has \d+\.\d MB.* carries 7\.5 MB at most: switch kit upload on/,
    ),
  ])
  expect(emulator.state().submits).toBe(1)
})

test('a probe of this machine costs nothing and needs no word', async () => {
  const { run } = await openTerminal()
  const ended = await run('doctor', '--probe', '--json')
  expect(ended.code).toBe(0)
  expect(about('relief@local', ended).at(-1)).toEqual([
    'ok',
    expect.stringMatching(/^A photo went there and its output came back, \d+\.\d MB in /),
  ])
})

test('through a gateway that runs, the public URL is tried', async () => {
  const port = await findFreePort()
  const { run, begin, folder } = await openTerminal({
    SUREFOOT_PORT: String(port),
    SUREFOOT_PUBLIC_URL: `http://127.0.0.1:${port}`,
  })
  const gateway = begin('serve')
  await gateway.said(/listening/)
  expect(await run('predict', 'photo.png', '-o', 'scene.ply')).toMatchObject({ code: 0 })
  const ended = await run('doctor', '--json')
  expect(ended.code).toBe(0)
  expect(about('data folder', ended)[0]).toEqual(['ok', expect.stringContaining(`${folder}/.surefoot is served by`)])
  expect(about('public URL', ended)).toEqual([
    ['ok', expect.stringContaining('A signed link on')],
    ['ok', expect.stringContaining('Webhooks get through')],
    ['ok', expect.stringContaining(' MB is let through')],
  ])
})

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const billed = {
  provider: `koyeb({ baseUrl: 'https://surefoot.invalid', mode: 'held' })`,
  target: '{ pricePerSecond: 0.01 }',
}

test('where a probe costs money and nobody can be asked, what was found is told and nothing is run', async () => {
  const { run } = await setup(billed)
  const { code, stdout, stderr } = await run('doctor', 'there', '--probe')
  expect(code).toBe(1)
  expect(stdout).toContain('relief@there')
  // Whoever probes need not be told to.
  expect(stdout).toContain('Set token and service in the provider.')
  expect(stdout).not.toContain('--probe')
  expect(stderr).toBe(
    'A probe of relief@there costs money: at most 18 USD, usually far less.\n' +
      'surefoot: Nobody can be asked whether to spend money. Use --yes.\n',
  )
  expect((await run('list')).stdout).toBe('There are no predictions yet.\n')
})

test('where somebody can be asked, no means no', async () => {
  const { run } = await setup({ ...billed, policy: '{ budget: 7 }' }, async () => false)
  const { code, stderr } = await run('doctor', 'there', '--probe')
  expect(code).toBe(0)
  expect(stderr).toBe('A probe of relief@there costs money: at most 7 USD, usually far less.\nNothing was run.\n')
  expect((await run('list')).stdout).toBe('There are no predictions yet.\n')
})

test('a name that is nowhere in the config is refused with the nearest one', async () => {
  const { run } = await openTerminal()
  expect(await run('doctor', 'lokal')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('No model is configured at "lokal". Did you mean "local"?'),
  })
})
