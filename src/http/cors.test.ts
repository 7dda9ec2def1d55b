import { describe, expect, test } from 'vitest'
import { createLinks } from './links.ts'
import { hostsOf } from './safety.ts'
import { origin, png, setup } from './test-support.ts'
import { addToken } from './test-tokens.ts'

const app = 'https://app.example'
/** What a browser sends with a request of a page of the app. */
const page = { origin: app, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }
const preflight = {
  ...page,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'authorization',
}

const shared = (headers: Headers) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'))

describe('pages of an origin that the config names', () => {
  test('are told by the preflight what they may send, without a token, and never with cookies', async () => {
    const front = await setup({ corsOrigins: [app] })
    await addToken(front)
    const answer = await front.send('/v1/predictions', { method: 'OPTIONS', headers: preflight })
    expect([answer.status, await answer.text()]).toEqual([204, ''])
    expect(shared(answer.headers)).toEqual({
      'access-control-allow-origin': app,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
      'access-control-allow-headers':
        'authorization, content-type, prefer, cancel-after, idempotency-key, last-event-id, x-request-id',
      'access-control-expose-headers': 'x-request-id, retry-after, allow, www-authenticate',
      'access-control-max-age': '600',
      vary: 'Origin',
    })
  })

  test('read answers and errors, with their token and its scope like everybody', async () => {
    const front = await setup({ corsOrigins: ['https://other.example', app] })
    const { headers } = await addToken(front, { scopes: ['read'] })
    const ask = async (path: string, more: object, method = 'GET') => {
      const answer = await front.send(path, { method, headers: { ...page, ...more } })
      expect(shared(answer.headers)).toEqual({
        'access-control-allow-origin': app,
        'access-control-expose-headers': 'x-request-id, retry-after, allow, www-authenticate',
        vary: 'Origin',
      })
      return answer.status
    }
    expect(await ask('/v1/predictions', headers)).toBe(200)
    expect(await ask('/v1/predictions', {})).toBe(401)
    expect(await ask('/v1/predictions/none', headers)).toBe(404)
    expect(await ask('/v1/predictions', headers, 'POST')).toBe(403)
    expect(await ask('/v1/nothing', headers)).toBe(404)
    expect(await ask('/v1/predictions', headers, 'OPTIONS')).toBe(405)
  })

  test('gain nothing at uploads and webhooks, which no page calls, nor at a host that is not ours', async () => {
    const { send } = await setup({ corsOrigins: [app], allowedHosts: hostsOf(8787, null) })
    const codeOf = async (path: string, method: string, headers: object = page) =>
      ((await (await send(path, { method, headers: { ...headers } })).json()) as { code: string }).code
    expect(await codeOf('/v1/uploads/a1/scene.ply', 'PUT')).toBe('origin_refused')
    expect(await codeOf('/v1/uploads/a1/scene.ply', 'OPTIONS', preflight)).toBe('origin_refused')
    expect(await codeOf('/v1/webhooks/replicate/a1/good', 'POST')).toBe('origin_refused')
    expect(await codeOf('/v1/models', 'GET', { ...page, host: 'rebound.example' })).toBe('host_refused')
    expect(await codeOf('/v1/models', 'OPTIONS', { ...preflight, host: 'rebound.example' })).toBe('host_refused')
  })
})

describe('every other page stays out', () => {
  test.each([
    'https://evil.example',
    'null',
    '',
    '*',
    'http://app.example',
    'https://app.example:8443',
    'https://app.example.',
    'https://app.example/',
    'https://APP.example',
    'https://sub.app.example',
    'https://app.example.evil.example',
    'https://evil.example/https://app.example',
    'https://evil.example, https://app.example',
    'https://app.example https://evil.example',
    'https://app-example',
    'https://xapp.example',
  ])('%j', async other => {
    const front = await setup({ corsOrigins: [app] })
    const { headers } = await addToken(front)
    for (const method of ['GET', 'OPTIONS']) {
      const answer = await front.send('/v1/predictions', {
        method,
        headers: { ...preflight, ...headers, origin: other },
      })
      expect(answer.status).toBe(403)
      expect(await answer.json()).toMatchObject({ code: 'origin_refused' })
      expect(shared(answer.headers)).toEqual({})
    }
  })

  test('without any in the config, all', async () => {
    const { send } = await setup()
    const answer = await send('/v1/predictions', { method: 'OPTIONS', headers: preflight })
    expect([answer.status, shared(answer.headers)]).toEqual([403, {}])
  })
})

test.each([[[]], [[app]]])('signed links are open to all pages, whatever the config names (%j)', async corsOrigins => {
  const front = await setup({ corsOrigins })
  const form = new FormData()
  form.set('content', new File([png], 'photo.png', { type: 'image/png' }))
  const { id } = (await (await front.send('/v1/files', { method: 'POST', body: form })).json()) as { id: string }
  const row = (await front.store.getFile(id)) ?? expect.fail('no file')
  for (const from of [app, 'https://evil.example']) {
    const answer = await front.send(createLinks(front.deps, origin).download(row), {
      headers: { ...page, origin: from },
    })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
    expect(answer.headers.has('access-control-allow-credentials')).toBe(false)
  }
})
