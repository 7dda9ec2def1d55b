import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { verify } from './hear.ts'
import { replicate } from './index.ts'

// The example in the vendor's documents, computed anew.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const stamp = '1614265330'
const body = new TextEncoder().encode('{"test": 2432232314}')
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

test.each([
  ['the documented example', signature, true],
  ['one of several signatures', `v1,AAAA ${signature}`, true],
  ['another version of the scheme', signature.replace('v1', 'v2'), false],
  ['a signature of another length', 'v1,AAAA', false],
  ['a changed signature', signature.replace('g0h', 'g1h'), false],
  ['no signature', '', false],
])('%s: %s -> %s', (_, signatures, fits) => {
  expect(verify(secret, id, stamp, signatures, body)).toBe(fits)
})

test('the raw bytes are signed: the same JSON written otherwise does not fit', () => {
  expect(verify(secret, id, stamp, signature, new TextEncoder().encode('{"test":2432232314}'))).toBe(false)
})

const now = Date.UTC(2026, 0, 1)

function setup() {
  const secrets = { current: 'whsec_Zmlyc3Q=', asked: 0 }
  const io = {
    signal: new AbortController().signal,
    async fetch(): Promise<Response> {
      secrets.asked += 1
      return Response.json({ key: secrets.current })
    },
  }
  const { hear } = replicate({ token: 't' })
  const send = (at: number, content: object = { id: 'p1', status: 'succeeded', output: null }) => {
    const text = JSON.stringify(content)
    const time = String(Math.floor(at / 1000))
    const key = Buffer.from(secrets.current.slice('whsec_'.length), 'base64')
    const signed = createHmac('sha256', key).update(`msg_1.${time}.${text}`).digest('base64')
    const headers = new Headers({
      'webhook-id': 'msg_1',
      'webhook-timestamp': time,
      'webhook-signature': `v1,${signed}`,
    })
    return { headers, body: new TextEncoder().encode(text) }
  }
  const listen = async (request: { headers: Headers; body: Uint8Array }, at: number) =>
    hear?.(request, io, at, { attemptId: 'attempt-1', target: null })
  return { secrets, send, listen }
}

test('the secret is fetched once and kept', async () => {
  const { secrets, send, listen } = setup()
  expect(await listen(send(now), now)).toMatchObject({ deliveryId: 'msg_1', handle: { id: 'p1' } })
  await listen(send(now), now)
  expect(secrets.asked).toBe(1)
})

test('a new secret is noticed, but forgeries make us ask for it once a minute at most', async () => {
  const { secrets, send, listen } = setup()
  await listen(send(now), now)
  secrets.current = 'whsec_c2Vjb25k'
  const minute = 60_000
  await expect(listen(send(now), now + minute - 1)).rejects.toMatchObject({ failure: { code: 'auth_rejected' } })
  expect(secrets.asked).toBe(1)
  expect(await listen(send(now), now + minute)).toMatchObject({ handle: { id: 'p1' } })
  expect(secrets.asked).toBe(2)
})

test.each([
  [-300, true],
  [-301, false],
  [300, true],
  [301, false],
])('a stamp %d s off: %s', async (seconds, heard) => {
  const { send, listen } = setup()
  const answer = listen(send(now + seconds * 1000), now)
  if (heard) expect(await answer).toMatchObject({ handle: { id: 'p1' } })
  else await expect(answer).rejects.toThrow(`301 s ${seconds < 0 ? 'behind' : 'ahead of'} this machine's clock`)
})

test.each([['webhook-id'], ['webhook-timestamp'], ['webhook-signature']])(
  'without %s it is refused, and no secret is asked for',
  async name => {
    const { secrets, send, listen } = setup()
    const request = send(now)
    request.headers.delete(name)
    await expect(listen(request, now)).rejects.toMatchObject({ status: 401 })
    expect(secrets.asked).toBe(0)
  },
)

test('a signed body without a prediction is refused as such', async () => {
  const { send, listen } = setup()
  await expect(listen(send(now, { hello: 1 }), now)).rejects.toMatchObject({
    status: 422,
    failure: { code: 'provider_error' },
  })
})
