import { describe, expect, test } from 'vitest'
import { createProviderLinks } from './links.ts'
import { origin, setup } from './test-support.ts'

describe('webhooks', () => {
  test('are answered after the engine has heard them', async () => {
    const { send, deps } = await setup()
    const path = createProviderLinks(deps.signer, origin).webhook('replicate', 'a1', 'good') ?? ''
    const response = await send(path, { method: 'POST', body: '{}' })
    expect([response.status, await response.json()]).toEqual([200, { heard: true }])
  })

  test('the body of one whose address is not ours is not read', async () => {
    const { send } = await setup()
    let pulled = 0
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 })
    const request: RequestInit = { method: 'POST', body, duplex: 'half' }
    expect((await send('/v1/webhooks/replicate/a1/bad', request)).status).toBe(401)
    expect(pulled).toBe(0)
  })

  test('a body that says or turns out to be larger than 5 MB is read no further', async () => {
    const { send } = await setup()
    let pulled = 0
    const body = new ReadableStream({
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(1_000_000))
      },
    })
    const endless: RequestInit = { method: 'POST', body, duplex: 'half' }
    expect((await send('/v1/webhooks/replicate/a1/good', endless)).status).toBe(413)
    expect(pulled).toBeLessThan(9)
    const stated = { method: 'POST', headers: { 'content-length': '5000001' }, body: '{}' }
    expect((await send('/v1/webhooks/replicate/a1/good', stated)).status).toBe(413)
  })

  test.each([
    ['another provider', '/v1/webhooks/other/a1/good', '{}', 404],
    ['a bad signature', '/v1/webhooks/replicate/a1/bad', '{}', 401],
    ['an empty body', '/v1/webhooks/replicate/a1/good', '', 422],
    ['more than 5 MB', '/v1/webhooks/replicate/a1/good', 'x'.repeat(5_000_001), 413],
  ])('%s is refused', async (_, path, body, status) => {
    const { send } = await setup()
    const response = await send(path, { method: 'POST', body })
    expect([response.status, await response.json()]).toMatchObject([status, { status }])
  })
})
