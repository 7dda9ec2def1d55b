import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createApp } from '../app.ts'
import { createMount } from '../mount.ts'
import { mintOwnerSecret } from '../secrets.ts'
import { origin, setup } from '../test-support.ts'
import { addToken } from '../test-tokens.ts'

/**
 * OWASP API2:2023, broken authentication. Malformed, doubled, cut, expired and revoked headers one by one: `door.test.ts`;
 * two headers on the wire: `attacks.test.ts`. Here: that a token counts nowhere but in its header, the tick's secret, and
 * that secrets are compared in one way only.
 */
describe('a good token', () => {
  test('counts in no query, cookie, body or other header', async () => {
    const ownerSecret = mintOwnerSecret()
    const front = await setup({ access: { tokensRequired: true, ownerSecret } })
    const { secret: own, headers } = await addToken(front)
    for (const secret of [own, ownerSecret]) {
      const attempts: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
        ...['token', 'access_token', 'api_key', 'authorization', 'Authorization', 'auth'].map(
          name => [`?${name}=${encodeURIComponent(`Bearer ${secret}`)}&${name}=${secret}`, {}] as const,
        ),
        ...['cookie', 'x-api-key', 'x-auth-token', 'proxy-authorization', 'x-authorization', 'api-key'].flatMap(
          name => [
            ['', { [name]: `Bearer ${secret}` }] as const,
            ['', { [name]: `token=${secret}; Authorization=Bearer ${secret}; surefoot=${secret}` }] as const,
          ],
        ),
        ['', { authorization: `Bearer  \t${secret}` }],
        ['', { authorization: `Bearer\u00a0${secret}` }],
        ['', { authorization: `Bearer ${secret};` }],
        ['', { authorization: `Bearer ${secret.toUpperCase()}` }],
        ['', { authorization: `BearerToken ${secret}` }],
        ['', { authorization: `Bearer Token ${secret}` }],
        ['', { authorization: `Digest ${secret}` }],
      ]
      for (const [query, sent] of attempts)
        expect([query, sent, (await front.send(`/v1/predictions${query}`, { headers: sent })).status]).toEqual([
          ...[query, sent],
          401,
        ])
    }
    const inBody = await front.post('/v1/predictions', { token: own, authorization: `Bearer ${own}` })
    expect(inBody.status).toBe(401)
    expect((await front.send('/v1/predictions', { headers })).status).toBe(200)
  })

  test("of another gateway is a stranger's", async () => {
    const [front, other] = [await setup(), await setup()]
    await addToken(front)
    const { headers } = await addToken(other)
    expect((await front.send('/v1/predictions', { headers })).status).toBe(401)
  })
})

describe('the secret of ticks', () => {
  const tickSecret = 'a long secret of the ticks'

  async function mounted() {
    const front = await setup({ access: { tokensRequired: true } })
    const { headers } = await addToken(front, { scopes: ['predict', 'read', 'admin'] })
    let turns = 0
    const engine = {
      turn: (...given: Parameters<typeof front.deps.engine.turn>) => {
        turns += 1
        return front.deps.engine.turn(...given)
      },
    } as Pick<typeof front.deps.engine, 'turn'>
    const app = createApp(front.deps)
    const mount = createMount({ app, engine }, { base: '/s', authorize: () => ({ user: 'ann' }), tickSecret })
    const tick = async (sent: Readonly<Record<string, string>>, query = '', method = 'POST') =>
      (await mount(new Request(`${origin}/s/tick${query}`, { method, headers: sent }))).status
    return { mount, tick, admin: headers.authorization, turns: () => turns }
  }

  test('opens ticks alone, and nothing else opens them', async () => {
    const { mount, tick, admin, turns } = await mounted()
    const good = `Bearer ${tickSecret}`
    for (const authorization of [
      ...['', 'Bearer', 'Bearer ', tickSecret, `${good} `.repeat(2), `${good}x`, good.slice(0, -1), good.toLowerCase()],
      ...[`Token ${tickSecret}`, `Bearer ${tickSecret}, Bearer ${tickSecret}`, admin, `Bearer ${'a'.repeat(15_000)}`],
    ])
      expect([authorization, await tick({ authorization })]).toEqual([authorization, 401])
    expect(await tick({ cookie: good, 'x-api-key': good }, `?secret=${tickSecret}&authorization=${good}`)).toBe(401)
    expect(turns()).toBe(0)
    expect(await tick({ authorization: good })).toBe(200)
    // A caller of ticks is nobody to the routes: here the app's own user is asked for, who may not see tokens.
    const tokens = await mount(new Request(`${origin}/s/v1/tokens`, { headers: { authorization: good } }))
    expect(tokens.status).toBe(403)
  })

  test.each(['0', '-1', '901', '1e2', '1.5', ' 5', '5;', '٥', 'NaN', '', '00000005'])(
    'does not make a tick take %j seconds',
    async seconds => {
      const { tick, turns } = await mounted()
      expect(await tick({ authorization: `Bearer ${tickSecret}` }, `?seconds=${encodeURIComponent(seconds)}`)).toBe(422)
      expect(turns()).toBe(0)
    },
  )
})

test('secrets and signatures are compared by their digests, in constant time, and nowhere by text', () => {
  const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
  expect(read('http/secrets.ts')).toContain('timingSafeEqual(expected, given)')
  expect(read('files/signing.ts')).toContain('timingSafeEqual(')
  for (const path of ['http/door.ts', 'http/mount.ts', 'engine/marker.ts', 'http/links.ts', 'http/webhooks.ts'])
    expect([
      path,
      read(path).match(/\b(?:\w*[sS]ecret|\w*[dD]igest|signature)\b *[!=]==(?! *(?:null|undefined))/),
    ]).toEqual([path, null])
})
