import { expect, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { createEchoWork } from '../works.ts'
import { type CogEmulatorOptions, createCogEmulator } from './index.ts'

type Body = Record<string, unknown>

function setup(more: Partial<CogEmulatorOptions> = {}, receiver: () => Response = () => new Response('')) {
  const clock = createSimulatedClock()
  const began = clock.now()
  const heard: { at: number; body: Body; headers: Headers }[] = []
  const emulator = createCogEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs: 10_000 }),
    bootMs: 0,
    async send(input, init) {
      const request = new Request(input, init)
      heard.push({ at: clock.now() - began, body: (await request.json()) as Body, headers: request.headers })
      return receiver()
    },
    ...more,
  })
  async function call(method: string, path: string, content?: unknown, headers: Record<string, string> = {}) {
    const init = content === undefined ? {} : { body: JSON.stringify(content) }
    const response = await emulator.fetch(new Request(`https://cog.test${path}`, { method, headers, ...init }))
    return { status: response.status, body: (await response.json()) as Body }
  }
  const put = (id: string, content: object = {}) =>
    call('PUT', `/predictions/${id}`, { input: { text: 'hi' }, ...content }, { prefer: 'respond-async' })
  const health = async () => (await call('GET', '/health-check')).body.status
  return { clock, emulator, heard, call, put, health }
}

const webhook = 'https://us.test/hook'

test('setup comes first: coglet refuses with 503, Python as if it were busy', async () => {
  for (const [version, status] of [
    ['coglet', 503],
    ['python', 409],
  ] as const) {
    const { clock, put, health } = setup({ version, bootMs: 2000 })
    await clock.advance(1999)
    expect([(await put('a')).status, await health()]).toEqual([status, 'STARTING'])
    await clock.advance(1)
    expect([await health(), (await put('a')).status, await health()]).toEqual(['READY', 202, 'BUSY'])
  }
})

test('a run begins at once, reports, ends and is forgotten: the same id runs anew', async () => {
  const { clock, emulator, heard, put, health } = setup()
  await put('a', { webhook })
  await clock.advance(10_299)
  expect(await health()).toBe('BUSY')
  await clock.advance(1)
  expect(await health()).toBe('READY')
  expect(heard[0]?.body).toMatchObject({ id: 'a', status: 'processing', logs: '' })
  expect(heard.at(-1)).toMatchObject({ at: 10_300, body: { status: 'succeeded', metrics: { predict_time: 10.3 } } })
  expect((await put('a')).body).toEqual({ id: 'a', status: 'starting' })
  expect(emulator.state()).toMatchObject({ submits: 2, running: 1, ledger: [{ id: 'a', billedMs: 10_300 }, {}] })
})

test('a new container owes nothing: neither runs nor webhooks that the old one did not deliver keep a place', async () => {
  const { clock, emulator, put, health } = setup({ version: 'python' }, () => new Response(null, { status: 500 }))
  await put('a', { webhook })
  await clock.advance(10_300)
  expect(await health()).toBe('BUSY')
  emulator.replace()
  await clock.advance(0)
  expect([await health(), (await put('b')).status]).toEqual(['READY', 202])
})

test('the same id, while it is in flight, is answered with its snapshot and started once', async () => {
  const { clock, emulator, put, call } = setup()
  await put('a')
  await clock.advance(3000)
  expect(await put('a')).toMatchObject({ status: 202, body: { id: 'a', status: 'processing', input: { text: 'hi' } } })
  // A caller who would wait gets the snapshot, too.
  expect((await call('PUT', '/predictions/a', { input: {} })).status).toBe(202)
  expect((await put('b')).body).toEqual({ error: 'At capacity - all prediction slots busy', status: 'failed' })
  expect(emulator.state().submits).toBe(1)
})

test('nothing can be asked for by its id', async () => {
  const { put, call } = setup()
  await put('a')
  expect((await call('GET', '/predictions/a')).status).toBe(405)
})

test('cancel frees the place; what is not in flight is an empty 404', async () => {
  const { clock, heard, put, call, health } = setup()
  await put('a', { webhook })
  await clock.advance(1000)
  expect(await call('POST', '/predictions/a/cancel')).toEqual({ status: 200, body: {} })
  await clock.advance(0)
  expect([await health(), heard.at(-1)?.body.status]).toEqual(['READY', 'canceled'])
  expect(await call('POST', '/predictions/a/cancel')).toEqual({ status: 404, body: {} })
})

test('a held request answers at the end, whatever the end is, and coglet leaves out the logs of a failure', async () => {
  for (const [faults, expected] of [
    [
      [],
      {
        status: 'succeeded',
        output: expect.stringMatching('^https://cog.test/bucket/a/0/'),
        logs: expect.stringMatching('100%'),
      },
    ],
    [['model-error@0.5'], { status: 'failed', error: expect.stringMatching('channels'), logs: '' }],
  ] as const) {
    const { clock, call } = setup({ faults })
    const answer = call('POST', '/predictions', { id: 'a', input: {} })
    await clock.advance(10_300)
    expect(await answer).toMatchObject({ status: 200, body: expected })
  }
})

test('coglet cancels a run whose caller went away; Python goes on', async () => {
  for (const [version, running] of [
    ['coglet', 0],
    ['python', 1],
  ] as const) {
    const { clock, emulator } = setup({ version })
    const stop = new AbortController()
    const request = new Request('https://cog.test/predictions', {
      method: 'POST',
      body: '{"id":"a"}',
      signal: stop.signal,
    })
    const answer = emulator.fetch(request)
    await clock.advance(1000)
    stop.abort(new Error('went away'))
    await expect(answer).rejects.toThrow('fetch failed')
    expect(emulator.state()).toMatchObject({ submits: 1, running })
    emulator.close()
  }
})

test.each([
  ['200', 200, [0]],
  ['301, which drops it', 301, [0]],
  ['404, which drops it', 404, [0]],
  ['503, until it is given up', 503, [0, 0.2, 0.6, 1.4, 3, 6.2, 12.6, 25.4, 51, 102.2, 204.6, 307, 409.4]],
])('the last webhook is answered with %s', async (_, status, waited) => {
  const { clock, heard, put } = setup({}, () => new Response(null, { status }))
  await put('a', { webhook, webhook_events_filter: ['completed'] })
  await clock.advance(1_000_000)
  expect(heard.map(({ at }) => (at - 10_300) / 1000)).toEqual(waited)
})

test("Python's server stays busy until its last webhook is delivered", async () => {
  const { clock, put, health } = setup({ version: 'python' }, () => new Response(null, { status: 500 }))
  await put('a', { webhook, webhook_events_filter: ['completed'] })
  await clock.advance(10_300 + 324_599)
  expect(await health()).toBe('BUSY')
  await clock.advance(1)
  expect(await health()).toBe('READY')
})

test('webhooks of logs come at most twice a second, and all carry the token of the server', async () => {
  const { clock, heard, put } = setup({ webhookToken: 't', work: createQuick() })
  await put('a', { webhook })
  await clock.advance(10_000)
  expect(heard.map(({ body }) => body.status)).toEqual(['processing', 'processing', 'succeeded'])
  expect(new Set(heard.map(({ headers }) => headers.get('authorization')))).toEqual(new Set(['Bearer t']))
})

function createQuick(): CogEmulatorOptions['work'] {
  return async (_task, report) => {
    for (const fraction of [0.2, 0.4, 0.6, 0.8, 1]) report(fraction)
    return [{ name: 'a.txt', mediaType: 'text/plain', body: new Blob(['a']) }]
  }
}

test('outputs: data URIs without an upload URL, except that Python posts a path of its own', async () => {
  for (const [version, output] of [
    ['coglet', expect.stringMatching('^data:application/json;base64,')],
    ['python', expect.stringMatching('^/tmp/')],
  ] as const) {
    const { clock, heard, put } = setup({ version, answers: 'inline' })
    await put('a', { webhook })
    await clock.advance(11_000)
    expect(heard.at(-1)?.body).toMatchObject({ output })
  }
})

test('a worker that dies ends its run; coglet then refuses for good and is unwell, Python is gone', async () => {
  const coglet = setup({ faults: ['worker-crash@0.5*1'] })
  await coglet.put('a', { webhook })
  await coglet.clock.advance(11_000)
  expect(coglet.heard.at(-1)?.body).toMatchObject({ status: 'failed', error: 'Worker crashed' })
  expect([await coglet.health(), (await coglet.put('b')).status]).toEqual(['UNHEALTHY', 409])

  const python = setup({ version: 'python', faults: ['worker-crash@0.5*1'] })
  await python.put('a', { webhook })
  await python.clock.advance(11_000)
  expect(python.heard.at(-1)?.body).toMatchObject({ status: 'failed', error: expect.stringMatching('exitcode -11') })
  await expect(python.health()).rejects.toThrow('fetch failed')
  await expect(python.put('b')).rejects.toThrow('fetch failed')
})

test('more places take more runs', async () => {
  const { put, health } = setup({ slots: 2 })
  const words: unknown[] = []
  for (const id of ['a', 'b', 'c']) words.push((await put(id)).status, await health())
  expect(words).toEqual([202, 'READY', 202, 'BUSY', 409, 'BUSY'])
})

test.each([
  ['a body that is no JSON', 'PUT', 'x'],
  ['an input that is a text', 'PUT', { input: 'hi' }],
  ['an id that is not the one of the path', 'PUT', { id: 'b' }],
  ['a webhook that is no URL', 'POST', { webhook: 'here' }],
])('%s is unprocessable', async (_, method, content) => {
  const { call } = setup()
  const path = method === 'PUT' ? '/predictions/a' : '/predictions'
  expect(await call(method, path, content)).toMatchObject({
    status: 422,
    body: { detail: [{ loc: expect.any(Array) }] },
  })
})

test('a proxy in front asks for its own authorization', async () => {
  const { call } = setup({ authorization: 'Bearer proxy' })
  expect((await call('GET', '/health-check')).status).toBe(401)
  expect((await call('GET', '/health-check', undefined, { authorization: 'Bearer proxy' })).status).toBe(200)
})
