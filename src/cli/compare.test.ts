import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createRandom, createReliefWork, createReplicateEmulator, serveEmulator } from '../emulators/index.ts'
import { systemClock as clock } from '../engine/clock.ts'
import type { MeasuredJson, RecommendationJson } from '../http/provider-shapes.ts'
import type { Trial } from './comparison.ts'
import type { Io } from './io.ts'
import { openTerminal, type TestTerminal } from './test-support.ts'

/** What `--format json` prints. */
interface Printed {
  readonly deployments: readonly { readonly name: string; readonly measured: MeasuredJson }[]
  readonly trials: readonly Trial[]
  readonly recommendation: RecommendationJson
}

/** A terminal whose config has `relief` on this machine and, beside the route, at Replicate as `baseUrl` serves it. */
async function setup(baseUrl: string | null, confirm?: Io['confirm']): Promise<TestTerminal> {
  const terminal = await openTerminal({}, confirm)
  const provider = new URL('../providers/replicate/index.ts', import.meta.url)
  const options = baseUrl === null ? '' : `, baseUrl: '${baseUrl}'`
  writeFileSync(
    join(terminal.folder, 'surefoot.config.mjs'),
    `import { replicate } from ${JSON.stringify(provider.href)}
export default {
  providers: { replicate: replicate({ token: 'none'${options} }) },
  deployments: { 'relief@replicate': { target: { model: 'surefoot/relief', pricePerSecond: 0.01 } } },
}`,
  )
  return terminal
}

async function emulate(faults: readonly string[]): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-compare-'))
  const work = createReliefWork({ clock, directory })
  const emulator = createReplicateEmulator({ clock, random: createRandom(1), work, faults, bootMs: 20 })
  const served = await serveEmulator(emulator, 0)
  onTestFinished(async () => {
    await served.close()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  return `${served.origin}/v1`
}

test('every photo runs on every deployment as often as asked, on the route or not; each is measured by its own runs', async () => {
  const { run } = await setup(await emulate(['oom*1']))
  const { code, stdout, stderr } = await run('compare', 'photo.png', '--runs', '2', '--format', 'json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('cost money') })
  const { deployments, trials, recommendation } = JSON.parse(stdout) as Printed
  const ends = (name: string) =>
    trials
      .filter(({ deployment }) => deployment === name)
      .map(({ run, status, failure }) => [run, status, failure?.code])
  expect(ends('relief@local')).toEqual([
    [1, 'succeeded', undefined],
    [2, 'succeeded', undefined],
  ])
  expect(ends('relief@replicate')).toEqual([
    [1, 'failed', 'out_of_memory'],
    [2, 'succeeded', undefined],
  ])
  for (const { deployment, attempts } of trials)
    expect(attempts.every(attempt => attempt.deployment === deployment)).toBe(true)
  expect(deployments.map(({ name, measured: { samples, won } }) => [name, samples, won])).toEqual([
    ['relief@local', 2, 2],
    ['relief@replicate', 2, 1],
  ])
  expect(deployments[0]?.measured.cost_per_image).toBe(0)
  const dear = deployments[1]?.measured.cost_per_image ?? 0
  const [failed, finished] = trials.filter(({ deployment }) => deployment === 'relief@replicate')
  const costOf = (trial: Trial | undefined) => trial?.attempts[0]?.cost?.amount ?? Number.NaN
  // The run that failed cost something, too, and is counted with the one that finished.
  expect(costOf(failed)).toBeGreaterThan(0)
  expect(dear).toBeCloseTo(costOf(failed) + costOf(finished), 9)
  expect(recommendation).toMatchObject({ prefer: 'cost', deployment: 'relief@local', basis: 'declared' })
})

test('the table goes to stdout, a line for each run to stderr', async () => {
  const { run } = await setup(null)
  const { code, stdout, stderr } = await run('compare', 'photo.png', '--providers', 'local', '--runs', '2')
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^DEPLOYMENT +RUNS +ATTEMPTS .*\nrelief@local +2\/2 +2\/2 \(34-100 %\) .*\n\nRecommended for cost: relief@local\n/,
  )
  expect(stderr).toMatch(/^relief@local: 1 of 2, photo\.png succeeded in [\d.]+ s\nrelief@local: 2 of 2, .*\n$/)
})

test('only what was compared is recommended, whatever else the folder remembers', async () => {
  const { run } = await setup(await emulate([]))
  const { code, stdout } = await run(
    ...['compare', 'photo.png', '--providers', 'replicate', '--runs', '1', '--format', 'json'],
  )
  expect(code).toBe(0)
  const { recommendation } = JSON.parse(stdout) as Printed
  // On this machine it would be free.
  expect(recommendation.deployment).toBe('relief@replicate')
  expect(recommendation.ranking.map(({ name }) => name)).toEqual(['relief@replicate'])
})

test('where it costs money and nobody can be asked, nothing is run without --yes', async () => {
  const { run } = await setup(null)
  expect(await run('compare', 'photo.png', '--runs', '3')).toEqual({
    code: 1,
    stdout: '',
    stderr:
      '3 runs on relief@replicate will cost money: how much is not known.\n' +
      'surefoot: Nobody can be asked whether to spend money. Use --yes.\n',
  })
  expect((await run('list')).stdout).toBe('There are no predictions yet.\n')
})

test('where somebody can be asked, no means no', async () => {
  const asked: string[] = []
  const { run } = await setup(null, async question => {
    asked.push(question)
    return false
  })
  const { code, stderr } = await run('compare', 'photo.png', '--providers', 'relief@replicate', '--runs', '1')
  expect({ code, asked }).toEqual({ code: 1, asked: ['Go on?'] })
  expect(stderr).toBe('1 run on relief@replicate will cost money: how much is not known.\nNothing was run.\n')
  expect((await run('list')).stdout).toBe('There are no predictions yet.\n')
})

test('Ctrl-C cancels what runs, and tells what was found out so far', async () => {
  const { begin } = await setup(await emulate(['queue-forever']))
  const comparison = begin('compare', 'photo.png', '--runs', '2', '--format', 'json')
  await comparison.said(/relief@local: 2 of 2/)
  comparison.interrupt()
  const { code, stdout } = await comparison.ended
  expect(code).toBe(130)
  const { trials } = JSON.parse(stdout) as Printed
  expect(trials.map(({ deployment, status }) => [deployment, status])).toEqual([
    ['relief@local', 'succeeded'],
    ['relief@local', 'succeeded'],
    ['relief@replicate', 'canceled'],
  ])
})

test.each([
  [['compare'], 2, 'The photo is missing.'],
  [['compare', 'none.png'], 1, 'There is no file'],
  [['compare', 'photo.png', '--runs', '0'], 2, '--runs takes a whole number from 1 to 1000'],
  [
    ['compare', 'photo.png', '--format', 'jsn'],
    2,
    '--format takes table, markdown, csv, json, not "jsn". Did you mean "json"?',
  ],
  [['compare', 'photo.png', '--prefer', 'luck'], 2, '--prefer takes cost, speed, reliability'],
  [['compare', 'photo.png', '--providers', 'lokal'], 1, 'not configured at "lokal". Did you mean "local"?'],
  [['compare', 'photo.png', '--providers', 'a,,b'], 2, '--providers takes names with commas in between.'],
])('%j ends with %i and one sentence', async (argv, code, words) => {
  const { run } = await openTerminal()
  const ended = await run(...argv)
  expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(words) })
})
