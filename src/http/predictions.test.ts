import { describe, expect, test } from 'vitest'
import type { StoredOutput } from '../core/prediction.ts'
import { sampleAttempt } from '../testing/sample-records.ts'
import { predictionSchema } from './schemas.ts'
import type { PageJson, PredictionJson } from './shapes.ts'
import { origin, png, setup, sketch, type TestFront } from './test-support.ts'

const image = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
const output: StoredOutput = {
  key: 'outputs/prediction1/scene.ply',
  name: 'scene.ply',
  mediaType: 'application/octet-stream',
  bytes: 10,
  sha256: 'a'.repeat(64),
  facts: { count: 3 },
}

async function prediction(response: Response): Promise<PredictionJson> {
  return (await response.json()) as PredictionJson
}

describe('create', () => {
  test('our one key pins the prediction, in JSON and in forms', async () => {
    const front = await setup()
    const { engine } = front.deps
    const asked: (readonly string[] | undefined)[] = []
    const { post, send } = await setup({
      engine: {
        ...engine,
        create(request) {
          asked.push(request.deployments)
          return engine.create(request)
        },
      },
      store: front.store,
      files: front.files,
    })
    const deployments = ['sketch@b', 'sketch@a']
    const input = { image }
    expect((await post('/v1/predictions', { model: 'acme/sketch', input, surefoot: { deployments } })).status).toBe(201)
    const body = new FormData()
    body.set('image', new Blob([png]), 'photo.png')
    body.set('surefoot', JSON.stringify({ deployments: ['sketch@c'] }))
    expect((await send('/v1/models/acme/sketch/predictions', { method: 'POST', body })).status).toBe(201)
    expect((await post('/v1/predictions', { model: 'acme/sketch', input, surefoot: {} })).status).toBe(201)
    expect(asked).toEqual([deployments, ['sketch@c'], undefined])
  })

  test.each([
    ['by version', '/v1/predictions', { version: sketch.version, input: { image } }],
    ['by model name', '/v1/predictions', { version: 'acme/sketch', input: { image } }],
    ['by model and version', '/v1/predictions', { version: `acme/sketch:${sketch.version}`, input: { image } }],
    ['by the model key', '/v1/predictions', { model: 'acme/sketch', input: { image } }],
    ['by path', '/v1/models/acme/sketch/predictions', { input: { image }, stream: false }],
  ])('answers 201 with the prediction in the shape that OpenAPI documents: %s', async (_, path, body) => {
    const { post } = await setup()
    const response = await post(path, body)
    expect(response.status).toBe(201)
    const json = await prediction(response)
    expect(predictionSchema.safeParse(json).error).toBeUndefined()
    expect(json).toEqual({
      id: 'prediction1',
      model: 'acme/sketch',
      version: sketch.version,
      input: { image, steps: 20 },
      output: null,
      status: 'starting',
      error: null,
      logs: '',
      metrics: {},
      created_at: '2026-01-01T00:00:00.000Z',
      started_at: null,
      completed_at: null,
      data_removed: false,
      source: 'api',
      urls: { get: `${origin}/v1/predictions/prediction1`, cancel: `${origin}/v1/predictions/prediction1/cancel` },
      surefoot: {
        progress: null,
        failure: null,
        cost: null,
        deployment: null,
        notice: 'Only a sketch.',
        output: null,
        settled: false,
      },
    })
  })

  test('echoes the webhook, its events and the deadline only when given', async () => {
    const { post } = await setup()
    const body = { version: 'acme/sketch', input: { image }, webhook: 'https://user.example/hook' }
    const json = await prediction(await post('/v1/predictions', body, { 'cancel-after': '1h30m' }))
    expect(json).toMatchObject({
      webhook: 'https://user.example/hook',
      webhook_events_filter: ['output', 'completed'],
      deadline: '2026-01-01T01:30:00.000Z',
    })
  })

  test('calls it source "web" when our own page asks', async () => {
    const { post } = await setup()
    const headers = { 'sec-fetch-site': 'same-origin', origin }
    const json = await prediction(await post('/v1/predictions', { version: 'acme/sketch', input: { image } }, headers))
    expect(json.source).toBe('web')
  })

  const good = { version: 'acme/sketch', input: { image } }
  test.each<[string, unknown, Record<string, string>, number, string, RegExp]>([
    ['no JSON', '{', {}, 400, 'invalid_json', /not valid JSON/],
    ['text', good, { 'content-type': 'text/plain' }, 415, 'unsupported_media_type', /application\/json/],
    ['an array', [], {}, 422, 'input_invalid', /^body: /],
    ['no input', { version: 'acme/sketch' }, {}, 422, 'input_invalid', /^input: /],
    ['an input that is no object', { ...good, input: 'x' }, {}, 422, 'input_invalid', /^input: /],
    ['no version', { input: {} }, {}, 422, 'input_invalid', /^version: /],
    ['version and model', { ...good, model: 'acme/sketch' }, {}, 422, 'input_invalid', /^version: /],
    ['a version of no form', { ...good, version: 'sketch' }, {}, 422, 'input_invalid', /^version: is neither/],
    ['an unknown version', { ...good, version: 'f'.repeat(64) }, {}, 422, 'input_invalid', /there are acme\/sketch/],
    ['an unknown model', { ...good, version: 'acme/other' }, {}, 422, 'input_invalid', /there are acme\/sketch/],
    ['an unknown key', { ...good, extra: 1 }, {}, 422, 'input_invalid', /extra/],
    ['a webhook that is no URL', { ...good, webhook: 'x' }, {}, 422, 'input_invalid', /^webhook: /],
    ['a webhook by ftp', { ...good, webhook: 'ftp://x.example/' }, {}, 422, 'input_invalid', /^webhook: /],
    [
      'no deployment to run on',
      { ...good, surefoot: { deployments: [] } },
      {},
      422,
      'input_invalid',
      /surefoot.deployments/,
    ],
    ['an unknown key of ours', { ...good, surefoot: { deployment: 'x' } }, {}, 422, 'input_invalid', /surefoot/],
    ['an unknown event', { ...good, webhook_events_filter: ['x'] }, {}, 422, 'input_invalid', /webhook_events_filter/],
    [
      'an endless list of events',
      { ...good, webhook: 'https://x.example/', webhook_events_filter: Array(17).fill('start') },
      {},
      422,
      'input_invalid',
      /webhook_events_filter/,
    ],
    [
      'a million small values',
      `{"version":"acme/sketch","input":{"a":[${'0,'.repeat(1_000_000)}0]}}`,
      {},
      413,
      'input_too_large',
      /100,000 values/,
    ],
    [
      'a nesting without end',
      `{"version":"acme/sketch","input":{"a":${'['.repeat(1_000_000)}}}`,
      {},
      422,
      'input_invalid',
      /nested deeper/,
    ],
    ['an unknown input field', { ...good, input: { image, x: 1 } }, {}, 422, 'input_invalid', /"x"/],
    ['a wrong type', { ...good, input: { image, steps: 'many' } }, {}, 422, 'input_invalid', /steps/],
    ['a wait of 0', good, { prefer: 'wait=0' }, 422, 'input_invalid', /^Prefer: /],
    ['a wait of 61', good, { prefer: 'wait=61' }, 422, 'input_invalid', /^Prefer: /],
    ['another preference', good, { prefer: 'respond-async' }, 422, 'input_invalid', /^Prefer: /],
    ['a deadline without unit', good, { 'cancel-after': '30' }, 422, 'input_invalid', /^Cancel-After: /],
    ['a deadline of nothing', good, { 'cancel-after': '0s' }, 422, 'input_invalid', /^Cancel-After: /],
    ['a deadline in wrong order', good, { 'cancel-after': '5s1m' }, 422, 'input_invalid', /^Cancel-After: /],
    ['a deadline of days', good, { 'cancel-after': '25h' }, 422, 'input_invalid', /^Cancel-After: /],
    [
      'a file of ours that is gone',
      { ...good, input: { image: `${origin}/v1/files/none` } },
      {},
      422,
      'input_invalid',
      /^image: this file does not exist/,
    ],
  ])('refuses %s', async (_, body, headers, status, code, detail) => {
    const { post, store } = await setup()
    const response = await post('/v1/predictions', body, headers)
    const json = await response.json()
    expect(json).toEqual({
      detail: expect.stringMatching(detail),
      status,
      code,
      request_id: response.headers.get('x-request-id'),
    })
    expect(response.status).toBe(status)
    expect(await store.list({ owner: null, limit: 1 })).toEqual([])
  })

  test('refuses a body over 20 MB, stated or not', async () => {
    const { send } = await setup()
    const headers = { 'content-type': 'application/json' }
    const stated = await send('/v1/predictions', {
      method: 'POST',
      headers: { ...headers, 'content-length': '20000001' },
      body: '{}',
    })
    const streamed = await send('/v1/predictions', {
      method: 'POST',
      headers,
      body: new Blob([new Uint8Array(20_000_001)]).stream(),
      duplex: 'half',
    } as RequestInit)
    expect([stated.status, streamed.status]).toEqual([413, 413])
    expect(await streamed.json()).toMatchObject({
      code: 'input_too_large',
      detail: expect.stringContaining('20,000,000'),
    })
  })

  test('answers 404 for an unknown model or deployment in the path', async () => {
    const { post } = await setup()
    const model = await post('/v1/models/acme/other/predictions', { input: {} })
    const deployment = await post('/v1/deployments/acme/sketch/predictions', { input: {} })
    expect([model.status, deployment.status]).toEqual([404, 404])
    expect(await deployment.json()).toMatchObject({ detail: expect.stringContaining('GET /v1/providers') })
  })
})

describe('Prefer: wait', () => {
  const body = { version: 'acme/sketch', input: { image } }

  async function waiting(front: TestFront, prefer: string) {
    const answer: { response?: Response } = {}
    const done = front.post('/v1/predictions', body, { prefer }).then(response => {
      answer.response = response
    })
    while ((await front.store.get('prediction1')) === null) await front.clock.advance(0)
    await front.clock.advance(0)
    return { answer, done }
  }

  test('holds until the end and answers 201 with the output', async () => {
    const front = await setup()
    const { answer, done } = await waiting(front, 'wait')
    await front.change('prediction1', { status: 'processing', startedAt: front.clock.now() })
    await front.clock.advance(59_999)
    expect(answer.response).toBeUndefined()
    await front.change('prediction1', { status: 'succeeded', output, completedAt: front.clock.now() })
    await done
    expect(answer.response?.status).toBe(201)
    expect(await answer.response?.json()).toMatchObject({
      status: 'succeeded',
      output: expect.stringMatching(`^${origin}/v1/outputs/prediction1/scene.ply\\?`),
    })
    expect(front.clock.waiting).toBe(0)
  })

  test('answers 202 and "starting" when the wait runs out, even while it is processing', async () => {
    const front = await setup()
    const { answer, done } = await waiting(front, 'wait=5')
    await front.change('prediction1', { status: 'processing', startedAt: front.clock.now() })
    await front.clock.advance(4_999)
    expect(answer.response).toBeUndefined()
    await front.clock.advance(1)
    await done
    expect(answer.response?.status).toBe(202)
    expect(await answer.response?.json()).toMatchObject({ id: 'prediction1', status: 'starting' })
    expect(await prediction(await front.send('/v1/predictions/prediction1'))).toMatchObject({ status: 'processing' })
  })

  test('ends the hold, not the prediction, when the server closes', async () => {
    const closing = new AbortController()
    const front = await setup({ closing: closing.signal })
    const { answer, done } = await waiting(front, 'wait')
    closing.abort()
    await done
    expect(answer.response?.status).toBe(202)
    expect(front.clock.waiting).toBe(0)
  })
})

describe('get', () => {
  test("shows what happened, in Replicate's words and ours", async () => {
    const { add, send, clock } = await setup()
    const now = clock.now()
    await add({
      id: 'p1',
      status: 'succeeded',
      createdAt: now,
      startedAt: now + 2_000,
      completedAt: now + 6_500,
      settledAt: now + 7_000,
      output,
      progress: { stage: 'writing', fraction: null },
      decisions: [{ at: now, attempt: 1, what: 'start', why: 'first in the route' }],
      attempts: [
        sampleAttempt({
          id: 'a1',
          state: 'failed',
          deployment: 'sketch@one',
          cost: { amount: 0.01, currency: 'USD', estimated: true },
        }),
        sampleAttempt({
          id: 'a2',
          state: 'won',
          deployment: 'sketch@two',
          runningAt: now + 2_000,
          collectingAt: now + 5_000,
          cost: { amount: 0.02, currency: 'USD', estimated: false },
        }),
        sampleAttempt({ id: 'a3', state: 'superseded', deployment: 'sketch@three' }),
      ],
    })
    const json = await prediction(await send('/v1/predictions/p1'))
    expect(predictionSchema.safeParse(json).error).toBeUndefined()
    expect(json).toMatchObject({
      metrics: { predict_time: 3, total_time: 6.5 },
      started_at: '2026-01-01T00:00:02.000Z',
      completed_at: '2026-01-01T00:00:06.500Z',
      logs: '2026-01-01T00:00:00.000Z start: first in the route\n100%|####################| 100/100 [writing]',
      surefoot: {
        progress: { stage: 'writing', fraction: null },
        cost: { amount: 0.03, currency: 'USD', estimated: true },
        deployment: 'sketch@two',
        output: { name: 'scene.ply', media_type: 'application/octet-stream', bytes: 10, facts: { count: 3 } },
        settled: true,
      },
    })
    expect(JSON.stringify(json)).not.toContain('outputs/prediction1')
  })

  test('writes progress so that clients find it from the end of the logs', async () => {
    const { add, send } = await setup()
    await add({ id: 'p1', progress: { stage: null, fraction: 0 }, status: 'processing' })
    const { logs } = await prediction(await send('/v1/predictions/p1'))
    expect(/^\s*(\d+)%\s*\|.+?\|\s*(\d+)\/(\d+)/.exec(logs)?.slice(1)).toEqual(['0', '0', '100'])
  })

  test('gives the same output link from every poll within the hour, good for an hour at least', async () => {
    const { add, send, clock } = await setup()
    await add({ id: 'p1', status: 'succeeded', output, completedAt: clock.now() })
    await clock.advance(1)
    const first = (await prediction(await send('/v1/predictions/p1'))).output ?? ''
    await clock.advance(3_599_998)
    const second = (await prediction(await send('/v1/predictions/p1'))).output ?? ''
    expect(second).toBe(first)
    const expiry = Number(new URL(first).searchParams.get('expiry')) * 1000
    expect(expiry - clock.now()).toBeGreaterThanOrEqual(3_600_000)
    await clock.advance(2)
    expect((await prediction(await send('/v1/predictions/p1'))).output).not.toBe(first)
  })

  test('answers 404 for an unknown id and for predictions of others', async () => {
    const { add, send } = await setup()
    await add({ id: 'p1', owner: 'somebody' })
    for (const path of ['p0', 'p1', 'p1/attempts', 'p1/events']) {
      const response = await send(`/v1/predictions/${path}`)
      expect([path, response.status]).toEqual([path, 404])
      expect(await response.json()).toMatchObject({ code: 'not_found', status: 404 })
    }
    expect((await send('/v1/predictions/p1/cancel', { method: 'POST' })).status).toBe(404)
  })
})

test('shows attempts and decisions without handles, provider links and file keys', async () => {
  const { add, send, clock } = await setup()
  const secret = 'https://provider.example/secret-link'
  await add({
    id: 'p1',
    decisions: [{ at: clock.now(), attempt: null, what: 'wait', why: 'no free place' }],
    attempts: [
      sampleAttempt({
        id: 'a1',
        state: 'collecting',
        handle: { id: secret },
        outputs: [{ kind: 'url', url: secret }],
        output: { ...output, key: secret },
        word: 'succeeded',
        release: 'confirmed',
      }),
    ],
  })
  const text = await (await send('/v1/predictions/p1/attempts')).text()
  expect(text).not.toContain(secret)
  expect(JSON.parse(text)).toMatchObject({
    attempts: [
      { id: 'a1', number: 1, deployment: 'relief@local', state: 'collecting', word: 'succeeded', release: 'confirmed' },
    ],
    decisions: [{ at: '2026-01-01T00:00:00.000Z', attempt: null, what: 'wait', why: 'no free place' }],
  })
})

test('cancel answers the prediction; a finished one stays what it was', async () => {
  const { post, send, add } = await setup()
  await post('/v1/predictions', { version: 'acme/sketch', input: { image } })
  const canceled = await send('/v1/predictions/prediction1/cancel', { method: 'POST' })
  expect([canceled.status, await canceled.json()]).toMatchObject([200, { id: 'prediction1', status: 'canceled' }])
  await add({ id: 'p2', status: 'succeeded', output, completedAt: 1 })
  const finished = await send('/v1/predictions/p2/cancel', { method: 'POST' })
  expect([finished.status, await finished.json()]).toMatchObject([200, { status: 'succeeded' }])
})

describe('list', () => {
  async function page(front: TestFront, url: string): Promise<PageJson<PredictionJson>> {
    return (await (await front.send(url)).json()) as PageJson<PredictionJson>
  }

  test('walks all predictions of the owner, 100 a page, newest first, by whole next links', async () => {
    const front = await setup()
    const ids = Array.from({ length: 201 }, (_, index) => `p${String(index).padStart(3, '0')}`)
    for (const [index, id] of ids.entries())
      await front.add({ id, createdAt: front.clock.now() + Math.floor(index / 7) })
    await front.add({ id: 'theirs', owner: 'somebody' })
    const sizes: number[] = []
    const seen: string[] = []
    for (let url: string | null = '/v1/predictions'; url !== null; ) {
      const current: PageJson<PredictionJson> = await page(front, url)
      sizes.push(current.results.length)
      seen.push(...current.results.map(({ id }) => id))
      expect(current.previous).toBeNull()
      url = current.next
      if (url !== null) expect(url).toMatch(`${origin}/v1/predictions?cursor=`)
    }
    expect(sizes).toEqual([100, 100, 1])
    expect(seen).toEqual(ids.toReversed())
  })

  test('keeps created_after and created_before from page to page', async () => {
    const front = await setup()
    const start = front.clock.now()
    for (let index = 0; index < 150; index++) await front.add({ id: `p${index}`, createdAt: start + index * 1000 })
    const after = new Date(start + 10_000).toISOString()
    const before = new Date(start + 140_000).toISOString()
    const first = await page(front, `/v1/predictions?created_after=${after}&created_before=${before}`)
    const second = await page(front, first.next ?? '')
    const times = [...first.results, ...second.results].map(({ created_at }) => created_at)
    expect(second.next).toBeNull()
    expect(times.every(time => time >= after && time <= before)).toBe(true)
    expect(times.length).toBeGreaterThan(125)
  })

  test.each(['cursor=x', 'cursor=W10', 'created_after=yesterday', 'created_before=1'])('refuses %s', async query => {
    const { send } = await setup()
    const response = await send(`/v1/predictions?${query}`)
    expect([response.status, await response.json()]).toMatchObject([422, { code: 'input_invalid' }])
  })
})
