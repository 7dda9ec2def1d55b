import { expect, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { createEchoWork, createFixedWork } from '../works.ts'
import { createRunpodEmulator, type RunpodEmulatorOptions } from './index.ts'

type Body = Record<string, unknown> & { readonly id: string }

function setup(more: Partial<RunpodEmulatorOptions> = {}, receiver: () => Response = () => new Response('')) {
  const clock = createSimulatedClock()
  const began = clock.now()
  const heard: { at: number; body: Body }[] = []
  const emulator = createRunpodEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs: 10_000 }),
    bootMs: 2000,
    async send(input, init) {
      const request = new Request(input, init)
      heard.push({ at: clock.now() - began, body: (await request.json()) as Body })
      return receiver()
    },
    ...more,
  })
  async function call(method: string, path: string, content?: unknown): Promise<{ status: number; body: Body }> {
    const init = content === undefined ? {} : { body: JSON.stringify(content) }
    const request = new Request(`https://runpod.test/v2/ep/${path}`, {
      method,
      headers: { authorization: 'Bearer any' },
      ...init,
    })
    const response = await emulator.fetch(request)
    return { status: response.status, body: (await response.json()) as Body }
  }
  const run = async (content: object = {}) => (await call('POST', 'run', { input: { text: 'hi' }, ...content })).body.id
  const status = (id: string) => call('GET', `status/${id}`)
  const word = async (id: string) => (await status(id)).body.status
  const health = async () => (await call('GET', 'health')).body
  return { clock, emulator, heard, call, run, status, word, health }
}

test('queued until a worker has started, in progress until worked and posted, then completed, to the millisecond', async () => {
  const { clock, run, status, word } = setup()
  const id = await run()
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}-u1$/)
  const seen: unknown[] = []
  for (const ms of [1999, 1, 10_299, 1]) {
    await clock.advance(ms)
    seen.push(await word(id))
  }
  expect(seen).toEqual(['IN_QUEUE', 'IN_PROGRESS', 'IN_PROGRESS', 'COMPLETED'])
  expect((await status(id)).body).toMatchObject({ delayTime: 2000, executionTime: 10_300 })
})

test.each([
  ['run', 30 * 60_000],
  ['runsync', 60_000],
])('a result of /%s is kept for %d ms', async (verb, keptMs) => {
  const { clock, call, status } = setup()
  const held = call('POST', `${verb}?wait=1000`, { input: {} })
  await clock.advance(1000)
  const { id } = (await held).body
  await clock.advance(11_299 + keptMs)
  expect((await status(id)).status).toBe(200)
  await clock.advance(1)
  expect((await status(id)).status).toBe(404)
})

test('workers scale from zero to the maximum, and stop after idling; all of it is billed', async () => {
  const { clock, emulator, run, health } = setup({ maxWorkers: 2 })
  for (let count = 0; count < 3; count++) await run()
  expect(await health()).toMatchObject({ jobs: { inQueue: 3 }, workers: { initializing: 2, running: 0 } })
  await clock.advance(2000)
  expect(await health()).toMatchObject({ jobs: { inQueue: 1, inProgress: 2 }, workers: { running: 2 } })
  await clock.advance(20_600)
  expect(await health()).toMatchObject({ jobs: { completed: 3 }, workers: { idle: 1, running: 0 } })
  await clock.advance(5000)
  expect((await health()).workers).toMatchObject({ idle: 0, initializing: 0 })
  // Boot, two jobs and idling on one worker; boot, one job and idling on the other.
  const billed = emulator.state().ledger.map(({ billedMs }) => billedMs)
  expect(billed.reduce((sum, ms) => sum + ms, 0)).toBe(2000 + 2 * 10_300 + 5000 + (2000 + 10_300 + 5000))
})

test('a job of low priority wakes no worker, and is run by one that another job woke', async () => {
  const { clock, run, word } = setup({ maxWorkers: 1 })
  const patient = await run({ policy: { lowPriority: true } })
  await clock.advance(60_000)
  expect(await word(patient)).toBe('IN_QUEUE')
  await run()
  await clock.advance(2000 + 10_300)
  expect(await word(patient)).toBe('COMPLETED')
})

test('a worker that dies puts its job back into the queue under the same id', async () => {
  const { clock, emulator, run, status, word } = setup({ faults: ['progress-restart@0.5'] })
  const id = await run()
  await clock.advance(2000 + 5000)
  expect(await word(id)).toBe('IN_QUEUE')
  await clock.advance(2000 + 10_300)
  expect((await status(id)).body).toMatchObject({ status: 'COMPLETED', retries: 1, delayTime: 9000 })
  expect(emulator.state().submits).toBe(1)
})

test('a job that waits twice, handed to a second worker while the first one died, is over as a whole', async () => {
  const { clock, call, run, word, emulator } = setup({ maxWorkers: 1, faults: ['run-twice', 'worker-killed@0.2'] })
  const id = await run()
  await clock.advance(4_500)
  expect(await word(id)).toBe('IN_QUEUE')
  await call('POST', `cancel/${id}`)
  await clock.advance(60_000)
  expect(await word(id)).toBe('CANCELLED')
  expect(emulator.state().running).toBe(0)
})

test('a handler that is stuck ends by the execution timeout, and a job whose time to live is over is forgotten as it runs', async () => {
  const { clock, run, status, word, health } = setup({ faults: ['stall@0.5'] })
  const stuck = await run({ policy: { executionTimeout: 60_000 } })
  const short = await run({ policy: { ttl: 10_000 } })
  await clock.advance(9_999)
  expect(await word(short)).toBe('IN_PROGRESS')
  await clock.advance(1)
  expect((await status(short)).status).toBe(404)
  await clock.advance(51_999)
  expect(await word(stuck)).toBe('IN_PROGRESS')
  await clock.advance(1)
  expect((await status(stuck)).body).toMatchObject({ status: 'TIMED_OUT', executionTime: 60_000 })
  expect((await health()).workers).toMatchObject({ running: 0 })
})

test('a result over 10 MB never arrives: the job is COMPLETED, without an output and without an error', async () => {
  const { clock, run, status } = setup({ answers: 'inline', work: large() })
  const id = await run()
  await clock.advance(12_300)
  const { body } = await status(id)
  expect(body).toMatchObject({ status: 'COMPLETED' })
  expect(Object.keys(body)).toEqual(['id', 'status', 'delayTime', 'workerId', 'executionTime'])
})

function large(): RunpodEmulatorOptions['work'] {
  // In base64 this is four bytes more than 10 MB.
  return async () => [{ name: 'large.bin', mediaType: 'a/b', body: new Blob([new Uint8Array(7_500_000)]) }]
}

test('a late progress update overwrites the result, and the job is in progress for ever', async () => {
  const { clock, heard, run, status } = setup({ faults: ['progress-late'] })
  const id = await run({ webhook: 'https://us.test/' })
  await clock.advance(60 * 60_000)
  expect((await status(id)).body).toMatchObject({ status: 'IN_PROGRESS', output: { pct: 100 } })
  expect(heard.map(({ body }) => body.status)).toEqual(['COMPLETED'])
})

test('a webhook is tried three times, ten seconds apart, until it is answered with exactly 200', async () => {
  for (const [code, times] of [
    [200, 1],
    [204, 3],
    [500, 3],
  ] as const) {
    const { clock, heard, run } = setup({}, () => new Response(null, { status: code }))
    await run({ webhook: 'https://us.test/hook' })
    await clock.advance(60_000)
    expect(heard.map(({ at }) => at)).toEqual([12_300, 22_300, 32_300].slice(0, times))
    expect(heard[0]?.body).toMatchObject({ input: { text: 'hi' }, webhook: 'https://us.test/hook' })
  }
})

test('a stream hands out each chunk once', async () => {
  const { clock, call, run } = setup()
  const id = await run()
  await clock.advance(2000 + 3000)
  const outputs = async () => (await call('GET', `stream/${id}?wait=1000`)).body.stream
  expect(await outputs()).toHaveLength(3)
  const next = outputs()
  await clock.advance(1000)
  expect(await next).toEqual([{ output: { pct: 40, step: 'step 4 of 10' } }])
})

test.each([
  [9_999, 'IN_PROGRESS'],
  [12_301, 'COMPLETED'],
])('/runsync that waits %d ms answers %s', async (waitMs, expected) => {
  const { clock, call } = setup()
  const answer = call('POST', `runsync?wait=${waitMs}`, { input: {} })
  await clock.advance(waitMs)
  expect((await answer).body).toMatchObject({ id: expect.stringMatching(/^sync-.*-e1$/), status: expected })
})

test('only what failed or timed out can be retried, and runs again under the same id', async () => {
  const { clock, call, run, word } = setup({ faults: ['model-error'] })
  const id = await run()
  expect((await call('POST', `retry/${id}`)).status).toBe(400)
  await clock.advance(3000)
  expect(await word(id)).toBe('FAILED')
  expect((await call('POST', `retry/${id}`)).body).toEqual({ id, status: 'IN_QUEUE' })
  await clock.advance(3000)
  expect(await word(id)).toBe('FAILED')
})

test('purging takes what waits and leaves what runs', async () => {
  const { clock, call, run, word } = setup({ maxWorkers: 1 })
  const [first, second] = [await run(), await run()]
  await clock.advance(2000)
  expect((await call('POST', 'purge-queue')).body).toEqual({ removed: 1, status: 'completed' })
  expect([await word(first), await word(second)]).toEqual(['IN_PROGRESS', 'CANCELLED'])
})

test.each([
  ['no input', {}, 400],
  ['a text as input', { input: 'hi' }, 400],
  ['an execution timeout under 5 s', { input: {}, policy: { executionTimeout: 4999 } }, 400],
  ['a time to live over 7 days', { input: {}, policy: { ttl: 604_800_001 } }, 400],
  ['more than 10 MB', { input: { photo: 'a'.repeat(10_000_000) } }, 413],
])('a run with %s is refused', async (_, content, expected) => {
  const { call, emulator } = setup()
  expect((await call('POST', 'run', content)).status).toBe(expected)
  expect(emulator.state().submits).toBe(0)
})

test('more than the allowance of calls is refused with 429', async () => {
  const { call } = setup()
  const answers = await Promise.all(Array.from({ length: 3 }, () => call('POST', 'purge-queue')))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
})

test("a bucket's file outlives the job's result", async () => {
  const bytes = new TextEncoder().encode('done')
  const clock = createSimulatedClock()
  const work = createFixedWork({ clock, name: 'a.txt', mediaType: 'text/plain', bytes })
  const { emulator, run, status } = setup({ clock, work })
  const id = await run()
  await clock.advance(12_300)
  const { url } = (await status(id)).body.output as { url: string }
  await clock.advance(31 * 60_000)
  expect((await status(id)).status).toBe(404)
  expect(await (await emulator.fetch(new Request(url))).text()).toBe('done')
})

test.each([
  ['queue-forever', { throttled: 1 }],
  ['boot-forever', { initializing: 1 }],
  ['crash-loop', { unhealthy: 1 }],
  ['scaled-down', {}],
])('%s can be told by the health, where the status only says IN_QUEUE', async (fault, expected) => {
  const { clock, run, word, health } = setup({ faults: [fault] })
  const id = await run()
  await clock.advance(62_500)
  expect(await word(id)).toBe('IN_QUEUE')
  const none = { idle: 0, initializing: 0, ready: 0, running: 0, throttled: 0, unhealthy: 0 }
  expect((await health()).workers).toEqual({ ...none, ...expected })
})
