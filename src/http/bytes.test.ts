import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { StoredOutput } from '../core/prediction.ts'
import { parseRange, toDisposition } from './bytes.ts'
import type { PredictionJson } from './shapes.ts'
import { setup } from './test-support.ts'

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe('bytes', () => {
  const text = '0123456789'
  const output: StoredOutput = {
    key: 'outputs/p1/scene.ply',
    name: 'scene.ply',
    mediaType: 'application/octet-stream',
    bytes: text.length,
    sha256: sha256(text),
    facts: {},
  }

  async function stored() {
    const front = await setup()
    await front.files.put(output.key, new Blob([text]).stream(), { maxBytes: 100 })
    await front.add({ id: 'p1', status: 'succeeded', completedAt: 1, output })
    const json = (await (await front.send('/v1/predictions/p1')).json()) as PredictionJson
    return { front, url: json.output ?? '' }
  }

  test('go out whole, with what a browser and a cache need', async () => {
    const { front, url } = await stored()
    const response = await front.send(url)
    expect([response.status, await response.text()]).toEqual([200, text])
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=3600, immutable',
      'content-disposition': `attachment; filename="scene.ply"; filename*=UTF-8''scene.ply`,
      'content-length': '10',
      'content-security-policy': "default-src 'none'; sandbox",
      'content-type': 'application/octet-stream',
      etag: `"${output.sha256}"`,
    })
  })

  test.each([
    ['bytes=0-3', 206, 'bytes 0-3/10', '0123'],
    ['bytes=8-', 206, 'bytes 8-9/10', '89'],
    ['bytes=-3', 206, 'bytes 7-9/10', '789'],
    ['bytes=-50', 206, 'bytes 0-9/10', text],
    ['bytes=5-500', 206, 'bytes 5-9/10', '56789'],
    ['bytes=0-1,3-4', 200, null, text],
    ['bytes=5-2', 200, null, text],
    ['lines=1-2', 200, null, text],
  ])('%s answers %i', async (range, status, contentRange, body) => {
    const { front, url } = await stored()
    const response = await front.send(url, { headers: { range } })
    expect([response.status, response.headers.get('content-range'), await response.text()]).toEqual([
      status,
      contentRange,
      body,
    ])
    expect(response.headers.get('content-length')).toBe(String(body.length))
  })

  test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s lies outside: 416 with the length', async range => {
    const { front, url } = await stored()
    const response = await front.send(url, { headers: { range } })
    expect([response.status, response.headers.get('content-range'), await response.json()]).toMatchObject([
      416,
      'bytes */10',
      { code: 'range_not_satisfiable' },
    ])
  })

  test('HEAD has the headers of GET and no body; 304 for whoever has them', async () => {
    const { front, url } = await stored()
    const head = await front.send(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', ''])
    const known = await front.send(url, { headers: { 'if-none-match': `W/"x", "${output.sha256}"` } })
    expect([known.status, await known.text()]).toEqual([304, ''])
  })

  test('a range of a file that has changed since is the whole file', async () => {
    const { front, url } = await stored()
    const ask = async (condition: string) => {
      const response = await front.send(url, { headers: { range: 'bytes=0-3', 'if-range': condition } })
      return [response.status, await response.text()]
    }
    expect(await ask(`"${output.sha256}"`)).toEqual([206, '0123'])
    expect(await ask('"other"')).toEqual([200, text])
  })

  test('are served by a good link only: tampered ones are 403, and so are expired ones', async () => {
    const { front, url } = await stored()
    await front.add({ id: 'p2', status: 'succeeded', completedAt: 1, output })
    const changed = (change: (url: URL) => void) => {
      const copy = new URL(url)
      change(copy)
      return front.send(copy.href)
    }
    const forged = await Promise.all([
      changed(copy => copy.searchParams.set('expiry', String(Number(copy.searchParams.get('expiry')) + 3600))),
      changed(copy => copy.searchParams.set('signature', 'x'.repeat(43))),
      changed(copy => {
        copy.pathname = copy.pathname.replace('p1', 'p2')
      }),
      changed(copy => {
        copy.pathname = copy.pathname.replace('scene.ply', 'other.ply')
      }),
    ])
    for (const response of forged)
      expect([response.status, await response.json()]).toMatchObject([403, { code: 'link_forged' }])
    expect((await changed(copy => copy.searchParams.delete('signature'))).status).toBe(422)
    expect((await changed(copy => copy.searchParams.set('expiry', 'never'))).status).toBe(422)
    await front.clock.advance(7_200_000)
    const expired = await front.send(url)
    expect([expired.status, await expired.json()]).toMatchObject([403, { code: 'link_expired' }])
  })

  test('that are no longer kept are 404', async () => {
    const { front, url } = await stored()
    await front.files.remove(output.key)
    expect((await front.send(url)).status).toBe(404)
    expect((await front.send(url, { method: 'HEAD' })).status).toBe(404)
  })

  test('an uploaded page is a download in a sandbox, not a page of ours', async () => {
    const front = await setup()
    const body = new FormData()
    body.set('content', new Blob(['<script>'], { type: 'text/html' }), 'x.html')
    await front.send('/v1/files', { method: 'POST', body })
    const signature = front.deps.signer.sign(['file', 'local', 'file1'], front.clock.now() + 1_000)
    const expiry = (front.clock.now() + 1_000) / 1000
    const response = await front.send(`/v1/files/file1/download?expiry=${expiry}&owner=local&signature=${signature}`)
    expect(await response.text()).toBe('<script>')
    expect(response.headers.get('content-security-policy')).toContain('sandbox')
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="x\.html"/)
  })
})

test('ranges of an empty file, and names of all kinds, are put safely', () => {
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable')
  expect(parseRange(undefined, 0)).toBeNull()
  expect(toDisposition("a'b\r\n\u{1f600}.ply")).toBe(
    `attachment; filename="a'b____.ply"; filename*=UTF-8''a%27b%0D%0A%F0%9F%98%80.ply`,
  )
  expect(toDisposition('\ud800')).toContain('%EF%BF%BD')
})
