import { expect, test } from 'vitest'
import { sampleAttempt } from '../../testing/sample-records.ts'
import { accessByRoute } from '../access.ts'
import { mintOwnerSecret } from '../secrets.ts'
import { png, setup } from '../test-support.ts'
import { addToken, fill } from '../test-tokens.ts'

/**
 * OWASP API3:2023, broken object property level authorization: what callers may not set, and what nobody may read. Every
 * documented answer's shape: `openapi.test.ts`; the log: `attacks.test.ts` and `injection.test.ts`.
 */
const extras: Readonly<Record<string, unknown>> = {
  id: 'mine',
  owner: 'local',
  status: 'succeeded',
  output: 'http://evil.example/scene.ply',
  cost: { amount: 0 },
  metrics: { predict_time: 0 },
  created_at: '2020-01-01T00:00:00Z',
  source: 'web',
  limits: { concurrency: null },
  seesAll: true,
  scopes: ['admin'],
  digest: '0'.repeat(64),
  allowance: 1e9,
  constructor: { prototype: {} },
}

test.each([...Object.entries(extras), ['__proto__', { status: 'succeeded' }] as const])(
  'a body that also sets %s changes nothing by it: it is refused',
  async (key, value) => {
    const front = await setup()
    const input = { image: 'https://a.example/photo.png' }
    const more = `${JSON.stringify(key)}:${JSON.stringify(value)}`
    const bodies: readonly [string, string][] = [
      ['/v1/models/acme/sketch/predictions', `{"input":${JSON.stringify(input)},${more}}`],
      ['/v1/models/acme/sketch/predictions', `{"input":${JSON.stringify(input)},"surefoot":{${more}}}`],
      ['/v1/predictions', `{"version":"acme/sketch","input":${JSON.stringify(input)},${more}}`],
      ['/v1/files/uploads', `{"filename":"a.png","type":"image/png","bytes":1,${more}}`],
    ]
    for (const [path, body] of bodies) {
      const answer = await front.post(path, body)
      // A key that would be a prototype is no key; whatever is made then is as without it.
      if (answer.status === 201) expect([key, await answer.json()]).toEqual(['__proto__', expect.objectContaining({})])
      else expect([path, answer.status]).toEqual([path, 422])
    }
    for (const { record } of await front.store.list({ owner: null, limit: 9 }))
      expect([key, record]).toEqual(['__proto__', expect.objectContaining({ owner: 'local', status: 'starting' })])
  },
)

test('no answer of any route, nor an event, holds what is for providers, or for nobody', async () => {
  const ownerSecret = mintOwnerSecret()
  const front = await setup({ access: { tokensRequired: true, ownerSecret } })
  const ann = await addToken(front, { scopes: ['predict', 'read', 'admin'] })
  const { digest } = (await front.store.findToken(ann.id)) ?? expect.fail()
  const file = await front.deps.engine.addFile({
    ...{ owner: ann.id, name: 'photo.png', mediaType: 'image/png', metadata: {}, maxBytes: 1_000 },
    ...{ body: new Blob([png]).stream(), signal: new AbortController().signal },
  })
  const output = { ...file, key: 'outputs/secret-key-of-the-output', name: 'scene.ply', facts: {} }
  const attempt = sampleAttempt({
    id: 'a1',
    state: 'won',
    handle: { job: 'secret-handle', url: 'https://vendor.example/secret-status?token=secret-token' },
    outputs: [{ kind: 'url', url: 'https://vendor.example/scene.ply?signature=secret-signature' }],
    health: 'secret-health of the account',
    pending: [{ id: 'e1', kind: 'notify', at: 1, until: 2, engine: 'secret-engine' }],
  })
  const record = {
    ...{ owner: ann.id, status: 'succeeded' as const, completedAt: 2, settledAt: 3, output, attempts: [attempt] },
    ...{ fingerprint: 'secret-fingerprint', files: { image: { ...file, facts: {} } } },
  }
  await front.add({ id: 'p1', ...record })
  await front.add({ id: 's1', ...record, owner: 'shadow:acme/sketch', shadowOf: 'p1' })
  const secrets = [
    ann.secret,
    digest,
    ownerSecret,
    await front.store.secret('webhooks'),
    'secret-',
    'a secret for tests',
  ]
  const values = { owner: 'acme', name: 'sketch', version: '0'.repeat(64), prediction: 'p1', attempt: 'a1' }
  let asked = 0
  for (const route of Object.keys(accessByRoute)) {
    const [method = '', path = ''] = route.split(' ')
    const ids = path.startsWith('/v1/files') ? [file.id] : path.startsWith('/v1/predictions') ? ['p1', 's1'] : ['x']
    if (route === 'DELETE /v1/files/{id}') continue
    for (const id of ids) {
      const sent = method === 'GET' ? {} : { body: '{}' }
      const headers = { ...ann.headers, 'content-type': 'application/json' }
      const answer = await front.send(`${fill(path, { ...values, id })}`, { method, headers, ...sent })
      const text = await answer.text()
      for (const secret of secrets) expect([route, text]).not.toEqual([route, expect.stringContaining(secret)])
      asked += answer.ok ? 1 : 0
    }
  }
  // The lists, the prediction and its shadow with their events and attempts, and the file among them.
  expect(asked).toBeGreaterThan(18)
})
