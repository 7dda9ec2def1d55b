import { expect, test } from 'vitest'
import { asFetch } from '../../emulators/contract.ts'
import { createRunpodEmulator } from '../../emulators/runpod/index.ts'
import type { Settings } from '../../emulators/settings.ts'
import { createFixedWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import type { Intent, Io } from '../contract.ts'
import { brief, intent } from '../test-intent.ts'
import { runpod } from './index.ts'

const endpoint = { endpoint: 'abc123' }

async function check(settings: Settings = {}, more: Partial<Intent> = {}, target: object = endpoint) {
  const clock = createSimulatedClock()
  const work = createFixedWork({ clock, name: 'a', mediaType: 'a/b', bytes: new Uint8Array(1), durationMs: 1 })
  const emulator = createRunpodEmulator({ clock, random: createRandom(1), work, apiKey: 'key', settings })
  const provider = runpod({ apiKey: 'key', baseUrl: 'https://runpod.test/v2' })
  const asked: string[] = []
  const io: Io = {
    signal: new AbortController().signal,
    fetch: (url, init) => {
      asked.push(`${init?.method} ${new URL(String(url)).pathname}`)
      return asFetch(emulator)(url, init)
    },
  }
  const findings = (await provider.check?.(provider.parseTarget(target), io, { ...intent, ...more })) ?? []
  expect(emulator.state().submits).toBe(0)
  return { found: brief(findings), words: findings.map(({ message }) => message).join(' '), asked }
}

test('a healthy endpoint is read by the management API, and nothing is started', async () => {
  const { found, asked } = await check()
  expect(found).toEqual(['ok runpod-endpoint', 'ok runpod-workers'])
  expect(asked).toEqual(['GET /v2/serverless/abc123', 'GET /v2/serverless/abc123/workers'])
})

test.each<[string, Settings, string, string]>([
  ['an endpoint that is not there', { endpoint: 404 }, 'problem runpod-endpoint', 'no endpoint abc123'],
  ['an endpoint without a queue', { endpoint: { type: 'LOAD_BALANCER' } }, 'problem runpod-endpoint', 'has no queue'],
  ['a key for jobs only', { endpoint: 403 }, 'ok runpod-endpoint', 'cannot be read with this key (403)'],
  ['a quiet week', { workers: { max: 0 } }, 'problem runpod-workers', 'jobs wait for ever'],
  ['workers that are always up', { workers: { min: 1 } }, 'warning runpod-workers', 'around the clock'],
  ['a long idle timeout', { workers: { idleTimeout: 300 } }, 'warning runpod-idle', 'for 5 min after its last job'],
  ['a crash loop', { summary: { unhealthy: 2 } }, 'warning runpod-crashes', 'of 2 workers 2 are unhealthy'],
  ['no free GPU', { summary: { throttled: 3 } }, 'warning runpod-capacity', '3 are throttled'],
  ['workers that may not be listed', { listWorkers: 403 }, 'ok runpod-workers', '0 to 3 workers'],
])('%s is found', async (_what, settings, expected, words) => {
  const { found, words: said } = await check(settings)
  expect(found).toContain(expected)
  expect(said).toContain(words)
})

test("an execution timeout of the target's own may be shorter than the policy's run limit", async () => {
  const { found } = await check({}, { runMs: 60_001 }, { ...endpoint, executionTimeoutMs: 60_000 })
  expect(found[0]).toBe('warning runpod-run-limit')
  expect((await check({}, { runMs: 60_000 }, { ...endpoint, executionTimeoutMs: 60_000 })).found[0]).toBe(
    'ok runpod-endpoint',
  )
})

test('a management API that is away fails nothing', async () => {
  const provider = runpod({ apiKey: 'key', baseUrl: 'https://runpod.test/v2' })
  const io: Io = { fetch: () => Promise.reject(new TypeError('fetch failed')), signal: new AbortController().signal }
  expect(brief(await provider.check?.(provider.parseTarget(endpoint), io, intent))).toEqual(['ok runpod-endpoint'])
})

test("the vendor's management API has a host of its own", async () => {
  const provider = runpod({ apiKey: 'key' })
  const asked: string[] = []
  const fetch: typeof globalThis.fetch = async (url, init) => {
    asked.push(`${String(url)} ${new Headers(init?.headers).get('authorization')}`)
    return Response.json({ title: 'Unauthorized' }, { status: 401 })
  }
  const io = { fetch, signal: new AbortController().signal }
  expect(brief(await provider.check?.(provider.parseTarget(endpoint), io, intent))).toEqual(['ok runpod-endpoint'])
  expect(asked).toEqual(['https://api.runpod.io/v2/serverless/abc123 Bearer key'])
})
