import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Policy } from '../src/core/policy.ts'
import {
  createRandom,
  createReliefWork,
  createReplicateEmulator,
  type Emulator,
  serveEmulator,
} from '../src/emulators/index.ts'
import { systemClock } from '../src/engine/clock.ts'
import type { AttemptsJson, PredictionJson } from '../src/http/shapes.ts'
import { makeFolder, root, startGateway } from './support/gateway.ts'

const photo = readFileSync(join(root, 'examples/photos/rocket.jpg'))

/** An emulated Replicate that makes real reliefs, and a gateway in front whose route is this one line. */
async function setup({ route, faults = [], policy = {} }: SetupOptions) {
  const folder = makeFolder()
  const emulator = createReplicateEmulator({
    clock: systemClock,
    random: createRandom(1),
    work: createReliefWork({ clock: systemClock, directory: join(folder, 'emulated') }),
    bootMs: 200,
    faults,
  })
  const served = await serveEmulator(emulator)
  onTestFinished(served.close)
  // What a busy machine needs for a relief is no stall.
  const patient = { stallMs: 120_000, lastStageMs: 60_000, ...policy }
  writeFileSync(
    join(folder, 'surefoot.config.ts'),
    `import { defineConfig, replicate } from '${join(root, 'src/index.ts')}'

export default defineConfig({
  providers: { replicate: replicate({ token: 'any', baseUrl: '${served.origin}/v1' }) },
  deployments: { 'relief@replicate': { target: { model: 'surefoot/relief', hardware: 'gpu-l40s' } } },
  models: { relief: { route: ${JSON.stringify(route)}, policy: ${JSON.stringify(patient)} } },
})
`,
  )
  return { emulator, url: (await startGateway({ cwd: folder })).url }
}

interface SetupOptions {
  readonly route: readonly string[]
  readonly faults?: readonly string[]
  readonly policy?: Partial<Policy>
}

/** The photo's prediction once nothing of it is open any more, with its attempts and its file. */
async function predict(url: string) {
  const created = await fetch(`${url}/v1/models/surefoot/relief/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: { image: `data:image/jpeg;base64,${photo.toString('base64')}` } }),
  })
  const { id } = (await created.json()) as PredictionJson
  const prediction = await vi.waitFor(
    async () => {
      const seen = (await (await fetch(`${url}/v1/predictions/${id}`)).json()) as PredictionJson
      expect(seen.surefoot.settled).toBe(true)
      return seen
    },
    { timeout: 200_000, interval: 200 },
  )
  const account = (await (await fetch(`${url}/v1/predictions/${id}/attempts`)).json()) as AttemptsJson
  const file = prediction.output === null ? null : await (await fetch(prediction.output)).bytes()
  return { prediction, ...account, file }
}

function bill(emulator: Emulator) {
  const { submits, running, ledger } = emulator.state()
  return { submits, running, statuses: ledger.map(({ status }) => status) }
}

test('a photo becomes the same splat on this machine and, with one line of config, on the emulated Replicate', async () => {
  const here = await setup({ route: ['relief@local'] })
  const local = await predict(here.url)
  expect(local.prediction).toMatchObject({ status: 'succeeded', surefoot: { deployment: 'relief@local' } })
  expect(bill(here.emulator)).toEqual({ submits: 0, running: 0, statuses: [] })

  const there = await setup({ route: ['relief@replicate', 'relief@local'] })
  const remote = await predict(there.url)
  expect(remote.prediction).toMatchObject({ status: 'succeeded', surefoot: { deployment: 'relief@replicate' } })
  expect(remote.attempts).toMatchObject([{ deployment: 'relief@replicate', state: 'won', cost: { estimated: false } }])
  expect(bill(there.emulator)).toEqual({ submits: 1, running: 0, statuses: ['succeeded'] })

  expect(remote.prediction.surefoot.output).toEqual(local.prediction.surefoot.output)
  expect(remote.file?.byteLength).toBe(remote.prediction.surefoot.output?.bytes)
})

test('a run that is stuck at 90 % on Replicate is cancelled there, and the photo becomes a splat on this machine', async () => {
  const { emulator, url } = await setup({
    route: ['relief@replicate', 'relief@local'],
    faults: ['stall@0.9'],
    policy: { lastStageMs: 10_000 },
  })
  const { prediction, attempts, decisions, file } = await predict(url)
  expect(prediction).toMatchObject({ status: 'succeeded', surefoot: { deployment: 'relief@local' } })
  expect(file?.byteLength).toBe(prediction.surefoot.output?.bytes)
  expect(attempts).toMatchObject([
    { deployment: 'relief@replicate', state: 'failed', release: 'confirmed', failure: { code: 'stalled' } },
    { deployment: 'relief@local', state: 'won' },
  ])
  expect(bill(emulator)).toEqual({ submits: 1, running: 0, statuses: ['canceled'] })
  expect(decisions.map(({ attempt, what, why }) => ({ attempt, what, why }))).toEqual(
    expect.arrayContaining([
      {
        attempt: 1,
        what: 'given notice',
        why: 'No visible change for 10 s with progress at 90 % (limit of the last stage).',
      },
      { attempt: 2, what: 'attempt 2 on relief@local', why: 'After "stalled" on relief@replicate.' },
    ]),
  )
})
