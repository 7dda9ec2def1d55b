import { describe, expect, test } from 'vitest'
import { createFailure, SurefootError } from '../core/failure.ts'
import { noLimits } from '../core/token.ts'
import type { CreateRequest } from '../engine/contract.ts'
import { mintOwnerSecret, mintToken } from './secrets.ts'
import { setup, type TestFront } from './test-support.ts'
import { addToken, fill, readRoutes } from './test-tokens.ts'

const day = 24 * 3_600_000

async function codeOf(answer: Promise<Response>): Promise<string | undefined> {
  const response = await answer
  return response.ok ? 'ok' : ((await response.json()) as { code: string }).code
}

describe('who needs a token', () => {
  test('nobody while there is none: what clients send is not looked at', async () => {
    const { send } = await setup()
    for (const authorization of ['Bearer unused', 'Token any', mintToken().secret, 'nonsense'])
      expect((await send('/v1/predictions', { headers: { authorization } })).status).toBe(200)
  })

  test('everybody once there is one, at every route but health, signed links, uploads and webhooks', async () => {
    const front = await setup()
    const routes = await readRoutes(front)
    await addToken(front)
    const refused: string[] = []
    for (const { method, path } of routes) {
      const response = await front.send(fill(path), { method })
      const { code } = (await response.json().catch(() => ({}))) as { code?: string }
      if (code !== 'token_missing') continue
      refused.push(`${method} ${path}`)
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="surefoot"'])
    }
    const open = routes.map(({ method, path }) => `${method} ${path}`).filter(route => !refused.includes(route))
    expect(open.toSorted()).toEqual([
      'GET /healthz',
      'GET /readyz',
      'GET /v1/files/{id}/download',
      'GET /v1/inputs/{name}',
      'GET /v1/outputs/{prediction}/{name}',
      'POST /v1/webhooks/{provider}/{attempt}/{secret}',
      'PUT /v1/files/{id}/content',
      'PUT /v1/uploads/{attempt}/{name}',
    ])
    for (const path of ['/openapi.json', '/v1', '/nothing', '/v1/predictions/'])
      expect(await codeOf(front.send(path))).toBe('token_missing')
  })

  test('still everybody when the last token is revoked or has expired', async () => {
    const front = await setup()
    const token = await addToken(front, { expiresAt: front.clock.now() + day })
    expect(await codeOf(front.send('/v1/predictions'))).toBe('token_missing')
    await front.clock.advance(day)
    expect(await codeOf(front.send('/v1/predictions'))).toBe('token_missing')
    await front.store.revokeToken(token.id, 1)
    expect(await codeOf(front.send('/v1/predictions'))).toBe('token_missing')
  })

  test('an expired token that nobody revoked keeps a gateway closed that starts later', async () => {
    const front = await setup()
    await addToken(front, { expiresAt: 1 })
    expect(await codeOf(front.send('/v1/predictions'))).toBe('token_missing')
  })

  test('everybody from the start where more than this machine is served', async () => {
    const front = await setup({ access: { tokensRequired: true } })
    expect(await codeOf(front.send('/v1/predictions'))).toBe('token_missing')
    expect((await front.send('/healthz')).status).toBe(200)
  })

  test('under any host name, and through any proxy, once tokens are needed', async () => {
    const front = await setup({ publicUrl: 'https://gateway.example' })
    const { headers } = await addToken(front)
    for (const host of ['gateway.example', 'evil.example', '10.0.0.7:8787']) {
      const all = { ...headers, host, 'x-forwarded-for': '203.0.113.9' }
      expect((await front.send('/v1/predictions', { headers: all })).status).toBe(200)
      expect(await codeOf(front.send('/v1/predictions', { headers: { host } }))).toBe('token_missing')
    }
  })

  test('pages of other sites stay out, whatever token they have', async () => {
    const front = await setup()
    const { headers } = await addToken(front)
    const all = { ...headers, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    const response = await front.send('/v1/predictions', { headers: all })
    expect([response.status, response.headers.has('access-control-allow-origin')]).toEqual([403, false])
  })

  test('the page itself is open, behind a proxy that ends TLS too, so that it can ask for one', async () => {
    const front = await setup()
    const { headers } = await addToken(front)
    expect((await front.send('/')).status).toBe(404)
    expect(await codeOf(front.send('/index.html'))).toBe('token_missing')
    const page = {
      ...headers,
      host: 'gateway.example',
      origin: 'https://gateway.example',
      'sec-fetch-site': 'same-origin',
    }
    expect((await front.send('/v1/predictions', { headers: page })).status).toBe(200)
  })
})

describe('a good token', () => {
  test.each(['Bearer', 'Token', 'bearer', 'TOKEN'])('is taken after the word %s', async word => {
    const front = await setup()
    const { secret } = await addToken(front)
    const headers = { authorization: `${word} ${secret}` }
    expect((await front.send('/v1/predictions', { headers })).status).toBe(200)
  })

  test('is somebody: the account is its id', async () => {
    const front = await setup()
    const { id, headers } = await addToken(front)
    expect(await (await front.send('/v1/account', { headers })).json()).toMatchObject({ username: id })
  })

  test('is noted as used, once an hour', async () => {
    const front = await setup()
    const { id, headers } = await addToken(front)
    const used: (number | null | undefined)[] = []
    const start = front.clock.now()
    for (const wait of [0, 3_599_999, 1]) {
      await front.clock.advance(wait)
      await front.send('/v1/predictions', { headers })
      used.push((await front.store.findToken(id))?.lastUsedAt)
    }
    expect(used).toEqual([start, start, start + 3_600_000])
  })
})

describe('a bad token', () => {
  const good = mintToken()
  const tail = good.secret.slice(0, -1)
  const flipped = tail + (good.secret.endsWith('A') ? 'B' : 'A')
  const cases: readonly [string, string][] = [
    ['nothing', ''],
    ['a word alone', 'Bearer'],
    ['no secret', 'Bearer '],
    ['a secret alone', good.secret],
    ['another scheme', `Basic ${good.secret}`],
    ['basic credentials', `Basic ${Buffer.from(`x:${good.secret}`).toString('base64')}`],
    ['two secrets', `Bearer ${good.secret} ${good.secret}`],
    ['two headers', `Bearer ${good.secret}, Bearer ${good.secret}`],
    ['quotes', `Bearer "${good.secret}"`],
    ['the id only', `Bearer sf_${good.id}_`],
    ['a cut secret', `Bearer ${tail}`],
    ['a longer secret', `Bearer ${good.secret}A`],
    ['one character that differs', `Bearer ${flipped}`],
    ['the secret of another id', `Bearer ${good.secret.replace(good.id, mintToken().id)}`],
    ['the stored digest', `Bearer ${good.digest}`],
    ['a stranger', `Bearer ${mintToken().secret}`],
    ['a stranger who calls himself the owner', `Bearer ${mintOwnerSecret()}`],
    ['SQL', `Bearer sf_' or 1=1 --`],
    ['15 kB', `Bearer ${'a'.repeat(15_000)}`],
    ['15 kB of spaces', `Bearer ${' '.repeat(15_000)}x`],
  ]

  test.each(cases)('is answered like every other one: %s', async (_, authorization) => {
    const front = await setup()
    await front.store.addToken({
      ...{ id: good.id, digest: good.digest, name: 'Ann', scopes: ['read'], limits: noLimits, createdAt: 0 },
      ...{ expiresAt: null, revokedAt: null, lastUsedAt: null },
    })
    const response = await front.send('/v1/predictions', { headers: { authorization } })
    expect(await response.json()).toEqual({
      detail: 'This token is not one of ours.',
      status: 401,
      code: 'token_invalid',
      request_id: response.headers.get('x-request-id'),
    })
    expect((await front.store.findToken(good.id))?.lastUsedAt).toBe(null)
  })

  test('takes the same way whether or not its id is known', async () => {
    const front = await setup()
    const known = await addToken(front)
    const asked: string[] = []
    const store = {
      ...front.store,
      findToken(id: string) {
        asked.push(id)
        return front.store.findToken(id)
      },
      noteTokenUse: () => Promise.reject(new Error('nobody may use it')),
    }
    const watched = await setup({ store })
    for (const id of [known.id, mintToken().id]) {
      const authorization = `Bearer ${mintToken().secret.replace(/^sf_\w{12}/, `sf_${id}`)}`
      expect(await codeOf(watched.send('/v1/predictions', { headers: { authorization } }))).toBe('token_invalid')
    }
    expect(asked).toHaveLength(2)
  })

  test('has expired from its moment on, and is told so only to whoever has the secret', async () => {
    const front = await setup()
    const { secret, headers } = await addToken(front, { expiresAt: front.clock.now() + day })
    await front.clock.advance(day - 1)
    expect(await codeOf(front.send('/v1/predictions', { headers }))).toBe('ok')
    await front.clock.advance(1)
    expect(await codeOf(front.send('/v1/predictions', { headers }))).toBe('token_expired')
    const wrong = { authorization: `Bearer ${secret.slice(0, -2)}AA` }
    expect(await codeOf(front.send('/v1/predictions', { headers: wrong }))).toBe('token_invalid')
  })

  test('was revoked, and is refused from the next request on', async () => {
    const front = await setup()
    await addToken(front)
    const { id, headers } = await addToken(front)
    expect(await codeOf(front.send('/v1/predictions', { headers }))).toBe('ok')
    await front.store.revokeToken(id, front.clock.now())
    expect(await codeOf(front.send('/v1/predictions', { headers }))).toBe('token_revoked')
  })

  test('is refused before its body is read', async () => {
    const front = await setup()
    await addToken(front)
    let read = 0
    const body = new ReadableStream(
      {
        pull() {
          read += 1
        },
      },
      { highWaterMark: 0 },
    )
    const init = {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    }
    expect(await codeOf(front.send('/v1/files', init as RequestInit))).toBe('token_missing')
    expect(read).toBe(0)
  })
})

describe('scopes', () => {
  test('every route takes the one scope that its documentation names, and no other', async () => {
    const front = await setup()
    const routes = (await readRoutes(front)).filter(({ scope }) => scope !== null)
    expect(routes.length).toBeGreaterThan(20)
    for (const scope of ['predict', 'read', 'admin'] as const) {
      const { headers } = await addToken(front, { scopes: [scope] })
      for (const route of routes) {
        const answer = front.send(fill(route.path), { method: route.method, headers })
        const code = await codeOf(answer)
        const what = `${route.method} ${route.path} with ${scope}`
        if (scope === route.scope) expect([what, code]).not.toEqual([what, 'scope_missing'])
        else expect([what, code]).toEqual([what, 'scope_missing'])
      }
    }
  })

  test('a token without any may do nothing, and still hears of wrong addresses', async () => {
    const front = await setup()
    const { headers } = await addToken(front, { scopes: [] })
    expect(await codeOf(front.send('/v1/predictions', { headers }))).toBe('scope_missing')
    expect(await codeOf(front.send('/nothing', { headers }))).toBe('not_found')
  })
})

describe('limits', () => {
  test('so many requests in a minute, and how long to wait for the next; others go on', async () => {
    const front = await setup()
    const limits = { ...noLimits, requestsPerMinute: 3 }
    const { headers } = await addToken(front, { limits })
    const other = await addToken(front, { limits })
    const statuses = async (times: number) => {
      const all: number[] = []
      for (let time = 0; time < times; time++) all.push((await front.send('/v1/models', { headers })).status)
      return all
    }
    expect(await statuses(5)).toEqual([200, 200, 200, 429, 429])
    const refused = await front.send('/v1/models', { headers })
    expect([refused.headers.get('retry-after'), await codeOf(Promise.resolve(refused))]).toEqual([
      '20',
      'too_many_requests',
    ])
    expect((await front.send('/v1/models', { headers: other.headers })).status).toBe(200)
    await front.clock.advance(19_999)
    expect(await statuses(1)).toEqual([429])
    await front.clock.advance(1)
    expect(await statuses(2)).toEqual([200, 429])
    await front.clock.advance(3_600_000)
    expect(await statuses(4)).toEqual([200, 200, 200, 429])
  })

  test('wrong scopes count as requests too', async () => {
    const front = await setup()
    const { headers } = await addToken(front, { scopes: ['read'], limits: { ...noLimits, requestsPerMinute: 1 } })
    expect(await codeOf(front.post('/v1/predictions', {}, headers))).toBe('scope_missing')
    expect(await codeOf(front.post('/v1/predictions', {}, headers))).toBe('too_many_requests')
  })

  test('the engine hears whose prediction it is and what its owner may have; its refusals keep their status', async () => {
    const asked: CreateRequest[] = []
    const failures = [
      { failure: createFailure('rate_limited', 'Too many.', { retryAfterMs: 5_000 }), status: 429 },
      { failure: createFailure('budget_exceeded', 'Too dear.'), status: 402 },
    ]
    const plain = await setup()
    const front: TestFront = await setup({
      engine: {
        ...plain.deps.engine,
        create(request) {
          asked.push(request)
          const { failure, status } = failures[asked.length - 1] ?? {
            failure: createFailure('internal', '?'),
            status: 500,
          }
          return Promise.reject(new SurefootError(failure, { status }))
        },
      },
    })
    const limits = { ...noLimits, concurrency: 2, budgetPerDay: 5 }
    const { id, headers } = await addToken(front, { limits })
    const body = { version: 'acme/sketch', input: { image: 'https://example.com/photo.png' } }
    const answers = [
      await front.post('/v1/predictions', body, headers),
      await front.post('/v1/predictions', body, headers),
    ]
    expect(answers.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual([
      [429, '5'],
      [402, null],
    ])
    expect(asked).toMatchObject([
      { owner: id, limits },
      { owner: id, limits },
    ])
  })
})

describe('tokens over HTTP', () => {
  test('one with the scope admin makes, lists and revokes others; a secret is told once and stored nowhere', async () => {
    const front = await setup()
    const admin = await addToken(front, { scopes: ['admin'] })
    const made = await front.post('/v1/tokens', { name: 'Bob', expires_in: 60, concurrency: 2 }, admin.headers)
    const { secret, ...view } = (await made.json()) as { secret: string; id: string }
    expect([made.status, view]).toMatchObject([
      201,
      { name: 'Bob', scopes: ['predict', 'read'], state: 'good', concurrency: 2, budget_per_day: null },
    ])
    expect((await front.send('/v1/models', { headers: { authorization: `Token ${secret}` } })).status).toBe(200)
    const listed = await (await front.send('/v1/tokens', { headers: admin.headers })).text()
    expect(listed).toContain(view.id)
    const stored = JSON.stringify(await front.store.listTokens())
    for (const text of [listed, stored]) expect(text).not.toContain(secret.split('_').at(-1))
    const revoke = () => front.send(`/v1/tokens/${view.id}`, { method: 'DELETE', headers: admin.headers })
    expect([(await revoke()).status, (await revoke()).status]).toEqual([204, 404])
    expect(await codeOf(front.send('/v1/models', { headers: { authorization: `Token ${secret}` } }))).toBe(
      'token_revoked',
    )
  })

  test.each([
    { name: '' },
    { name: 'x', scopes: [] },
    { name: 'x', scopes: ['root'] },
    { name: 'x', expires_in: 0 },
    { name: 'x', expires_in: -1 },
    { name: 'x', concurrency: 0 },
    { name: 'x', budget_per_day: -1 },
    { name: 'x', budget: 5 },
    { scopes: ['read'] },
  ])('refuses %j', async body => {
    const front = await setup()
    const { headers } = await addToken(front, { scopes: ['admin'] })
    expect(await codeOf(front.post('/v1/tokens', body, headers))).toBe('input_invalid')
  })

  test('while there is none, only the owner of the data folder makes the first', async () => {
    const ownerSecret = mintOwnerSecret()
    const front = await setup({ access: { tokensRequired: false, ownerSecret } })
    expect(await codeOf(front.post('/v1/tokens', { name: 'Eve', scopes: ['admin'] }))).toBe('token_missing')
    const headers = { authorization: `Bearer ${ownerSecret}` }
    expect((await front.post('/v1/tokens', { name: 'Ann' }, headers)).status).toBe(201)
    expect(await codeOf(front.send('/v1/models'))).toBe('token_missing')
    expect(await codeOf(front.send('/v1/models', { headers }))).toBe('ok')
  })
})
