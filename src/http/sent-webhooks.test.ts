import { describe, expect, test } from 'vitest'
import type { Notification } from '../core/prediction.ts'
import type { PageJson } from './shapes.ts'
import { origin, setup, type TestFront } from './test-support.ts'
import { addToken } from './test-tokens.ts'
import type { WebhookJson } from './webhook-shapes.ts'

const url = 'https://receiver.example/hook'

function webhookWith(...entries: readonly Partial<Notification>[]) {
  const queue = entries.map((entry, index): Notification => {
    const plain = { at: 0, tries: 1, nextAt: 0, pending: null, state: 'delivered', event: 'completed' } as const
    return { ...plain, id: `event${index}`, ...entry }
  })
  return { url, events: ['start', 'completed'] as const, queue }
}

async function list({ send }: TestFront, path = '/v1/webhooks', headers = {}) {
  const response = await send(path, { headers })
  expect(response.status).toBe(200)
  return (await response.json()) as PageJson<WebhookJson>
}

describe('GET /v1/webhooks', () => {
  test('tells how each event of each prediction fares, and the dead ones alone', async () => {
    const front = await setup()
    await front.add({ id: 'none' })
    await front.add({
      id: 'one',
      webhook: webhookWith({ event: 'start' }, { state: 'waiting', tries: 2, nextAt: 60_000 }),
    })
    await front.add({ id: 'two', webhook: webhookWith({ event: 'start' }, { state: 'dead', tries: 8 }) })
    const all = (await list(front)).results
    expect(all.map(({ prediction, event, state }) => `${prediction} ${event} ${state}`)).toEqual([
      'two start delivered',
      'two completed dead',
      'one start delivered',
      'one completed waiting',
    ])
    expect(all.at(-1)).toMatchObject({ id: 'event1', url, tries: 2, next_at: '1970-01-01T00:01:00.000Z' })
    const dead = await list(front, '/v1/webhooks?state=dead')
    expect(dead.results).toEqual([all[1]])
    expect((await front.send('/v1/webhooks?state=gone')).status).toBe(422)
  })

  test('goes on from page to page', async () => {
    const front = await setup()
    for (let index = 0; index < 101; index++)
      await front.add({ id: `p${index}`, webhook: webhookWith({ state: 'dead' }) })
    const first = await list(front, '/v1/webhooks?state=dead')
    expect(first.results).toHaveLength(100)
    expect(first.next?.startsWith(`${origin}/v1/webhooks?state=dead&cursor=`)).toBe(true)
    expect((await list(front, first.next ?? '')).results).toHaveLength(1)
  })

  test("shows and sends again what is the caller's own alone", async () => {
    const front = await setup()
    const ann = await addToken(front)
    const bob = await addToken(front)
    await front.add({ id: 'hers', owner: ann.id, webhook: webhookWith({ state: 'dead' }) })
    expect((await list(front, '/v1/webhooks', ann.headers)).results).toHaveLength(1)
    expect((await list(front, '/v1/webhooks', bob.headers)).results).toEqual([])
    const resend = (headers: Record<string, string>) =>
      front.send('/v1/predictions/hers/webhooks/resend', { method: 'POST', headers })
    expect((await resend(bob.headers)).status).toBe(404)
    const answer = await resend(ann.headers)
    expect([answer.status, await answer.json()]).toMatchObject([200, { webhooks: [{ prediction: 'hers' }] }])
    expect((await front.send('/v1/webhooks?owner=all', { headers: bob.headers })).status).toBe(403)
  })
})
