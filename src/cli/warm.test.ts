import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openTerminal, type TestTerminal } from './test-support.ts'

const providers = join(import.meta.dirname, '../providers')

/** A config with one emulated deployment whose emulator listens at `baseUrl`. */
function configure({ folder }: TestTerminal, { kind, options, target, more = '' }: Record<string, string>): void {
  writeFileSync(
    join(folder, 'surefoot.config.ts'),
    `import { ${kind} } from '${providers}/${kind}/index.ts'
export default {
  port: 0,
  providers: { there: ${kind}({ ${options} }) },
  deployments: { 'relief@there': { target: { ${target} }, ${more} } },
  models: { relief: { route: ['relief@there', 'relief@local'] } },
}`,
  )
}

/** An emulator in a process' own command, and where it listens. */
async function emulate(terminal: TestTerminal, kind: string): Promise<string> {
  const emulator = terminal.begin('emulate', kind, '--port', '0', '--boot-ms', '300')
  const [, url = ''] = await emulator.said(/(http:\/\/127\.0\.0\.1:\d+)/)
  onTestFinished(async () => {
    emulator.interrupt()
    await emulator.ended
  })
  return url
}

const runpod = (baseUrl: string) => ({
  kind: 'runpod',
  options: `apiKey: 'k', baseUrl: '${baseUrl}/v2'`,
  target: `endpoint: 'relief', hardware: 'l40s', idleSeconds: 60`,
})

test('the first choice is warmed by a run, with the time to a worker and the cost, and is then known to be warm', async () => {
  const terminal = await openTerminal()
  configure(terminal, runpod(await emulate(terminal, 'runpod')))
  const { code, stdout, stderr } = await terminal.run('warm', 'relief')
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringContaining('relief@there: First choice of the route.'),
  })
  expect(stdout).toMatch(
    /^relief@there: ready after \d\.\d s \(a run that took \d\.\d s in all, 0\.\d+ USD, estimated; its start and idling not counted\)\n$/,
  )
  const again = await terminal.run('warm', 'relief')
  expect(again.stdout).toMatch(
    /ready after 0\.\d s \(relief@there: a run ended \d s ago, and a worker stays for 60 s there/,
  )
  expect((await terminal.run('list')).stdout).not.toContain('warm-')
})

test('a call is enough where the provider has one, and nothing is run', async () => {
  const terminal = await openTerminal()
  const baseUrl = await emulate(terminal, 'koyeb')
  configure(terminal, { kind: 'koyeb', options: `mode: 'held', baseUrl: '${baseUrl}'`, target: '' })
  const { code, stdout } = await terminal.run('warm', 'surefoot/relief', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    model: 'surefoot/relief',
    deployments: [{ deployment: 'relief@there', state: 'ready', run: null, seconds: expect.any(Number) }],
  })
})

test('where nothing is to be warmed that is said', async () => {
  const terminal = await openTerminal()
  const { code, stdout } = await terminal.run('warm', 'relief')
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('relief@local: nothing to warm.') })
})

const vendor = {
  kind: 'runpod',
  options: `apiKey: 'k'`,
  target: `endpoint: 'relief', hardware: 'l40s', idleSeconds: 60`,
}

test('at a provider it says what that costs, and nothing is warmed where the answer is no', async () => {
  const questions: string[] = []
  const terminal = await openTerminal({}, async question => {
    questions.push(question)
    return false
  })
  configure(terminal, vendor)
  const { code, stderr } = await terminal.run('warm', 'relief')
  expect({ code, questions }).toEqual({ code: 1, questions: ['Go on?'] })
  expect(stderr).toContain('Warming relief@there will cost money: about 0.053 USD, an estimate for 100 s of a worker')
  expect(stderr).toContain('Nothing was warmed.')
})

test('where nobody can be asked, nothing is warmed without --yes', async () => {
  const terminal = await openTerminal()
  configure(terminal, vendor)
  const { code, stderr } = await terminal.run('warm', 'relief')
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('Use --yes.') })
})

test('a provider that does not answer is said to be it, with what to do', async () => {
  const terminal = await openTerminal()
  configure(terminal, runpod('http://127.0.0.1:9'))
  const { code, stdout } = await terminal.run('warm', 'relief')
  expect({ code, stdout }).toEqual({
    code: 1,
    stdout: expect.stringMatching(/^relief@there: not ready\. RunPod could not be asked/),
  })
})

test('where workers would call a gateway that does not run, nothing is warmed', async () => {
  const terminal = await openTerminal({ SUREFOOT_PUBLIC_URL: 'https://gateway.example' })
  configure(terminal, runpod('http://127.0.0.1:9'))
  const { code, stderr } = await terminal.run('warm', 'relief')
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining('no gateway is running there. Start surefoot serve'),
  })
})

test('an unknown deployment is refused with those that there are', async () => {
  const terminal = await openTerminal()
  const { code, stderr } = await terminal.run('warm', 'relief', '--deployment', 'relief@locla')
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('Did you mean "relief@local"?') })
})

test('what keeping it warm costs a day is in the status', async () => {
  const terminal = await openTerminal()
  const more = `keepWarm: { from: '08:00', to: '20:00', timeZone: 'Europe/Berlin' }`
  configure(terminal, { ...runpod('http://127.0.0.1:9'), more })
  await terminal.run('list')
  const serve = terminal.begin('serve')
  await serve.said(/listening/)
  const { stdout } = await terminal.run('status')
  expect(stdout).toMatch(
    /Warm {5}relief@there 08:00-20:00 Europe\/Berlin, (open|shut) now, every 48 s without use: about \d+ USD a day, an estimate; today \d+ runs?, 0 USD/,
  )
  expect(stdout).toMatch(/^ +Assumed: .*Nobody else uses the deployment/m)
})
