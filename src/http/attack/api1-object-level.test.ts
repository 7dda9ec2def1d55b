import { describe, expect, test } from 'vitest'
import { sampleAttempt } from '../../testing/sample-records.ts'
import { accessByRoute } from '../access.ts'
import { createApp } from '../app.ts'
import { ownerOf } from '../door.ts'
import { createMount } from '../mount.ts'
import { toCursor } from '../paging.ts'
import { origin, png, setup } from '../test-support.ts'
import { addToken, fill } from '../test-tokens.ts'

/**
 * OWASP API1:2023, broken object level authorization: Ann's things, asked for by everybody else. The ids of every route
 * come from the table of routes, so that a new one is attacked as soon as it is there. That a stranger's answer is that of
 * what does not exist, and what `admin` sees: `attacks.test.ts`. Links: `tampered-links.test.ts`. Idempotency keys of two
 * owners: `engine/once.test.ts`. Deployments and models belong to nobody: whoever may predict may name any of them.
 */
const base = '/api/surefoot'
const user = { ann: { user: 'ann' }, bob: { user: 'bob' } }

/** A gateway with tokens, mounted in an app as well; Ann owns one of everything, both as a token and as the app's user. */
async function stage() {
  const front = await setup({ access: { tokensRequired: true } })
  const [ann, bob] = [await addToken(front), await addToken(front)]
  const mount = createMount(
    { app: createApp(front.deps), engine: front.deps.engine },
    { base, authorize: request => (request.headers.get('x-user') === 'bob' ? user.bob : null), tickSecret: null },
  )
  const attackers: Readonly<Record<string, (path: string, init?: RequestInit) => Promise<Response>>> = {
    'another token': (path, init = {}) =>
      front.send(path, { ...init, headers: { ...bob.headers, ...(init.headers as object) } }),
    'no token': (path, init) => front.send(path, init),
    'another user of the app': (path, init = {}) =>
      mount(
        new Request(`${origin}${base}${path}`, { ...init, headers: { 'x-user': 'bob', ...(init.headers as object) } }),
      ),
    'nobody in the app': (path, init) => mount(new Request(`${origin}${base}${path}`, init)),
    'a token that calls itself a user': (path, init = {}) =>
      front.send(path, { ...init, headers: { ...bob.headers, 'x-user': 'ann', ...(init.headers as object) } }),
  }

  const owners = { token: ann.id, user: ownerOf(user.ann) }
  const ids: Record<string, string[]> = { files: [], predictions: [], tokens: [ann.id], attempts: [] }
  for (const [kind, owner] of Object.entries(owners)) {
    const file = await front.deps.engine.addFile({
      ...{ owner, name: 'photo.png', mediaType: 'image/png', metadata: {}, maxBytes: 1_000 },
      ...{ body: new Blob([png]).stream(), signal: new AbortController().signal },
    })
    const place = await front.deps.engine.addPlace({
      ...{ owner, name: 'later.png', mediaType: 'image/png', metadata: {}, maxBytes: 9, bytes: 5 },
    })
    const output = { ...file, name: 'scene.ply', facts: {} }
    const attempts = [sampleAttempt({ id: `attempt_${kind}`, handle: 'h' })]
    const webhook = { url: 'https://ann.example/hook', events: ['completed' as const], queue: [] }
    const common = { attempts, webhook, output, files: { image: { ...file, facts: {} } } }
    await front.add({ id: `live${kind}`, owner, ...common, output: null })
    await front.add({ id: `ended${kind}`, owner, status: 'succeeded', completedAt: 2, ...common })
    await front.add({ id: `shadow${kind}`, owner: 'shadow:acme/sketch', shadowOf: `live${kind}`, ...common })
    ids.files?.push(file.id, place.id)
    ids.predictions?.push(`live${kind}`, `ended${kind}`, `shadow${kind}`)
    ids.attempts?.push(`attempt_${kind}`)
  }

  async function snapshot(): Promise<string> {
    const { store } = front
    const predictions = await store.list({ owner: null, limit: 100 })
    const files = await Promise.all(
      (ids.files ?? []).map(async id => (await store.getFile(id)) ?? store.getPendingFile(id)),
    )
    const rows = await Promise.all(Object.values(owners).map(owner => store.listFiles({ owner, limit: 100 })))
    return JSON.stringify([predictions, files, rows, await store.findToken(ann.id)])
  }
  return { front, ann, bob, attackers, ids, owners, snapshot }
}

/** What a parameter of a path names: things of owners, or what belongs to nobody. A new name must be put here. */
function namesOf(path: string, parameter: string): string | null {
  if (path.startsWith('/v1/models/') || path.startsWith('/v1/deployments/') || path.startsWith('/v1/migrations/'))
    return null
  if (parameter === 'prediction') return 'predictions'
  if (parameter === 'attempt') return 'attempts'
  if (parameter === 'id') return /^\/v1\/(\w+)\//.exec(path)?.[1] ?? null
  if (['name', 'provider', 'secret'].includes(parameter)) return null
  throw new Error(`Whose is the {${parameter}} of ${path}?`)
}

const routes = Object.keys(accessByRoute).flatMap(route => {
  const [method = '', path = ''] = route.split(' ')
  const found = [...path.matchAll(/\{(\w+)\}/g)].flatMap(([, parameter = '']) => {
    const kind = namesOf(path, parameter)
    return kind === null ? [] : [{ parameter, kind }]
  })
  return found.map(each => ({ method, path, ...each }))
})

const query = '?expiry=4102444800&expires=4102444800&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

describe.each([
  'another token',
  'no token',
  'another user of the app',
  'nobody in the app',
  'a token that calls itself a user',
])("Ann's things, asked for by %s", attacker => {
  test('are there at no route, by no id of hers, and stay as they are', async () => {
    const { attackers, ids, owners, snapshot } = await stage()
    const ask = attackers[attacker] ?? expect.fail()
    const before = await snapshot()
    const asked = new Set<string>()
    for (const { method, path, parameter, kind } of routes) {
      for (const id of ids[kind] ?? expect.fail(`nothing of hers is a ${kind}`)) {
        const values = { name: 'scene.ply', provider: 'replicate', secret: 'x', [parameter]: id }
        const owner = encodeURIComponent(owners.token)
        const target = `${fill(path, values)}${query}&owner=${owner}&key=files/${id}`
        const sent = method === 'GET' ? {} : { body: '{}', headers: { 'content-type': 'application/json' } }
        const answer = await ask(target, { method, ...sent })
        expect([method, path, id, answer.status]).toEqual([
          ...[method, path, id],
          expect.toSatisfy(status => [401, 403, 404].includes(status)),
        ])
        expect(await answer.text()).not.toMatch(/photo\.png|scene\.ply|ann\.example/)
        asked.add(`${method} ${path}`)
      }
    }
    expect(asked.size).toBeGreaterThan(12)
    expect(await snapshot()).toBe(before)
  })

  test('are in no list, behind no cursor of hers, and under no name of hers', async () => {
    const { front, attackers, ids, owners } = await stage()
    const ask = attackers[attacker] ?? expect.fail()
    const { record } = (await front.store.get('livetoken')) ?? expect.fail()
    const later = toCursor({ createdAt: record.createdAt + 1, id: 'zzz' })
    const names = [...Object.values(owners), 'all', 'local', 'user:ann', 'shadow:acme/sketch']
    const paths = [
      ...['/v1/predictions', '/v1/files', '/v1/webhooks', `/v1/predictions?cursor=${later}`],
      ...[
        `/v1/webhooks?cursor=${later}`,
        `/v1/files?cursor=zzz`,
        ...(ids.files ?? []).map(id => `/v1/files?cursor=${id}`),
      ],
      ...names.flatMap(name => [`/v1/predictions?owner=${name}`, `/v1/webhooks?owner=${name}`]),
    ]
    for (const path of paths) {
      const answer = await ask(path)
      const { results = [] } = (await answer.json()) as { results?: unknown[] }
      expect([path, results]).toEqual([path, []])
    }
  })

  test('are no input of a prediction, however they are named', async () => {
    const { front, attackers, ids, snapshot } = await stage()
    const ask = attackers[attacker] ?? expect.fail()
    const before = await snapshot()
    for (const id of [...(ids.files ?? []), ...(ids.predictions ?? [])])
      for (const image of [
        `${origin}/v1/files/${id}`,
        `${origin}${base}/v1/files/${id}`,
        `${origin}${base}/v1/files/${id}/`,
        `http://localhost:8787/v1/files/${id}?a=b`,
        `/v1/files/${id}`,
        `surefoot:${id}`,
      ]) {
        const form = new FormData()
        form.set('image', image)
        const json = { 'content-type': 'application/json' }
        const path = '/v1/models/acme/sketch/predictions'
        for (const init of [{ body: JSON.stringify({ input: { image } }), headers: json }, { body: form }]) {
          const answer = await ask(path, { method: 'POST', ...init })
          const text = await answer.text()
          // Elsewhere an address is an address: whoever fetches it has no token of Ann's.
          if (answer.status === 201) expect(JSON.parse(text).input).toEqual({ image, steps: 20 })
          else expect([image, answer.status]).toEqual([image, expect.toSatisfy(is => [401, 422].includes(is))])
          expect(text).not.toContain('signature')
        }
      }
    const left = JSON.parse(await snapshot())[0].filter(({ record }: { record: { owner: string } }) =>
      JSON.parse(before)[0].some((each: { record: { owner: string } }) => each.record.owner === record.owner),
    )
    expect(left).toEqual(JSON.parse(before)[0])
    expect(front.logged.join()).not.toContain('"level":"error"')
  })
})

test('Ann has all of them', async () => {
  const { front, ann, ids } = await stage()
  const get = async (path: string) => (await front.send(path, { headers: ann.headers })).status
  expect(await get(`/v1/files/${ids.files?.[0]}`)).toBe(200)
  for (const id of ['livetoken', 'endedtoken', 'shadowtoken'])
    expect([id, await get(`/v1/predictions/${id}`), await get(`/v1/predictions/${id}/attempts`)]).toEqual([
      id,
      200,
      200,
    ])
  expect(await get('/v1/predictions/liveuser')).toBe(404)
})
