import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSurefoot, type HandlerOptions } from '../surefoot.ts'
import type { PredictionJson } from './shapes.ts'

const photo = readFileSync(fileURLToPath(new URL('../../examples/photos/rocket.jpg', import.meta.url)))
const origin = 'https://app.example'
const base = `${origin}/api/surefoot`

/** An app whose people say who they are in a header, with Surefoot at `/api/surefoot`. */
function setup({ config, ...options }: Partial<HandlerOptions> & { readonly config?: string } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-mount-'))
  if (config !== undefined) writeFileSync(join(directory, 'surefoot.config.mjs'), `export default ${config}`)
  const surefoot = createSurefoot({ directory, log: () => {} })
  onTestFinished(async () => {
    await surefoot.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const handle = surefoot.handler({
    authorize: request => {
      const user = request.headers.get('x-user')
      return user === null ? null : { user }
    },
    ...options,
  })

  function ask(path: string, { user, ...init }: RequestInit & { readonly user?: string } = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (user !== undefined) headers.set('x-user', user)
    // As behind a proxy: the address is an inner one, the headers say which one was asked for.
    headers.set('x-forwarded-host', 'app.example')
    headers.set('x-forwarded-proto', 'https')
    return handle(new Request(`http://127.0.0.1:3000/api/surefoot${path}`, { ...init, headers }))
  }

  async function create(user: string): Promise<PredictionJson> {
    const body = new FormData()
    body.set('image', new File([photo], 'rocket.jpg', { type: 'image/jpeg' }))
    const response = await ask('/v1/models/surefoot/relief/predictions', { user, method: 'POST', body })
    expect(response.status).toBe(201)
    return (await response.json()) as PredictionJson
  }

  return { surefoot, ask, create, handle }
}

describe('an app that mounts Surefoot', () => {
  it('lets in whom its sign-in names, and each sees only what is its own', async () => {
    const { ask, create, surefoot } = setup()
    const { id } = await create('ada')
    expect((await ask(`/v1/predictions/${id}`, { user: 'ada' })).status).toBe(200)
    expect((await ask(`/v1/predictions/${id}`, { user: 'bob' })).status).toBe(404)
    expect(await (await ask('/v1/predictions', { user: 'bob' })).json()).toMatchObject({ results: [] })
    expect(await surefoot.get(id)).toBeNull()
    expect(await surefoot.as({ user: 'ada' }).get(id)).toMatchObject({ id })
  })

  it('is closed to everybody else, and without a sign-in to everybody', async () => {
    const { ask } = setup()
    const refused = await ask('/v1/predictions')
    expect([refused.status, (await refused.json()) as unknown]).toEqual([
      401,
      expect.objectContaining({ code: 'token_missing' }),
    ])
    const { handle } = setup({ authorize: undefined as never })
    expect((await handle(new Request(`${base}/v1/predictions`, { headers: { 'x-user': 'ada' } }))).status).toBe(401)
    expect((await handle(new Request(`${base}/v1/tokens`, { headers: { 'x-user': 'ada' } }))).status).toBe(401)
  })

  it("answers with the sign-in's own answer where it has one", async () => {
    const { ask } = setup({ authorize: () => Response.redirect('https://app.example/sign-in', 302) })
    const answer = await ask('/v1/predictions', { user: 'ada' })
    expect([answer.status, answer.headers.get('location')]).toEqual([302, 'https://app.example/sign-in'])
  })

  it('gives users no more than they may: no tokens, no migrations, and their limits', async () => {
    const { ask } = setup({ authorize: () => ({ user: 'ada', limits: { requestsPerMinute: 2 } }) })
    expect((await ask('/v1/tokens')).status).toBe(403)
    expect((await ask('/v1/migrations')).status).toBe(403)
    expect((await ask('/v1/predictions')).status).toBe(429)
  })

  it("has links on the app's own address, and they lead to the bytes without any sign-in", async () => {
    const { ask, create, surefoot } = setup()
    const { id, urls } = await create('ada')
    expect(urls.get).toBe(`${base}/v1/predictions/${id}`)
    await surefoot.as({ user: 'ada' }).wait(id)
    const { output } = (await (await ask(`/v1/predictions/${id}`, { user: 'ada' })).json()) as PredictionJson
    expect(String(output)).toMatch(/^https:\/\/app\.example\/api\/surefoot\/v1\/outputs\//)
    const bytes = await ask(String(output).slice(base.length), { headers: { range: 'bytes=0-2' } })
    expect([bytes.status, await bytes.text()]).toEqual([206, 'ply'])
  })

  it('streams events until the prediction ends', async () => {
    const { ask, create } = setup()
    const { id } = await create('ada')
    const events = await (await ask(`/v1/predictions/${id}/events`, { user: 'ada' })).text()
    expect(events).toContain('"status":"succeeded"')
    expect(events).toMatch(/event: done\ndata: \{\}\n\n$/)
  })

  it("takes what a browser says comes from another site's page for what it is", async () => {
    const { ask } = setup()
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    const refused = await ask('/v1/predictions', { user: 'ada', method: 'POST', headers, body: '{}' })
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'origin_refused'])
    const same = { 'sec-fetch-site': 'same-origin', origin }
    expect((await ask('/v1/predictions', { user: 'ada', headers: same })).status).toBe(200)
  })

  it("lets pages of named origins in by a token only, whoever's cookies come along", async () => {
    const { ask } = setup({ config: '{ corsOrigins: ["https://partner.example"] }' })
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://partner.example' }
    const refused = await ask('/v1/predictions', { user: 'ada', headers })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
      401,
      'https://partner.example',
    ])
    const preflight = { ...headers, 'access-control-request-method': 'GET' }
    expect((await ask('/v1/predictions', { method: 'OPTIONS', headers: preflight })).ok).toBe(true)
  })

  it('opens again after it was closed', async () => {
    const { ask, surefoot } = setup()
    expect((await ask('/v1/predictions', { user: 'ada' })).status).toBe(200)
    await surefoot.close()
    expect((await ask('/v1/predictions', { user: 'ada' })).status).toBe(200)
  })

  it('is below a base that is named with a slash at its end', async () => {
    const { handle } = setup({ base: '/api/surefoot/' })
    const request = new Request(`${base}/v1/predictions`, { headers: { 'x-user': 'ada' } })
    expect((await handle(request)).status).toBe(200)
  })

  it('is not anywhere else', async () => {
    const { handle } = setup()
    for (const path of ['/api/surefootv1/predictions', '/v1/predictions', '/api/surefoot/../v1/predictions'])
      expect((await handle(new Request(origin + path, { headers: { 'x-user': 'ada' } }))).status).toBe(404)
  })

  it('has no tick without a secret', async () => {
    const { ask } = setup()
    expect((await ask('/tick', { method: 'POST', user: 'ada' })).status).toBe(403)
  })
})

describe('the values of one user', () => {
  it('are within its scopes and as fast as it may be, whatever way it came', async () => {
    const { surefoot, ask } = setup({ authorize: () => ({ user: 'eve', limits: { requestsPerMinute: 2 } }) })
    const reader = surefoot.as({ user: 'ada', scopes: ['read'] })
    expect(await reader.list()).toEqual([])
    await expect(reader.create({ files: { image: photo } })).rejects.toMatchObject({ status: 403 })
    const eve = surefoot.as({ user: 'eve', limits: { requestsPerMinute: 2 } })
    await eve.list()
    expect((await ask('/v1/predictions')).status).toBe(200)
    await expect(eve.list()).rejects.toMatchObject({ status: 429, failure: { code: 'rate_limited' } })
    expect((await ask('/v1/predictions')).status).toBe(429)
  })
})
