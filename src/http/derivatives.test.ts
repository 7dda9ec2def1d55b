import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createFailure, SurefootError } from '../core/failure.ts'
import { defaultPolicy } from '../core/policy.ts'
import type { StoredOutput } from '../core/prediction.ts'
import type { DerivativeState, Derivatives } from '../derivatives/contract.ts'
import type { PredictionJson } from './shapes.ts'
import { setup, sketch } from './test-support.ts'

const text = '0123456789'
const output: StoredOutput = {
  key: 'outputs/p1/a1/scene.ply',
  name: 'scene.ply',
  mediaType: 'application/octet-stream',
  bytes: text.length,
  sha256: 'a'.repeat(64),
  facts: { count: 1 },
}
const stored: DerivativeState = {
  kind: 'stored',
  key: 'derived/a/scene.sog',
  name: 'scene.sog',
  mediaType: 'application/octet-stream',
  bytes: text.length,
  sha256: createHash('sha256').update(text).digest('hex'),
}

/** A front with one finished prediction, whose derivatives are what `answer` says. */
async function start(answer: (holdMs: number) => DerivativeState | null, derives: 'splat' | null = 'splat') {
  const asked: { readonly name: string; readonly holdMs: number; readonly photo: string | null }[] = []
  const derivatives: Derivatives = {
    list: () => [{ name: 'scene.sog', mediaType: 'application/octet-stream', label: 'small' }],
    async get({ photo }, name, { holdMs }) {
      asked.push({ name, holdMs, photo: photo?.key ?? null })
      return answer(holdMs)
    },
    stop: async () => {},
  }
  const front = await setup({ derivatives })
  const routes = front.deps.engine.routes as Map<string, unknown>
  const { derives: _, ...model } = sketch
  routes.set(sketch.name, { model: { ...model, ...(derives && { derives }) }, deployments: [], policy: defaultPolicy })
  await front.files.put(stored.kind === 'stored' ? stored.key : '', new Blob([text]).stream(), { maxBytes: 100 })
  const photo = { ...output, key: 'files/photo', name: 'photo.jpg', mediaType: 'image/jpeg' }
  await front.add({ id: 'p1', status: 'succeeded', completedAt: 1, output, files: { image: photo } })
  const get = async () => (await (await front.send('/v1/predictions/p1')).json()) as PredictionJson
  const url = async () => (await get()).surefoot.derivatives?.[0]?.url ?? ''
  return { front, asked, get, url }
}

describe('files that are made of an output', () => {
  test('are listed with the prediction as signed links, for models that say so', async () => {
    const { get } = await start(() => stored)
    expect((await get()).surefoot.derivatives).toEqual([
      {
        name: 'scene.sog',
        media_type: 'application/octet-stream',
        label: 'small',
        url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:8787\/v1\/outputs\/p1\/scene\.sog\?expiry=\d+&signature=/),
      },
    ])
    const none = await start(() => stored, null)
    expect((await none.get()).surefoot).not.toHaveProperty('derivatives')
  })

  test('go out like the output itself: in ranges, to be kept, readable by viewers on other origins', async () => {
    const { front, url, asked } = await start(() => stored)
    const link = await url()
    const whole = await front.send(link, {
      headers: { origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site' },
    })
    expect([whole.status, await whole.text()]).toEqual([200, text])
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'access-control-allow-origin': '*',
      'cache-control': expect.stringContaining('immutable'),
      'content-disposition': expect.stringContaining('filename="scene.sog"'),
      etag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
    })
    const part = await front.send(link, { headers: { range: 'bytes=2-4' } })
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, 'bytes 2-4/10', '234'])
    expect((await front.send(link, { headers: { 'if-none-match': whole.headers.get('etag') ?? '' } })).status).toBe(304)
    expect((await front.send(link, { method: 'HEAD' })).headers.get('content-length')).toBe('10')
    expect(asked[0]).toEqual({ name: 'scene.sog', holdMs: 50_000, photo: 'files/photo' })
  })

  test('that take longer answer 503 with when to ask again, or 202 with the progress to who asks for that', async () => {
    const { front, url, asked } = await start(() => ({ kind: 'converting', stage: 'merge', fraction: null }))
    const held = await front.send(await url())
    expect([held.status, held.headers.get('retry-after'), await held.json()]).toEqual([
      503,
      '5',
      { detail: expect.stringContaining('merge'), status: 503, code: 'not_ready', request_id: expect.any(String) },
    ])
    const quick = await front.send(await url(), { headers: { prefer: 'respond-async' } })
    expect([quick.status, quick.headers.get('retry-after'), quick.headers.get('cache-control')]).toEqual([
      202,
      '1',
      'no-store',
    ])
    expect(await quick.json()).toEqual({
      status: 'converting',
      name: 'scene.sog',
      progress: { stage: 'merge', fraction: null },
    })
    expect(asked.map(({ holdMs }) => holdMs)).toEqual([50_000, 0])
  })

  test('that are JSON are JSON', async () => {
    const { front, url } = await start(() => ({ kind: 'json', name: 'scene.json', body: { version: 1 } }))
    const response = await front.send(await url())
    expect([response.status, response.headers.get('content-type'), await response.json()]).toEqual([
      200,
      'application/json',
      { version: 1 },
    ])
  })

  test('need a good link, an output, and a name that stands for one', async () => {
    const { front, url, asked } = await start(() => null)
    const link = new URL(await url())
    expect((await front.send(link.href)).status).toBe(404)
    link.pathname = '/v1/outputs/p1/scene.spz'
    expect((await front.send(link.href)).status).toBe(403)
    expect(asked.length).toBe(1)
    const none = await start(() => stored, null)
    const signed = none.front.deps.signer.sign(
      ['output', 'p1', 'scene.sog'],
      Number(link.searchParams.get('expiry')) * 1000,
    )
    link.pathname = '/v1/outputs/p1/scene.sog'
    link.searchParams.set('signature', signed)
    expect((await none.front.send(link.href)).status).toBe(404)
  })

  test('are 501 with what to install where the converter is missing', async () => {
    const { front, url } = await start(() => {
      throw new SurefootError(createFailure('deployment_missing', 'Not installed.', { advice: 'npm install it' }), {
        status: 501,
      })
    })
    const response = await front.send(await url())
    expect([response.status, await response.json()]).toMatchObject([501, { code: 'deployment_missing', status: 501 }])
  })
})
