import { expect, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { createEchoWork } from '../works.ts'
import { type AwsEmulatorOptions, createAwsEmulator } from './index.ts'

const signed = {
  authorization:
    'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00',
}
const bucket = 'https://aws.test/b/a1'
const link = '?X-Amz-Credential=AKIA%2F20260101'
const surefoot = {
  attempt: 'a1',
  upload: { url: `${bucket}/output${link}` },
  state: { url: `${bucket}/state.json${link}` },
  claim: { url: `${bucket}/claim${link}` },
}

function setup(more: Partial<AwsEmulatorOptions> = {}) {
  const clock = createSimulatedClock()
  const emulator = createAwsEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs: 10_000 }),
    send: async () => new Response(null),
    ...more,
  })
  const invoke = (body: string, type = 'Event') =>
    emulator.fetch(
      new Request('https://aws.test/2015-03-31/functions/relief%3Alive/invocations', {
        method: 'POST',
        headers: { ...signed, 'x-amz-invocation-type': type },
        body,
      }),
    )
  const run = () => invoke(JSON.stringify({ text: 'hi', surefoot }))
  const state = async (): Promise<unknown> => {
    const response = await emulator.fetch(new Request(`${bucket}/state.json`, { headers: signed }))
    return response.status === 200 ? await response.json() : response.status
  }
  const billed = () => emulator.state().ledger[0]?.billedMs
  return { clock, emulator, invoke, run, state, billed }
}

test('an event is taken with 202 and no word; what becomes of it is in the bucket only, to the millisecond', async () => {
  const { clock, emulator, run, state, billed } = setup()
  const response = await run()
  expect([response.status, await response.text()]).toEqual([202, ''])
  const seen: unknown[] = []
  for (const ms of [1999, 1, 1000, 8999, 1]) {
    await clock.advance(ms)
    seen.push(await state())
  }
  const step = (fraction: number, stage: string) => ({ state: 'running', fraction, stage })
  expect(seen).toEqual([
    404,
    { state: 'running', fraction: 0 },
    step(0.1, 'step 1 of 10'),
    step(0.9, 'step 9 of 10'),
    { state: 'done', runMs: 10_000 },
  ])
  expect([billed(), emulator.state().running]).toEqual([10_000, 0])
})

test('an event that is delivered twice works once: the claim lets one in', async () => {
  const { clock, emulator, run, billed } = setup({ faults: ['run-twice'] })
  await run()
  await clock.advance(60_000)
  expect([emulator.state().submits, billed()]).toEqual([1, 10_001])
})

test('a runtime that dies reports nothing; its event comes again, and finds itself claimed', async () => {
  const { clock, run, state, billed } = setup({ faults: ['oom@0.3'] })
  await run()
  await clock.advance(10 * 60_000)
  expect(await state()).toEqual({ state: 'running', fraction: 0.2, stage: 'step 2 of 10' })
  expect(billed()).toBe(3_001)
})

test('what is stuck is billed for 15 minutes, and its event comes again for nothing', async () => {
  const { clock, emulator, run, billed } = setup({ faults: ['stall@0.5'] })
  await run()
  await clock.advance(60 * 60_000)
  expect([billed(), emulator.state().running]).toEqual([15 * 60_000 + 1, 0])
})

test('a claim that was taken before the event came keeps it from working', async () => {
  const { clock, emulator, run, state, billed } = setup()
  await run()
  await emulator.fetch(new Request(`${bucket}/claim`, { method: 'PUT', headers: signed, body: 'cancelled' }))
  await clock.advance(60_000)
  expect([await state(), billed()]).toEqual([404, 1])
})

test.each([
  ['that is no JSON', '{', 'Event', 400],
  ['over 1 MB', JSON.stringify({ prompt: 'x'.repeat(1024 * 1024) }), 'Event', 413],
  ['for an answer at once', '{}', 'RequestResponse', 400],
])('an event %s is refused', async (_, body, type, status) => {
  const { emulator, invoke } = setup()
  expect((await invoke(body, type)).status).toBe(status)
  expect(emulator.state().submits).toBe(0)
})
