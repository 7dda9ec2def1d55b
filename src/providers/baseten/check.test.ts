import { expect, test } from 'vitest'
import { createBasetenEmulator } from '../../emulators/baseten/index.ts'
import { asFetch } from '../../emulators/contract.ts'
import type { Settings } from '../../emulators/settings.ts'
import { createFixedWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import type { Intent, Io } from '../contract.ts'
import { brief, intent } from '../test-intent.ts'
import { baseten } from './index.ts'

const baseUrl = 'https://baseten.test'

/** What a check finds at an emulated vendor with these settings, and what was asked. */
async function check(target: object, settings: Settings = {}, more: Partial<Intent> & { mode?: 'held' } = {}) {
  const clock = createSimulatedClock()
  const work = createFixedWork({ clock, name: 'a', mediaType: 'a/b', bytes: new Uint8Array(1), durationMs: 1 })
  const emulator = createBasetenEmulator({ clock, random: createRandom(1), work, apiKey: 'key', settings })
  const { mode = 'async', ...other } = more
  const provider = baseten({ apiKey: 'key', mode, baseUrl })
  const asked: string[] = []
  const io: Io = {
    signal: new AbortController().signal,
    fetch: (url, init) => {
      asked.push(`${init?.method} ${new URL(String(url)).pathname}`)
      return asFetch(emulator)(url, init)
    },
  }
  const findings = (await provider.check?.(provider.parseTarget(target), io, { ...intent, ...other })) ?? []
  expect(emulator.state().submits).toBe(0)
  return { findings, found: brief(findings), asked }
}

const model = { model: 'abcd1234' }

test.each([
  [model, 'deployments/production'],
  [{ ...model, environment: 'development' }, 'deployments/development'],
  [{ ...model, environment: 'staging' }, 'environments/staging'],
  [{ ...model, deployment: 'qwer' }, 'deployments/qwer'],
])('%j is looked up by the management API, and nothing is started', async (target, path) => {
  const { found, asked } = await check(target)
  expect(found).toEqual(['ok baseten-deployment', 'ok baseten-replicas'])
  expect(asked).toEqual([`GET /v1/models/abcd1234/${path}`])
})

test('in held mode the model is asked for its queue as well', async () => {
  const { found, asked } = await check(model, {}, { mode: 'held' })
  expect(found).toEqual(['ok baseten-model', 'ok baseten-deployment', 'ok baseten-replicas'])
  expect(asked[0]).toBe('GET /model-abcd1234/production/async_queue_status')
})

test.each<[string, Settings, string, string]>([
  [
    'a deployment that was deactivated',
    { deployment: { status: 'INACTIVE' } },
    'problem baseten-deployment',
    'INACTIVE',
  ],
  ['one that failed', { deployment: { status: 'DEPLOY_FAILED' } }, 'problem baseten-deployment', 'takes no request'],
  ['one that is unwell', { deployment: { status: 'UNHEALTHY' } }, 'problem baseten-deployment', 'replicas fail'],
  ['a model that is not there', { deployment: 404 }, 'problem baseten-deployment', 'no such model'],
  ['a key for calls only', { deployment: 403 }, 'ok baseten-deployment', 'cannot be read with this key (403)'],
  ['no replicas', { autoscaling: { max_replica: 0 } }, 'problem baseten-replicas', 'nothing runs'],
  ['replicas that are always up', { autoscaling: { min_replica: 1 } }, 'warning baseten-replicas', 'around the clock'],
  ['a shared GPU', { autoscaling: { concurrency_target: 4 } }, 'warning baseten-concurrency', 'share a GPU'],
])('%s is found', async (_what, settings, expected, words) => {
  const { findings, found } = await check(model, settings)
  expect(found).toContain(expected)
  expect(findings.map(({ message }) => message).join(' ')).toContain(words)
})

test("limits of the vendor's and of the target are held against the policy", async () => {
  expect((await check(model, {}, { runMs: 3_600_001 })).found[0]).toBe('warning baseten-run-limit')
  expect((await check(model, {}, { runMs: 1_200_001, mode: 'held' })).found[1]).toBe('warning baseten-run-limit')
  expect((await check({ ...model, maxQueueSeconds: 899 })).found[0]).toBe('warning baseten-queue')
  expect((await check({ ...model, maxQueueSeconds: 900 })).found[0]).toBe('ok baseten-deployment')
})

test("the vendor's own management API is asked at its own host", async () => {
  const provider = baseten({ apiKey: 'key' })
  const asked: string[] = []
  const fetch: typeof globalThis.fetch = async url => {
    asked.push(String(url))
    return Response.json({ error: 'No.' }, { status: 500 })
  }
  const io = { fetch, signal: new AbortController().signal }
  expect(brief(await provider.check?.(provider.parseTarget(model), io, intent))).toEqual(['ok baseten-deployment'])
  expect(asked).toEqual(['https://api.baseten.co/v1/models/abcd1234/deployments/production'])
})
