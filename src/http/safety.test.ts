import { describe, expect, test } from 'vitest'
import { hostsOf } from './safety.ts'
import { origin, setup } from './test-support.ts'

describe('Host', () => {
  test.each([
    ['127.0.0.1:8787', 200],
    ['localhost:8787', 200],
    ['LOCALHOST:8787', 200],
    ['[::1]:8787', 200],
    ['gateway.example', 403],
    ['127.0.0.1', 403],
    ['127.0.0.1:9999', 403],
    ['127.0.0.1.evil.example:8787', 403],
    ['evil.example:8787', 403],
    ['evil.example', 403],
    ['0.0.0.0:8787', 403],
    ['', 403],
  ])('%s gets %i', async (host, status) => {
    const publicUrl = 'https://gateway.example'
    const { send } = await setup({ publicUrl, allowedHosts: hostsOf(8787, publicUrl) })
    const response = await send('/v1/models', { headers: { host } })
    expect(response.status).toBe(status)
    if (status === 403) expect(await response.json()).toMatchObject({ code: 'host_refused' })
  })

  test('a whole URL in the request line counts as well as the header', async () => {
    const { send } = await setup()
    const response = await send('http://evil.example/v1/models', { headers: { host: '127.0.0.1:8787' } })
    expect(response.status).toBe(403)
  })

  test.each([
    ['GET /v1/predictions', 403],
    ['POST /v1/predictions', 403],
    ['GET /v1/files/f1', 403],
    ['GET /', 403],
    ['GET /openapi.json', 403],
    ['GET /v1/webhooks/default/secret', 403],
    ['GET /v1/files/f1/download', 422],
    ['GET /v1/inputs/photo.png', 422],
    ['GET /v1/outputs/p1/scene.ply', 422],
    ['PUT /v1/uploads/a1/scene.ply', 422],
    ['POST /v1/webhooks/replicate/a1/bad', 401],
  ])('under the public base URL only addresses with their own permission are served: %s', async (call, status) => {
    const publicUrl = 'https://gateway.example'
    const { send } = await setup({ publicUrl, allowedHosts: hostsOf(8787, publicUrl) })
    const [method, path] = call.split(' ')
    const byHeader = await send(path ?? '', { method, headers: { host: 'gateway.example' } })
    const byUrl = await send(`http://gateway.example${path}`, { method, headers: { host: '127.0.0.1:8787' } })
    expect([byHeader.status, byUrl.status]).toEqual([status, status])
  })

  test('links begin with the origin that the caller used, or with the public one of a local proxy', async () => {
    const publicUrl = 'https://localhost:8443'
    const { send } = await setup({ publicUrl, allowedHosts: hostsOf(8787, publicUrl) })
    const models = async (base: string) =>
      (await (await send(`${base}/v1/models/acme/sketch`)).json()) as { url: string }
    expect((await models('http://localhost:8443')).url).toBe('https://localhost:8443/v1/models/acme/sketch')
    expect((await models('http://localhost:8787')).url).toBe('http://localhost:8787/v1/models/acme/sketch')
  })

  test('on port 80 the port may be left out', () => {
    expect(hostsOf(80, null)).toContain('localhost')
    expect(hostsOf(8787, null)).not.toContain('localhost')
  })
})

describe('pages of other sites', () => {
  const own = origin
  const cases: readonly [string, string, Record<string, string>, number][] = [
    ['a program', 'GET /v1/predictions', {}, 200],
    ['the Studio page', 'GET /v1/predictions', { 'sec-fetch-site': 'same-origin' }, 200],
    ['the Studio page, sending', 'POST /v1/predictions', { 'sec-fetch-site': 'same-origin', origin: own }, 415],
    ['an address typed by hand', 'GET /v1/predictions', { 'sec-fetch-site': 'none' }, 200],
    ['another site, reading', 'GET /v1/predictions', { 'sec-fetch-site': 'cross-site' }, 403],
    ['another site, after our key', 'GET /v1/webhooks/default/secret', { 'sec-fetch-site': 'cross-site' }, 403],
    [
      'another site, spending',
      'POST /v1/predictions',
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      403,
    ],
    [
      'another port of this machine',
      'POST /v1/predictions',
      { 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:3000' },
      403,
    ],
    ['an old browser with Origin only', 'POST /v1/predictions', { origin: 'https://evil.example' }, 403],
    ['a sandboxed frame', 'POST /v1/predictions', { origin: 'null' }, 403],
    ['our name, another scheme', 'POST /v1/predictions', { origin: 'https://127.0.0.1:8787' }, 403],
    ['a form that cancels', 'POST /v1/predictions/p1/cancel', { 'sec-fetch-site': 'cross-site', origin: 'null' }, 403],
    ['a deletion', 'DELETE /v1/files/f1', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403],
    [
      'an upload',
      'PUT /v1/uploads/a1/scene.ply',
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      403,
    ],
    [
      'a webhook',
      'POST /v1/webhooks/replicate/a1/good',
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      403,
    ],
    ['a preflight', 'OPTIONS /v1/predictions', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403],
    ['a link to the Studio', 'GET /', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 404],
    ['a link to an output without signature', 'GET /v1/outputs/p1/scene.ply', { 'sec-fetch-site': 'cross-site' }, 422],
    ['a path that only looks open', 'GET /v1/files/f1/download/x', { 'sec-fetch-site': 'cross-site' }, 403],
  ]

  test.each(['x-forwarded-for', 'x-forwarded-host', 'forwarded', 'via', 'x-real-ip', 'cf-connecting-ip'])(
    'behind a public base URL what came through a proxy (%s) is from outside, whatever host it names',
    async header => {
      const publicUrl = 'https://gateway.example'
      const { send } = await setup({ publicUrl, allowedHosts: hostsOf(8787, publicUrl) })
      const headers = { [header]: '203.0.113.9' }
      expect((await send('/v1/predictions', { headers })).status).toBe(403)
      expect((await send('/v1/outputs/p1/scene.ply', { headers })).status).toBe(422)
      expect((await send('/v1/predictions')).status).toBe(200)
    },
  )

  test.each(cases)('%s: %s', async (_, call, headers, status) => {
    const { send } = await setup()
    const [method = '', path = ''] = call.split(' ')
    const response = await send(path, { method, headers })
    expect(response.status).toBe(status)
    if (status === 403) expect(await response.json()).toMatchObject({ code: 'origin_refused' })
    expect(response.headers.has('access-control-allow-origin')).toBe(false)
  })
})

test.each(['/v1/models', '/', '/nothing', '/v1/predictions/none', '/v1/outputs/p/x'])(
  'answers on %s cannot be framed, sniffed, shared or guessed from referrers',
  async path => {
    const { send } = await setup()
    const { headers } = await send(path)
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'cross-origin-resource-policy': 'same-origin',
    })
  },
)
