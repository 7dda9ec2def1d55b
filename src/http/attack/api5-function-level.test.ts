import { expect, test } from 'vitest'
import { accessByRoute, scopeFor } from '../access.ts'
import { setup } from '../test-support.ts'
import { addToken, fill, readRoutes } from '../test-tokens.ts'

/**
 * OWASP API5:2023 and API9:2023, function level authorization and inventory. Every route with every scope:
 * `door.test.ts`. Here: that the table, the document and the routes are the same, and that no other method gets past.
 */
const routes = Object.entries(accessByRoute).map(([route, access]) => {
  const [method = '', path = ''] = route.split(' ')
  return { method, path, access, scope: scopeFor(access) }
})

test('the document names every route of the table with its scope, and none besides', async () => {
  const named = (await readRoutes(await setup())).map(({ method, path, scope }) => `${method} ${path} ${scope}`)
  const own = routes.map(({ method, path, scope }) => `${method} ${path} ${scope}`)
  // The document does not name itself.
  expect(named.toSorted()).toEqual(own.filter(route => !route.startsWith('GET /openapi.json')).toSorted())
})

test('without a token, and with one of no scope, every route that needs one is closed, by HEAD too', async () => {
  const front = await setup({ access: { tokensRequired: true } })
  const nothing = await addToken(front, { scopes: [] })
  for (const { method, path, scope } of routes) {
    if (scope === null) continue
    for (const way of method === 'GET' ? ['GET', 'HEAD'] : [method]) {
      const ask = async (headers: object) =>
        (await front.send(fill(path), { method: way, headers: { ...headers } })).status
      expect([way, path, await ask({}), await ask(nothing.headers)]).toEqual([way, path, 401, 403])
    }
  }
})

test('no other method does what a route does, whatever headers ask for another', async () => {
  const front = await setup()
  const paths = new Set(routes.map(({ path }) => path))
  for (const path of paths) {
    const known = routes.filter(route => route.path === path).map(({ method }) => method)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY', 'get']) {
      if (known.includes(method.toUpperCase())) continue
      const headers = { 'x-http-method-override': 'GET', 'x-method-override': 'DELETE', 'x-original-url': '/v1/tokens' }
      const { status } = await front.send(fill(path), { method, headers })
      expect([method, path, status]).toEqual([method, path, expect.toSatisfy(is => is === 404 || is === 405)])
    }
  }
})

test.each([
  '/V1/predictions',
  '/v1/predictions/',
  '//v1/predictions',
  '/v1//predictions',
  '/v1/predictions%2f',
  '/v1/predictions;a=b',
  '/v1/predictions.json',
  '/v1/%70redictions%00',
  '/v1/models/../../admin',
  '/v2/predictions',
  '/debug',
  '/.env',
  '/.git/config',
  '/server-status',
  '/actuator/health',
])('%s is no way round the table', async path => {
  const front = await setup({ access: { tokensRequired: true } })
  const { headers } = await addToken(front)
  expect((await front.send(`http://127.0.0.1:8787${path}`)).status).toBe(401)
  expect((await front.send(`http://127.0.0.1:8787${path}`, { headers })).status).toBe(404)
})
