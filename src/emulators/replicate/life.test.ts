import { expect, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { createEchoWork } from '../works.ts'
import { parseDuration } from './create-request.ts'
import { createReplicateEmulator } from './index.ts'

function setup(
  faults: string[] = [],
  receiver: (tries: number) => Response = () => new Response(null, { status: 204 }),
) {
  const clock = createSimulatedClock()
  const began = clock.now()
  const heard: { at: number; id: string | null; status: string }[] = []
  const emulator = createReplicateEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs: 10_000 }),
    faults,
    bootMs: 2000,
    async send(input, init) {
      const request = new Request(input, init)
      const { status } = (await request.json()) as { status: string }
      heard.push({ at: clock.now() - began, id: request.headers.get('webhook-id'), status })
      return receiver(heard.length)
    },
  })
  async function call(
    path: string,
    init: RequestInit = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const headers = { authorization: 'Token any', 'content-type': 'application/json', ...init.headers }
    const response = await emulator.fetch(new Request(`https://replicate.test/v1${path}`, { ...init, headers }))
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const create = (more: object = {}, headers: Record<string, string> = {}) =>
    call('/models/surefoot/echo/predictions', {
      method: 'POST',
      headers,
      body: JSON.stringify({ input: { text: 'hi' }, ...more }),
    })
  const read = async (id: unknown) => (await call(`/predictions/${id}`)).body
  return { clock, emulator, heard, call, create, read }
}

test('starting until booted, processing until worked and stored, then succeeded, to the millisecond', async () => {
  const { clock, create, read } = setup()
  const { id } = (await create()).body
  const seen: unknown[] = []
  for (const ms of [1999, 1, 10_299, 1]) {
    await clock.advance(ms)
    seen.push((await read(id)).status)
  }
  expect(seen).toEqual(['starting', 'processing', 'processing', 'succeeded'])
  expect((await read(id)).metrics).toEqual({ predict_time: 10.3, total_time: 12.3 })
})

test('after an hour input, output, logs and files are gone, and the prediction is still there', async () => {
  const { clock, emulator, create, read } = setup()
  const { id } = (await create()).body
  await clock.advance(12_300)
  const output = String((await read(id)).output)
  const download = async () => (await emulator.fetch(new Request(output))).status
  await clock.advance(60 * 60_000 - 1)
  expect([await download(), (await read(id)).data_removed]).toEqual([200, false])
  await clock.advance(1)
  expect(await download()).toBe(404)
  expect(await read(id)).toMatchObject({ status: 'succeeded', data_removed: true, input: {}, output: null, logs: '' })
})

test.each([
  ['1s', 'aborted', 0],
  ['5s', 'canceled', 3000],
])('Cancel-After: %s ends it as %s', async (header, status, billedMs) => {
  const { clock, emulator, create, read } = setup()
  const { id, deadline, created_at } = (await create({}, { 'cancel-after': header })).body
  expect(Date.parse(String(deadline)) - Date.parse(String(created_at))).toBe(Number.parseInt(header, 10) * 1000)
  await clock.advance(60_000)
  expect(await read(id)).toMatchObject({ status, output: null })
  expect(emulator.state().ledger[0]).toMatchObject({ status, billedMs })
})

test('a stalled run is billed until the vendor ends it after 30 minutes', async () => {
  const { clock, emulator, create, read } = setup(['stall@0.9'])
  const { id } = (await create()).body
  await clock.advance(2000 + 30 * 60_000 - 1)
  expect(await read(id)).toMatchObject({ status: 'processing', logs: expect.stringMatching(/ 90%\|[^\n]*\n$/) })
  await clock.advance(1)
  expect(await read(id)).toMatchObject({ status: 'failed' })
  expect(emulator.state()).toMatchObject({ submits: 1, running: 0, ledger: [{ billedMs: 30 * 60_000, amount: 1.755 }] })
})

test('Prefer: wait gives a good result as `processing`, and what outran it as `starting`', async () => {
  const { clock, create, read } = setup()
  const first = create({}, { prefer: 'wait' })
  await clock.advance(12_300)
  expect(await first).toMatchObject({
    status: 201,
    body: { status: 'processing', output: expect.stringContaining('/delivery/') },
  })
  const second = create({}, { prefer: 'wait=5' })
  await clock.advance(5000)
  const answer = await second
  expect(answer).toMatchObject({ status: 202, body: { status: 'starting', output: null } })
  expect(await read(answer.body.id)).toMatchObject({ status: 'processing' })
})

const webhook = 'https://us.test/hook'

test('webhooks: start and completed at once, logs at most twice a second', async () => {
  const { clock, create, heard } = setup()
  await create({ webhook, webhook_events_filter: ['start', 'logs', 'completed'] })
  await clock.advance(60_000)
  expect(heard[0]).toMatchObject({ at: 2000, status: 'processing' })
  expect(heard.at(-1)).toMatchObject({ at: 12_300, status: 'succeeded' })
  const gaps = heard.slice(2, -1).map((each, index) => each.at - (heard[index + 1]?.at ?? 0))
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(500)
})

test('webhooks: only the last is retried, under one id, the last time a minute after the end', async () => {
  const { clock, create, heard } = setup([], () => new Response(null, { status: 503 }))
  await create({ webhook, webhook_events_filter: ['start', 'completed'] })
  await clock.advance(10 * 60_000)
  const [start, ...completed] = heard
  expect(start?.at).toBe(2000)
  expect(completed.map(each => each.at - 12_300)).toEqual([0, 1000, 3000, 7000, 15_000, 31_000, 60_000])
  expect(new Set(completed.map(each => each.id)).size).toBe(1)
})

test('webhooks: a redirect loses it', async () => {
  const { clock, create, heard } = setup(
    [],
    () => new Response(null, { status: 301, headers: { location: 'https://us.test/new' } }),
  )
  await create({ webhook })
  await clock.advance(10 * 60_000)
  expect(heard).toHaveLength(1)
})

test('a finished prediction stays what it was', async () => {
  const { clock, create, read, call } = setup()
  const { id } = (await create()).body
  await clock.advance(12_300)
  expect((await call(`/predictions/${id}/cancel`, { method: 'POST' })).body.status).toBe('succeeded')
  await clock.advance(60_000)
  expect((await read(id)).status).toBe('succeeded')
})

test('closing leaves no timer behind', async () => {
  const { clock, emulator, create } = setup()
  await create({ webhook, webhook_events_filter: ['logs'] })
  await clock.advance(5000)
  emulator.close()
  expect(clock.waiting).toBe(0)
})

test('new faults hit what is created from now on', async () => {
  const { clock, emulator, create, read } = setup(['oom'])
  const first = (await create()).body.id
  emulator.setFaults([])
  const second = (await create()).body.id
  await clock.advance(60_000)
  expect([(await read(first)).status, (await read(second)).status]).toEqual(['failed', 'succeeded'])
})

test.each([
  ['1m', 60_000],
  ['90s', 90_000],
  ['45', 45_000],
  ['1h30m', 5_400_000],
  ['', null],
  ['soon', null],
])('the duration %j is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})
