import { describe, expect, test } from 'vitest'
import { createFailure, type FailureCode, failureCodes, SurefootError } from '../core/failure.ts'
import { modelSchema } from './schemas.ts'
import { origin, setup, sketch } from './test-support.ts'

describe('errors', () => {
  test('an unknown address is 404, a known one by a wrong method 405 with what it takes', async () => {
    const { send } = await setup()
    const unknown = await send('/v2/predictions')
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: 'not_found', status: 404 }])
    const wrong = await send('/v1/predictions', { method: 'PATCH' })
    expect([wrong.status, wrong.headers.get('allow'), await wrong.json()]).toMatchObject([
      405,
      'POST, GET',
      { code: 'method_not_allowed', detail: 'This address takes POST, GET only.' },
    ])
    expect((await send('/v1/predictions/p1/cancel')).status).toBe(405)
  })

  test.each([
    ['error', new Error('the secret reason')],
    ['word', 'the secret reason'],
  ])('an unknown %s that is thrown is opaque outside and whole in the log, under one request id', async (_, thrown) => {
    const front = await setup()
    const engine = { ...front.deps.engine, get: () => Promise.reject(thrown) }
    const { send, logged } = await setup({ engine })
    const response = await send('/v1/predictions/p1')
    const text = await response.text()
    const id = response.headers.get('x-request-id') ?? ''
    expect([response.status, response.headers.get('x-content-type-options')]).toEqual([500, 'nosniff'])
    expect(JSON.parse(text)).toMatchObject({ code: 'internal', request_id: id })
    expect(text).not.toContain('secret reason')
    expect(logged.filter(line => line.includes('the secret reason') && line.includes(id))).toHaveLength(1)
  })

  test.each<[FailureCode, number]>([
    ['input_invalid', 422],
    ['input_too_large', 413],
    ['storage_full', 507],
    ['no_route_for_bytes', 503],
    ['rate_limited', 429],
    ['auth_rejected', 401],
    ['deployment_missing', 404],
    ['provider_unreachable', 503],
    ['internal', 500],
  ])('%s is %i', async (code, status) => {
    const front = await setup()
    const error = new SurefootError(createFailure(code, 'In its own words.', { retryAfterMs: 1_500 }))
    const { send } = await setup({ engine: { ...front.deps.engine, get: () => Promise.reject(error) } })
    const response = await send('/v1/predictions/p1')
    expect([response.status, await response.json()]).toMatchObject([status, { code, status }])
    if (code !== 'internal') expect(response.headers.get('retry-after')).toBe('2')
  })

  test('a failure that has a name is told in the log without a stack, with what the system said', async () => {
    const front = await setup()
    const failure = createFailure('storage_full', 'No room.')
    const error = new SurefootError(failure, { cause: new Error('ENOSPC: no space left on device') })
    const { send, logged } = await setup({ engine: { ...front.deps.engine, get: () => Promise.reject(error) } })
    const id = (await send('/v1/predictions/p1')).headers.get('x-request-id')
    const [line = ''] = logged.filter(text => text.includes('request failed'))
    expect(JSON.parse(line)).toEqual({
      level: 'error',
      message: 'request failed',
      requestId: id,
      code: 'storage_full',
      error: 'No room.',
      cause: 'Error: ENOSPC: no space left on device',
    })
  })

  test('every failure code has a status of its own or of its fault', async () => {
    const front = await setup()
    for (const code of failureCodes) {
      const error = new SurefootError(createFailure(code, 'x'))
      const { send } = await setup({ engine: { ...front.deps.engine, get: () => Promise.reject(error) } })
      expect((await send('/v1/predictions/p1')).status).toBeGreaterThanOrEqual(401)
    }
  })
})

test('the log has patterns, never secrets, signatures or bodies', async () => {
  const { send, post, logged } = await setup()
  await send('/v1/webhooks/replicate/attempt/the-secret', { method: 'POST', body: 'the-body' })
  await send('/v1/outputs/p1/scene.ply?expiry=1&signature=the-signature')
  await post('/v1/predictions', { version: 'acme/sketch', input: { title: 'the-title' } })
  await send('/the-path')
  const log = logged.join('\n')
  for (const secret of ['the-secret', 'the-body', 'the-signature', 'the-title', 'the-path'])
    expect(log).not.toContain(secret)
  expect(log).toContain('/v1/webhooks/:provider/:attempt/:secret')
  expect(logged).toHaveLength(4)
})

describe('models', () => {
  test('are listed and shown with their versions and input schema', async () => {
    const { send } = await setup()
    const list = (await (await send('/v1/models')).json()) as { results: unknown[] }
    const one = await (await send('/v1/models/acme/sketch')).json()
    expect(list).toEqual({ next: null, previous: null, results: [one] })
    expect(modelSchema.safeParse(one).error).toBeUndefined()
    expect(one).toMatchObject({
      url: `${origin}/v1/models/acme/sketch`,
      owner: 'acme',
      name: 'sketch',
      latest_version: {
        id: sketch.version,
        openapi_schema: { components: { schemas: { Input: sketch.inputSchema } } },
      },
    })
    const versions = await (await send('/v1/models/acme/sketch/versions')).json()
    const version = await (await send(`/v1/models/acme/sketch/versions/${sketch.version}`)).json()
    expect(versions).toEqual({ next: null, previous: null, results: [version] })
  })

  test.each(['/v1/models/acme/none', '/v1/models/acme/none/versions', '/v1/models/acme/sketch/versions/none'])(
    '%s is 404',
    async path => {
      const { send } = await setup()
      expect((await send(path)).status).toBe(404)
    },
  )
})

test('the account is local', async () => {
  const { send } = await setup()
  expect(await (await send('/v1/account')).json()).toMatchObject({ type: 'user', username: 'local' })
})

describe('health', () => {
  test('is alive and ready while the store answers', async () => {
    const { send, clock } = await setup()
    expect((await send('/healthz')).status).toBe(200)
    expect((await send('/readyz')).status).toBe(200)
    expect(clock.waiting).toBe(0)
  })

  test('is alive but not ready when the store fails or hangs for 2 s', async () => {
    const front = await setup()
    const failing = await setup({ store: { ...front.store, now: () => Promise.reject(new Error('gone')) } })
    expect((await failing.send('/readyz')).status).toBe(503)
    expect((await failing.send('/healthz')).status).toBe(200)
    const hanging = await setup({ store: { ...front.store, now: () => new Promise(() => {}) } })
    const response = hanging.send('/readyz')
    await hanging.clock.advance(2_000)
    expect((await response).status).toBe(503)
  })
})

test('OpenAPI 3.1 names every route, its bodies and its errors', async () => {
  const { send } = await setup()
  const document = (await (await send('/openapi.json')).json()) as {
    openapi: string
    paths: Record<
      string,
      Record<string, { requestBody?: object; parameters?: object[]; responses: Record<string, object> }>
    >
    components: { schemas: Record<string, object> }
  }
  expect(document.openapi).toBe('3.1.0')
  expect(Object.keys(document.paths).toSorted()).toEqual([
    '/healthz',
    '/metrics',
    '/readyz',
    '/v1/account',
    '/v1/deployments/{owner}/{name}/predictions',
    '/v1/files',
    '/v1/files/uploads',
    '/v1/files/{id}',
    '/v1/files/{id}/content',
    '/v1/files/{id}/download',
    '/v1/inputs/{name}',
    '/v1/migrations',
    '/v1/migrations/{owner}/{name}/{action}',
    '/v1/models',
    '/v1/models/{owner}/{name}',
    '/v1/models/{owner}/{name}/predictions',
    '/v1/models/{owner}/{name}/versions',
    '/v1/models/{owner}/{name}/versions/{version}',
    '/v1/models/{owner}/{name}/warm',
    '/v1/models/{owner}/{name}/warm/{id}',
    '/v1/outputs/{prediction}/{name}',
    '/v1/predictions',
    '/v1/predictions/{id}',
    '/v1/predictions/{id}/attempts',
    '/v1/predictions/{id}/cancel',
    '/v1/predictions/{id}/events',
    '/v1/predictions/{id}/webhooks/resend',
    '/v1/providers',
    '/v1/tokens',
    '/v1/tokens/{id}',
    '/v1/uploads/{attempt}/{name}',
    '/v1/webhooks',
    '/v1/webhooks/default/secret',
    '/v1/webhooks/{provider}/{attempt}/{secret}',
  ])
  const create = document.paths['/v1/predictions']?.post
  expect(create?.requestBody).toMatchObject({ content: { 'application/json': {}, 'multipart/form-data': {} } })
  expect(JSON.stringify(create?.parameters)).toMatch(/prefer.*cancel-after/)
  expect(document.components.schemas).toMatchObject({ Prediction: {}, Error: {}, File: {}, Model: {}, Create: {} })
  for (const path of Object.values(document.paths))
    for (const route of Object.values(path)) expect(route.responses).toHaveProperty('default')
})
