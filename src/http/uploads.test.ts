import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { sampleAttempt } from '../testing/sample-records.ts'
import { createProviderLinks } from './links.ts'
import { origin, setup } from './test-support.ts'

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe('uploads by kits', () => {
  const bytes = 'a whole splat'

  async function withAttempt() {
    const front = await setup()
    await front.add({ id: 'p1', attempts: [sampleAttempt({ id: 'a1' })] })
    const links = createProviderLinks(front.deps.signer, origin)
    const url = links.upload('a1', 'scene.ply', front.clock.now() + 60_000) ?? ''
    const put = (body: string | ReadableStream, headers: Record<string, string> = {}, to = url) =>
      front.send(to, { method: 'PUT', body, headers, duplex: 'half' } as RequestInit)
    return { front, links, url, put }
  }

  test('the first complete one wins, later ones are 409', async () => {
    const { front, put } = await withAttempt()
    const first = await put(bytes)
    expect([first.status, await first.json()]).toEqual([201, { bytes: bytes.length, sha256: sha256(bytes) }])
    const second = await put('another')
    expect([second.status, await second.json()]).toMatchObject([409, { code: 'already_uploaded' }])
    const kept = await front.files.open('uploads/a1/scene.ply')
    expect(await new Response(kept?.body).text()).toBe(bytes)
  })

  test.each<[string, Record<string, string>, number, string]>([
    ['a length that is longer', { 'content-length': '14' }, 422, 'output_invalid'],
    ['a length that is shorter', { 'content-length': '12' }, 422, 'output_invalid'],
    ['a length that is too large', { 'content-length': '1001' }, 413, 'input_too_large'],
    ['a length that is no number', { 'content-length': 'x' }, 422, 'input_invalid'],
    ['a digest that differs', { 'x-content-sha256': '0'.repeat(64) }, 422, 'output_invalid'],
    ['a digest that is none', { 'x-content-sha256': 'x' }, 422, 'input_invalid'],
    ['a Content-Digest that differs', { 'content-digest': `sha-256=:${'A'.repeat(43)}=:` }, 422, 'output_invalid'],
    ['a Content-Digest that is none', { 'content-digest': 'sha-256=:x:' }, 422, 'input_invalid'],
  ])('%s is refused, and the right one still taken', async (_, headers, status, code) => {
    const { put } = await withAttempt()
    const refused = await put(bytes, headers)
    expect([refused.status, await refused.json()]).toMatchObject([status, { code }])
    expect((await put(bytes)).status).toBe(201)
  })

  test.each<[string, Record<string, string>]>([
    ['x-content-sha256', { 'x-content-sha256': sha256(bytes).toUpperCase() }],
    [
      'Content-Digest',
      { 'content-digest': `sha-512=:x:, sha-256=:${Buffer.from(sha256(bytes), 'hex').toString('base64')}:` },
    ],
    ['a digest of another kind', { 'content-digest': 'sha-512=:x:' }],
  ])('a good digest is taken: %s', async (_, headers) => {
    const { put } = await withAttempt()
    expect((await put(bytes, headers)).status).toBe(201)
  })

  test('more than the model allows is refused while it arrives', async () => {
    const { put } = await withAttempt()
    const response = await put('x'.repeat(1_001))
    expect([response.status, await response.json()]).toMatchObject([413, { code: 'input_too_large' }])
  })

  test('an attempt that has ended without winning takes none, and keeps none that came while it ended', async () => {
    const { front, put } = await withAttempt()
    let end = () => {}
    const slow = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode(bytes))
        await new Promise<void>(resolve => (end = resolve))
        controller.close()
      },
    })
    const coming = put(slow)
    const over = sampleAttempt({ id: 'a1', state: 'failed', release: 'confirmed' })
    await front.change('p1', { attempts: [over] })
    end()
    for (const response of [await coming, await put(bytes)])
      expect([response.status, await response.json()]).toMatchObject([410, { code: 'attempt_over' }])
    expect(await front.files.stat('uploads/a1/scene.ply')).toBeNull()
  })

  test('forged and expired links are 403, unknown attempts 404, odd names 422', async () => {
    const { front, links, url, put } = await withAttempt()
    const other = url.replace('a1', 'a2')
    expect((await put(bytes, {}, other)).status).toBe(403)
    expect((await put(bytes, {}, url.replace('scene', 'other'))).status).toBe(403)
    const unknown = links.upload('a2', 'scene.ply', front.clock.now() + 60_000) ?? ''
    expect((await put(bytes, {}, unknown)).status).toBe(404)
    const odd = links.upload('a1', '..', front.clock.now() + 60_000) ?? ''
    expect((await put(bytes, {}, odd.replace('/..', '/%2e%2e%2fx'))).status).toBe(422)
    await front.clock.advance(60_000)
    const expired = await put(bytes)
    expect([expired.status, await expired.json()]).toMatchObject([403, { code: 'link_expired' }])
  })

  test('there are no such links without a public base URL', async () => {
    const { front } = await withAttempt()
    const links = createProviderLinks(front.deps.signer, null)
    expect([links.input('k', 'n', 1), links.upload('a', 'n', 1), links.webhook('p', 'a', 's')]).toEqual([
      null,
      null,
      null,
    ])
  })
})
