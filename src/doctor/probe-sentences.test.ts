import { expect, test } from 'vitest'
import { createBasetenEmulator } from '../emulators/baseten/index.ts'
import { createCogEmulator } from '../emulators/cog/index.ts'
import { createKoyebEmulator } from '../emulators/koyeb/index.ts'
import { createReplicateEmulator } from '../emulators/replicate/index.ts'
import { createRunpodEmulator } from '../emulators/runpod/index.ts'
import type { Links } from '../http/links.ts'
import { toAttemptsView, toPredictionView } from '../http/view.ts'
import { baseten } from '../providers/baseten/index.ts'
import { cog } from '../providers/cog/index.ts'
import { koyeb } from '../providers/koyeb/index.ts'
import { replicate } from '../providers/replicate/index.ts'
import { runpod } from '../providers/runpod/index.ts'
import { openEngine, type Setting, wish } from '../testing/test-prediction.ts'
import { judgeProbe } from './judge-probe.ts'

const links = { origin: 'https://us.test', output: () => null, input: () => null } as unknown as Links

/** One prediction at an emulated vendor with these faults on simulated time, as doctor tells it. */
async function sentence(faults: readonly string[], setting: Setting): Promise<string> {
  const { engine, clock, close } = await openEngine(faults, { ...setting, policy: { attempts: 1, ...setting.policy } })
  await clock.advance(0)
  const { record } = await engine.create(wish)
  let stored = { record, version: 0 } as Awaited<ReturnType<typeof engine.get>>
  for (let waited = 0; waited < 120 && stored?.record.completedAt == null; waited++) {
    await clock.advance(30_000)
    stored = await engine.get(record.id)
  }
  if (stored === null) throw new Error('the prediction is gone')
  const { limits } = setting.provider(globalThis.fetch)
  const prediction = toPredictionView(stored, { links, notice: null })
  const finding = judgeProbe({ prediction, attempts: toAttemptsView(stored).attempts }, limits)
  await close()
  return `${finding.level}: ${finding.message} ${finding.advice ?? ''}`.trim()
}

const kinds = {
  runpod: {
    emulator: createRunpodEmulator,
    provider: () => runpod({ apiKey: 'key', baseUrl: 'https://runpod.test/v2' }),
    target: { endpoint: 'text', pricePerSecond: 0.001 },
  },
  replicate: {
    emulator: createReplicateEmulator,
    provider: () => replicate({ token: 'key', baseUrl: 'https://replicate.test/v1' }),
    target: { model: 'owner/text', pricePerSecond: 0.001 },
  },
  baseten: {
    emulator: createBasetenEmulator,
    provider: () => baseten({ apiKey: 'key', baseUrl: 'https://baseten.test' }),
    target: { model: 'abcd1234', pricePerSecond: 0.001 },
  },
  cog: {
    emulator: createCogEmulator,
    provider: () => cog({ baseUrl: 'https://cog.test' }),
    target: { pricePerSecond: 0.001 },
  },
  koyeb: {
    emulator: createKoyebEmulator,
    provider: () => koyeb({ baseUrl: 'https://koyeb.test' }),
    target: { pricePerSecond: 0.001 },
  },
} satisfies { readonly [kind: string]: Setting }

/** What worked and what did not, at which second, why, and what to do. */
test.each<[keyof typeof kinds, readonly string[], string]>([
  ['runpod', [], 'ok: A photo went there and its output came back, 0.0 MB in 12.3 s'],
  [
    'runpod',
    ['stall@0.9'],
    'had not finished it at 74 s (queued 2 s, ran 72 s.* progress at 90 % .* look at the worker.s logs',
  ],
  [
    'runpod',
    ['empty-output'],
    'finished on its worker at 12.3 s, but its output is not here .* COMPLETED.* carries: switch kit upload on',
  ],
  ['runpod', ['output-expired'], 'finished on its worker at 12.3 s, but .* output_lost: 404 .* upload its result'],
  ['runpod', ['crash-loop'], 'no worker had taken the run at 5 min (queued 5 min.* queue_timeout: .* maximum workers'],
  ['runpod', ['boot-slow@400'], 'no worker had taken the run at 5 min .* jobs wait for workers that are starting'],
  ['runpod', ['queue-forever'], 'no worker had taken the run at 5 min .* there is no free GPU'],
  ['runpod', ['create-401'], 'The start was refused. auth_rejected: RunPod answered 401: .* set a valid token'],
  ['runpod', ['webhook-lost'], 'ok: .* came back, 0.0 MB in 14 s'],
  ['replicate', ['create-402'], 'The start was refused. payment_required: .* top up the account'],
  ['replicate', ['interrupted'], 'had not finished it at 7 s (booted 2 s, ran 5 s.* worker_lost: .*interrupted'],
  [
    'replicate',
    ['data-removed'],
    'finished on its worker at 12.3 s, but its output is not here .* "succeeded" but has no',
  ],
  ['replicate', ['boot-forever'], 'its worker was not ready at 10 min .*boot_timeout: .* start-up logs'],
  ['replicate', ['cuda-oom'], 'had not finished it at 5 s .* CUDA out of memory.* more memory'],
  [
    'baseten',
    ['webhook-lost'],
    'finished on its worker at 16 s, but .* its webhook could not be delivered .* See that webhooks reach',
  ],
  ['baseten', ['timed-out'], 'no worker had taken the run at 30 s (queued 30 s; there: EXPIRED)'],
  ['baseten', ['deactivated'], 'had not finished it at 16 s .* no longer knows the run'],
  ['cog', ['setup-failed'], 'The start was refused.* SETUP_FAILED .* Read the container.s start-up logs'],
  ['cog', ['worker-crash'], 'had not finished it at 3 s (ran 3 s.* Worker crashed'],
  ['cog', ['webhook-lost'], 'had not finished it at 135.* s .*there: READY.* the public URL can be reached from there'],
  ['koyeb', ['boot-forever'], 'The start was refused.* the service is waking, .* tried \\d+ times within '],
  ['koyeb', ['sleeps-while-working'], 'had not finished it at 130.* progress at 40 % .* the public URL'],
])('%s with %j', async (kind, faults, words) => {
  const pattern = words.replace(/[.()]/g, each => (each === '.' ? '.' : `\\${each}`))
  expect(await sentence(faults, kinds[kind])).toMatch(new RegExp(pattern))
})
