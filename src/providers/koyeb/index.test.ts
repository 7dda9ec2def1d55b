import { expect, test } from 'vitest'
import type { Job } from '../contract.ts'
import { type KoyebOptions, koyeb } from './index.ts'

/** A provider whose calls are noted, as `METHOD host path`, and answered in order. */
function setup(answers: (() => Response)[], options: Partial<KoyebOptions> = {}) {
  const asked: string[] = []
  const tokens: (string | null)[] = []
  const io = {
    signal: new AbortController().signal,
    async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
      const request = new Request(input, init)
      const { host, pathname, search } = new URL(request.url)
      asked.push(`${request.method} ${host} ${pathname}${search}`)
      tokens.push(request.headers.get('authorization'))
      const answer = answers.shift()
      if (answer === undefined) throw new Error('one request too many')
      return answer()
    },
  }
  return { provider: koyeb({ baseUrl: 'https://cog-acme.koyeb.app', ...options }), io, asked, tokens }
}

const job: Job = {
  marker: { attemptId: 'attempt-1', secret: 'whisper' },
  model: 'surefoot/sharp',
  target: {},
  input: {},
  files: {},
  webhookUrl: 'https://us.test/hooks/whisper',
  uploadUrl: () => null,
  runLimitMs: 600_000,
  deadlineInMs: 1_800_000,
}

const health = (status: string) => () => Response.json({ status, setup: {} })
const edge = (status: number) => () =>
  new Response(`${status}: No active service`, { status, headers: { 'content-type': 'text/plain' } })
const started = () => Response.json({ id: 'attempt-1', status: 'starting' }, { status: 202 })
const reset = () => {
  throw new TypeError('fetch failed', { cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }) })
}
const nobody = () => {
  throw new TypeError('fetch failed', { cause: Object.assign(new Error('no host'), { code: 'ENOTFOUND' }) })
}
const place = 'cog-acme.koyeb.app'

test('a start asks first whether the container is there, then starts once', async () => {
  const { provider, io, asked } = setup([health('READY'), started])
  expect(await provider.start(job, io)).toMatchObject({ kind: 'accepted', handle: { id: 'attempt-1' } })
  expect(asked).toEqual([`GET ${place} /health-check`, `PUT ${place} /predictions/attempt-1`])
})

test.each([
  ['the edge says 404', edge(404), 'rate_limited'],
  ['the edge says 503', edge(503), 'rate_limited'],
  ['the edge gives up waiting', edge(504), 'rate_limited'],
  ['the connection is cut', reset, 'rate_limited'],
  ['the model is setting up', health('STARTING'), 'rate_limited'],
  ['the setup has failed', health('SETUP_FAILED'), 'boot_timeout'],
  ['the address is wrong', nobody, 'provider_unreachable'],
  ['the edge asks for a key', () => Response.json({}, { status: 401 }), 'auth_rejected'],
  ['another server answers', () => Response.json({ ok: true }), 'provider_error'],
])('nothing is started when %s', async (_, answer, code) => {
  const { provider, io, asked } = setup([answer])
  const refused = await provider.start(job, io)
  expect(refused).toMatchObject({ kind: 'rejected', failure: { code } })
  // Waiting for what wakes spends none of the policy's attempts.
  expect(refused.kind === 'rejected' && refused.failure.retryAfterMs).toBe(code === 'rate_limited' ? 30_000 : undefined)
  expect(asked).toEqual([`GET ${place} /health-check`])
})

test('an unwell container is tried all the same', async () => {
  const { provider, io } = setup([health('UNHEALTHY'), started])
  expect((await provider.start(job, io)).kind).toBe('accepted')
})

test.each([
  ['404, before which nothing was passed on', edge(404), 'rejected'],
  ['503, which may come after that', edge(503), 'unknown'],
])('a start that the edge answers with %s', async (_, answer, kind) => {
  const { provider, io } = setup([health('READY'), answer])
  expect((await provider.start(job, io)).kind).toBe(kind)
})

test.each([404, 502, 503, 504])('a %d of the edge says nothing of a run', async status => {
  const { provider, io } = setup([edge(status)])
  expect(await provider.poll?.({ id: 'attempt-1' }, io)).toEqual({ status: 'unclear', word: `edge ${status}` })
})

test('a 404 of the edge is no answer to a cancel; the empty one of the container is', async () => {
  const { provider, io } = setup([edge(404), () => Response.json({}, { status: 404 })])
  await expect(provider.cancel?.({ id: 'attempt-1' }, io)).rejects.toMatchObject({
    failure: { code: 'provider_error' },
  })
  expect(await provider.cancel?.({ id: 'attempt-1' }, io)).toBe('ended')
})

test("instances elsewhere get no plain http URLs of ours, an emulator's do", async () => {
  const webhookUrl = 'http://127.0.0.1/hook'
  const vendor = setup([])
  const refused = await vendor.provider.start({ ...job, webhookUrl }, vendor.io)
  expect(refused).toMatchObject({ kind: 'rejected', failure: { code: 'no_route_for_bytes' } })
  const emulator = setup([health('READY'), started], { baseUrl: 'http://127.0.0.1:9001' })
  expect((await emulator.provider.start({ ...job, webhookUrl }, emulator.io)).kind).toBe('accepted')
})

const account = { token: 'koyeb-token', service: 'abc-1' }

test("health is asked of Koyeb's own API, which wakes nothing, and only with its token", async () => {
  expect(koyeb({ baseUrl: `https://${place}` }).health).toBeUndefined()
  const service = () => Response.json({ service: { status: 'HEALTHY', active_deployment_id: 'd-1' } })
  const instances = () => Response.json({ instances: [{ status: 'SLEEPING' }] })
  const { provider, io, asked, tokens } = setup([service, instances], { ...account, authorization: 'Bearer edge' })
  expect(await provider.health?.({}, io)).toEqual({
    state: 'ok',
    message: 'Koyeb: the service sleeps, and wakes by a request (service: HEALTHY; instances: 1 SLEEPING).',
    queued: null,
    workers: { SLEEPING: 1 },
  })
  expect(asked).toEqual([
    'GET app.koyeb.com /v1/services/abc-1',
    'GET app.koyeb.com /v1/instances?service_id=abc-1&deployment_id=d-1&limit=100',
  ])
  expect(tokens).toEqual(['Bearer koyeb-token', 'Bearer koyeb-token'])
})

test.each([
  ['HEALTHY', ['HEALTHY', 'ERROR'], 'ok'],
  ['HEALTHY', ['STARTING', 'ERROR'], 'crash-loop'],
  ['DEGRADED', ['UNHEALTHY'], 'crash-loop'],
  ['HEALTHY', ['ALLOCATING'], 'queueing'],
  ['RESUMING', [], 'queueing'],
  ['PAUSED', ['STOPPED'], 'no-workers'],
  ['DELETED', [], 'no-workers'],
  ['HEALTHY', [], 'unknown'],
  ['NEW_WORD', ['NEW_WORD'], 'unknown'],
])('a service that is %s with instances %j is %s', async (status, instances, state) => {
  const answers = [{ service: { status } }, { instances: instances.map(each => ({ status: each })) }]
  const { provider, io, asked } = setup(
    answers.map(body => () => Response.json(body)),
    account,
  )
  expect(await provider.health?.({}, io)).toMatchObject({ state })
  expect(asked[1]).toBe('GET app.koyeb.com /v1/instances?service_id=abc-1&limit=100')
})

test.each([
  [{ baseUrl: 'http://cog-acme.koyeb.app' }, 'baseUrl: must be https'],
  [{ baseUrl: 'https://x.example', token: 't' }, 'service: must be set together with token'],
  [{ baseUrl: 'https://x.example', service: 's' }, 'service: must be set together with token'],
  [{ baseUrl: 'https://x.example', token: 't', service: 'a/b' }, "service: must be a service's id"],
  [{ baseUrl: 'https://x.example', apiKey: 't' }, 'Unrecognized key: "apiKey"'],
])('refuses the options %j and says why', (options, words) => {
  expect(() => koyeb(options)).toThrow(words)
})

test('a second costs what the target says, else what its instance type costs, with the date of the list', () => {
  const provider = koyeb({ baseUrl: 'https://x.example' })
  const told = (target: object) => {
    const parsed = provider.parseTarget(target)
    return [provider.pricePerSecond(parsed), provider.pricesAsOf?.(parsed)]
  }
  expect(told({ hardware: 'gpu-nvidia-l4' })).toEqual([0.000278, '2025-10-01'])
  expect(told({ hardware: 'gpu-nvidia-h100', pricePerSecond: 0.0009 })).toEqual([0.0009, null])
  expect(told({})).toEqual([null, null])
  expect(() => told({ hardware: 'gpu-nvidia-h100' })).toThrow('no price is known for hardware "gpu-nvidia-h100"')
})

test.each([
  ['the edge says 503', edge(503), 'waking'],
  ['the edge says 404', edge(404), 'waking'],
  ['the connection is cut', reset, 'waking'],
  ['the model sets up', health('STARTING'), 'waking'],
  ['the model is ready', health('READY'), 'ready'],
  ['the model works', health('BUSY'), 'ready'],
])('warming is one request, and no run: where %s', async (_, answer, state) => {
  const { provider, io, asked } = setup([answer])
  expect(await provider.warm?.({}, io)).toMatchObject({ state })
  expect(asked).toEqual([`GET ${place} /health-check`])
})

test.each([
  ['the setup has failed', health('SETUP_FAILED'), 'boot_timeout'],
  ['there is no such host', nobody, 'provider_unreachable'],
])('warming says why it is no use to wait: %s', async (_, answer, code) => {
  const { provider, io } = setup([answer])
  await expect(provider.warm?.({}, io)).rejects.toMatchObject({ failure: { code } })
})
