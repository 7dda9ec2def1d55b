import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { noLimits } from '../core/token.ts'
import { createSigner } from '../files/signing.ts'
import { createApp } from './app.ts'
import { createLinks } from './links.ts'
import { listen } from './node.ts'
import { mintOwnerSecret } from './secrets.ts'
import { origin, png, setup, type TestFront } from './test-support.ts'
import { addToken, fill, readRoutes } from './test-tokens.ts'

type Headers = Readonly<Record<string, string>>

/** Two callers on one front; Ann has a file and a prediction of it that has an output. */
async function setupTwo(over: Parameters<typeof setup>[0] = {}) {
  const front = await setup(over)
  const [ann, bob, admin] = [
    await addToken(front),
    await addToken(front),
    await addToken(front, { scopes: ['predict', 'read', 'admin'] }),
  ]
  const file = (await (await upload(front, ann.headers)).json()) as { id: string; urls: { get: string } }
  const made = await front.post(
    '/v1/predictions',
    { version: 'acme/sketch', input: { image: file.urls.get } },
    ann.headers,
  )
  const { id } = (await made.json()) as { id: string }
  const output = {
    key: 'out',
    name: 'scene.ply',
    mediaType: 'application/octet-stream',
    bytes: 3,
    sha256: '0'.repeat(64),
  }
  await front.change(id, { output: { ...output, facts: {} } })
  return { front, ann, bob, admin, file, id }
}

async function upload({ send }: Pick<TestFront, 'send'>, headers: Headers): Promise<Response> {
  const form = new FormData()
  form.set('content', new File([png], 'photo.png', { type: 'image/png' }))
  return await send('/v1/files', { method: 'POST', body: form, headers })
}

/** Status, headers that say something, and body, with what differs from request to request taken out. */
async function tell(response: Response, id: string): Promise<object> {
  const headers = Object.fromEntries(response.headers)
  delete headers['x-request-id']
  const text = await response.text()
  const body = text.replaceAll(id, 'ID').replace(/"request_id":"[^"]*"/, '')
  return { status: response.status, headers, body }
}

describe("another's things", () => {
  test('answer at every route as what is not there, and stay as they are', async () => {
    const { front, bob, file, id } = await setupTwo()
    const before = JSON.stringify([await front.store.get(id), await front.store.getFile(file.id)])
    const routes = (await readRoutes(front, bob.headers)).filter(({ path }) =>
      /\/(predictions|files)\/\{id\}/.test(path),
    )
    const asked: string[] = []
    for (const { method, path, scope } of routes) {
      if (scope === null) continue
      asked.push(`${method} ${path}`)
      const [own, strange] = path.startsWith('/v1/files') ? [file.id, 'fileX'] : [id, 'predictionX']
      const answer = async (target: string) =>
        await tell(await front.send(fill(path, { id: target }), { method, headers: bob.headers }), target)
      expect([path, await answer(own)]).toEqual([path, await answer(strange)])
      expect(await answer(own)).toMatchObject({ status: 404 })
    }
    expect(asked).toEqual(
      expect.arrayContaining([
        'DELETE /v1/files/{id}',
        'GET /v1/files/{id}',
        'GET /v1/predictions/{id}',
        'GET /v1/predictions/{id}/attempts',
        'GET /v1/predictions/{id}/events',
        'POST /v1/predictions/{id}/cancel',
      ]),
    )
    expect(JSON.stringify([await front.store.get(id), await front.store.getFile(file.id)])).toBe(before)
  })

  test('are in no list, of no page, and cannot be asked for by their owner', async () => {
    const { front, ann, bob, file, id } = await setupTwo()
    const read = async (path: string) => await (await front.send(path, { headers: bob.headers })).text()
    for (const path of ['/v1/predictions', '/v1/files'])
      expect(JSON.parse(await read(path))).toMatchObject({ results: [] })
    for (const owner of [ann.id, 'all', 'local', `shadow:acme/sketch`])
      expect(JSON.parse(await read(`/v1/predictions?owner=${owner}`))).toMatchObject({ code: 'scope_missing' })
    const cursors = [file.id, 'fileX'].map(async cursor =>
      (await read(`/v1/files?cursor=${cursor}`)).replace(/"request_id.*/, ''),
    )
    expect(await cursors[0]).toBe(await cursors[1])
    expect(await read('/v1/predictions')).not.toContain(id)
  })

  test('are no input of a prediction', async () => {
    const { front, bob, file } = await setupTwo()
    const create = async (image: string) => {
      const response = await front.post('/v1/predictions', { version: 'acme/sketch', input: { image } }, bob.headers)
      return await tell(response, image.split('/').at(-1) ?? '')
    }
    expect(await create(file.urls.get)).toMatchObject({ status: 422 })
    expect(await create(file.urls.get)).toEqual(await create(`${origin}/v1/files/fileX`))
  })

  test('with the scope admin are seen and cancelled by their id, listed where that is asked for, and say whose they are', async () => {
    const { front, ann, admin, file, id } = await setupTwo()
    const get = async (path: string) => (await (await front.send(path, { headers: admin.headers })).json()) as object
    expect(await get('/v1/predictions')).toMatchObject({ results: [] })
    for (const owner of ['all', ann.id])
      expect(await get(`/v1/predictions?owner=${owner}`)).toMatchObject({
        results: [{ id, surefoot: { owner: ann.id } }],
      })
    expect(await get(`/v1/files/${file.id}`)).toMatchObject({ id: file.id })
    const canceled = await front.send(`/v1/predictions/${id}/cancel`, { method: 'POST', headers: admin.headers })
    expect(await canceled.json()).toMatchObject({ status: 'canceled' })
  })

  test('have webhooks that are signed by a key of their own', async () => {
    const { front, ann, bob } = await setupTwo()
    const key = async (headers: Headers) =>
      ((await (await front.send('/v1/webhooks/default/secret', { headers })).json()) as { key: string }).key
    expect(await key(ann.headers)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(await key(ann.headers)).not.toBe(await key(bob.headers))
    expect(await key(ann.headers)).toBe(await key(ann.headers))
  })
})

describe('addresses of files', () => {
  test('need no token, hold for the name, the id and the time that they were made for, and for nothing else', async () => {
    const { front, ann, id } = await setupTwo()
    const got = (await (await front.send(`/v1/predictions/${id}`, { headers: ann.headers })).json()) as {
      output: string
    }
    const link = new URL(got.output)
    const ask = async (change: (url: URL) => void) => {
      const url = new URL(link)
      change(url)
      const response = await front.send(url.href)
      const { code } = (await response.json()) as { code: string }
      return response.status === 403 ? code : response.status
    }
    // Signed, and only then found to be gone: the test stored no bytes.
    expect(await ask(() => {})).toBe(404)
    expect(await ask(url => url.searchParams.set('expiry', String(Number(url.searchParams.get('expiry')) + 1)))).toBe(
      'link_forged',
    )
    expect(await ask(url => url.searchParams.set('signature', 'A'.repeat(43)))).toBe('link_forged')
    expect(await ask(url => url.searchParams.set('signature', ''))).toBe('link_forged')
    expect(await ask(url => (url.pathname = url.pathname.replace(id, 'predictionX')))).toBe('link_forged')
    expect(await ask(url => (url.pathname = url.pathname.replace('scene.ply', 'scene.sog')))).toBe('link_forged')
    expect(await ask(url => url.searchParams.delete('signature'))).toBe(422)
    await front.clock.advance(2 * 3_600_000)
    expect(await ask(() => {})).toBe('link_expired')
  })

  test('of one kind are not good for another, nor is what another secret signed', async () => {
    const { front, file } = await setupTwo()
    const row = (await front.store.getFile(file.id)) ?? expect.fail('no file')
    const good = new URL(createLinks(front.deps, origin).download(row))
    const asOutput = `/v1/outputs/${row.owner}/${row.id}${good.search}`
    const elsewhere = createLinks({ ...front.deps, signer: createSigner('some other secret!') }, origin).download(row)
    const otherOwner = good.href.replace(row.owner, 'nobody')
    const response = await front.send(good.href)
    expect([response.status, (await response.bytes()).length]).toEqual([200, png.length])
    for (const link of [asOutput, elsewhere, otherOwner])
      expect(await (await front.send(link)).json()).toMatchObject({ status: 403, code: 'link_forged' })
  })
})

describe('every answer', () => {
  const cases: readonly [number, string, string, RequestInit][] = [
    [400, 'POST', '/v1/predictions', { body: '{', headers: { 'content-type': 'application/json' } }],
    [401, 'GET', '/v1/predictions', { headers: { authorization: 'Bearer x' } }],
    [403, 'GET', '/v1/migrations', {}],
    [404, 'GET', '/v1/nothing', {}],
    [404, 'GET', '/v1/predictions/none', {}],
    [405, 'PATCH', '/v1/predictions', {}],
    [413, 'POST', '/v1/predictions', { headers: { 'content-type': 'application/json', 'content-length': '99000000' } }],
    [415, 'POST', '/v1/predictions', { body: 'x', headers: { 'content-type': 'text/plain' } }],
    [422, 'GET', '/v1/predictions?created_after=yesterday', {}],
  ]

  test.each(cases)(
    'of status %i to %s %s has one shape, and what keeps browsers from misusing it',
    async (status, method, path, init) => {
      const { front, ann } = await setupTwo()
      const headers = { ...ann.headers, ...(init.headers as Headers) }
      const response = await front.send(path, { ...init, method, headers })
      expect(response.status).toBe(status)
      expect(await response.json()).toEqual({
        detail: expect.stringMatching(/\.$/),
        status,
        code: expect.stringMatching(/^[a-z_]+$/),
        request_id: response.headers.get('x-request-id'),
      })
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
      })
      expect(response.headers.has('access-control-allow-origin')).toBe(false)
    },
  )

  test.each([
    ['from-proxy.42_x', true],
    ['a'.repeat(64), true],
    ['a'.repeat(65), false],
    ['x" onload="y', false],
    ['{"level":"error"}', false],
    ['', false],
  ])('has the id that the request came with, where it can stand in a log: %s', async (given, isTaken) => {
    const { front, bob } = await setupTwo()
    const response = await front.send('/v1/predictions', { headers: { ...bob.headers, 'x-request-id': given } })
    expect(response.headers.get('x-request-id') === given).toBe(isTaken)
    expect(front.logged.some(line => line.includes(`"requestId":${JSON.stringify(given)}`))).toBe(isTaken)
  })
})

describe('on the wire', () => {
  async function serve() {
    const { front, ann } = await setupTwo()
    const server = await listen({
      port: 0,
      host: '0.0.0.0',
      publicUrl: null,
      tokensRequired: true,
      app: address => createApp({ ...front.deps, ...address, access: { tokensRequired: true } }),
    })
    onTestFinished(() => server.close(0))
    return { ...server, ann }
  }

  /** What comes back on a plain socket. */
  async function speak(port: number, text: string): Promise<string> {
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('utf8')
    socket.write(text)
    let answer = ''
    socket.on('error', () => {})
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    await new Promise<void>(resolve => socket.once('close', () => resolve()))
    return answer
  }

  test('headers beyond 16 kB, and what is no HTTP, get the same shape of answer', async () => {
    const { port } = await serve()
    const huge = await speak(
      port,
      `GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${'a'.repeat(20_000)}\r\n\r\n`,
    )
    expect(huge).toMatch(/^HTTP\/1\.1 431 /)
    const broken = await speak(port, 'HELLO\r\n\r\n')
    expect(broken).toMatch(/^HTTP\/1\.1 400 /)
    for (const [answer, status] of [
      [huge, 431],
      [broken, 400],
    ] as const) {
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      expect(JSON.parse(body)).toMatchObject({ status, request_id: /x-request-id: (\S+)/.exec(head)?.[1] })
      expect(head).toContain('x-content-type-options: nosniff')
    }
  })

  test('of two Authorization headers neither can smuggle the other in', async () => {
    const { port, ann } = await serve()
    const status = (values: readonly string[]) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = values.flatMap(value => ['Authorization', value])
        httpRequest({ port, path: '/v1/models', headers: ['Host', 'x', ...headers] }, answer => {
          answer.resume()
          resolve(answer.statusCode)
        })
          .on('error', reject)
          .end()
      })
    expect(await status([ann.headers.authorization])).toBe(200)
    expect(await status(['Bearer wrong', ann.headers.authorization])).toBe(401)
  })
})

test('a whole run writes no secret and no signature into the log', async () => {
  const ownerSecret = mintOwnerSecret()
  const { front, ann, bob, admin, id } = await setupTwo({ access: { tokensRequired: true, ownerSecret } })
  const { send, post, logged } = front
  const secrets = [ann.secret, bob.secret, admin.secret, ownerSecret]
  const limited = await addToken(front, { limits: { ...noLimits, requestsPerMinute: 1 } })
  const made = (await (
    await post('/v1/tokens', { name: 'Eve' }, { authorization: `Bearer ${ownerSecret}` })
  ).json()) as {
    secret: string
  }
  secrets.push(limited.secret, made.secret)
  const got = (await (await send(`/v1/predictions/${id}`, { headers: ann.headers })).json()) as {
    output: string
    input: { image: string }
  }
  const links = [got.output, got.input.image]
  const uploadLink = `/v1/uploads/a1/scene.ply?expires=9999999999&signature=${front.deps.signer.sign(['upload', 'a1', 'scene.ply'], 9999999999 * 1000)}`
  const { key } = (await (await send('/v1/webhooks/default/secret', { headers: ann.headers })).json()) as {
    key: string
  }
  secrets.push(key)
  for (const link of [...links, ...links.map(link => link.replace('signature=', 'signature=x'))])
    await (await send(link)).bytes()
  await send(uploadLink, { method: 'PUT', body: 'ply' })
  await send('/v1/webhooks/replicate/a1/very-secret-marker', { method: 'POST', body: 'x' })
  for (const headers of [limited.headers, limited.headers, { authorization: `Bearer ${bob.secret}x` }])
    for (const path of ['/v1/predictions', `/v1/predictions/${bob.secret}`, `/v1/models?token=${bob.secret}`])
      await send(path, { headers })
  front.deps.store.findToken = () => Promise.reject(new Error('the database is away'))
  expect((await send('/v1/models', { headers: bob.headers })).status).toBe(500)

  const log = logged.join('\n')
  expect(logged.length).toBeGreaterThan(20)
  expect(log).toContain('the database is away')
  const signatures = [...links, uploadLink].map(link => new URL(link, origin).searchParams.get('signature') ?? '?')
  for (const secret of [...secrets, ...signatures, 'very-secret-marker']) expect(log).not.toContain(secret)
})
