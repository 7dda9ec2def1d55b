import { expect, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { decodeCbor, encodeCbor } from '../../wire/cbor.ts'
import type { Message } from '../../wire/protobuf.ts'
import { asFetch } from '../contract.ts'
import { createEchoWork, createFixedWork } from '../works.ts'
import { createModalEmulator, grpcOverFetch, type ModalEmulatorOptions } from './index.ts'

const origin = 'https://modal.test'

interface Output {
  readonly result: { readonly status: number; readonly data?: Uint8Array; readonly dataBlobId?: string }
  readonly retryCount: number
  readonly inputStartedAt?: number
  readonly outputCreatedAt: number
}

function setup(more: Partial<ModalEmulatorOptions> = {}) {
  const clock = createSimulatedClock()
  const work = createEchoWork({ clock, durationMs: 10_000 })
  const emulator = createModalEmulator({ clock, random: createRandom(1), work, ...more })
  const middleware = grpcOverFetch(asFetch(emulator), origin)
  async function call(name: string, request: object): Promise<Message> {
    const path = `/modal.client.ModalClient/${name}`
    const { value } = await middleware({ method: { path }, request }, {}).next()
    return { ...(value as object) }
  }
  const functionId = async (objectTag = 'predict') =>
    (await call('FunctionGet', { appName: 'app', objectTag })).functionId
  async function spawn(input: { readonly [field: string]: string | Uint8Array } = { text: 'hi' }): Promise<string> {
    const args = encodeCbor([[], input])
    const request = { functionId: await functionId(), pipelinedInputs: [{ idx: 0, input: { args, dataFormat: 4 } }] }
    return String((await call('FunctionMap', request)).functionCallId)
  }
  async function outputs(functionCallId: string, more: object = {}) {
    const answer = await call('FunctionGetOutputs', { functionCallId, maxValues: 1, ...more })
    const [output] = answer.outputs as Output[]
    return { output, unfinished: answer.numUnfinishedInputs }
  }
  const statusOf = async (id: string) => (await outputs(id)).output?.result.status ?? null
  const stats = async () => await call('FunctionGetCurrentStats', { functionId: await functionId() })
  return { clock, emulator, call, spawn, outputs, statusOf, stats, functionId }
}

test('a call waits for its container, works, and has one result, to the millisecond', async () => {
  const { clock, spawn, outputs } = setup()
  const id = await spawn()
  await clock.advance(2000 + 10_299)
  expect(await outputs(id)).toEqual({ output: undefined, unfinished: 1 })
  await clock.advance(1)
  const { output } = await outputs(id)
  expect(output).toMatchObject({ result: { status: 1 }, retryCount: 0 })
  expect(Number(output?.outputCreatedAt) - Number(output?.inputStartedAt)).toBeCloseTo(10.3, 3)
})

test('asking for outputs waits as long as it is told to, and no longer than the result', async () => {
  const { clock, spawn, outputs } = setup()
  const id = await spawn()
  const began = clock.now()
  const short = outputs(id, { timeout: 5 }).then(() => clock.now() - began)
  const long = outputs(id, { timeout: 55 }).then(() => clock.now() - began)
  await clock.advance(60_000)
  expect(await Promise.all([short, long])).toEqual([5000, 12_300])
})

test('a result is kept for seven days; then there is neither work nor result, and no error', async () => {
  const { clock, spawn, outputs, statusOf } = setup()
  const id = await spawn()
  await clock.advance(12_300 + 7 * 24 * 3_600_000 - 1)
  expect(await statusOf(id)).toBe(1)
  await clock.advance(1)
  expect(await outputs(id)).toEqual({ output: undefined, unfinished: 0 })
})

test('who asks to clear the result on success reads it once', async () => {
  const { clock, spawn, outputs } = setup()
  const id = await spawn()
  await clock.advance(12_300)
  expect((await outputs(id, { clearOnSuccess: true })).output?.result.status).toBe(1)
  expect((await outputs(id)).output).toBeUndefined()
})

test('containers scale from zero to the maximum, idle for a minute and are billed for all of it', async () => {
  const { clock, emulator, spawn, stats } = setup({ maxContainers: 2 })
  for (let count = 0; count < 3; count++) await spawn()
  expect(await stats()).toMatchObject({ backlog: 3, numTotalTasks: 2, numRunningInputs: 0 })
  await clock.advance(2000)
  expect(await stats()).toMatchObject({ backlog: 1, numTotalTasks: 2, numRunningInputs: 2 })
  await clock.advance(2 * 10_300 + 60_000)
  expect(await stats()).toMatchObject({ backlog: 0, numTotalTasks: 0 })
  // Boot, two calls and idling in one container; boot, one call and idling in the other.
  const billed = emulator.state().ledger.map(({ billedMs }) => billedMs)
  expect(billed.reduce((sum, ms) => sum + ms, 0)).toBe(2 * 2000 + 3 * 10_300 + 2 * 60_000)
})

test('a container that is preempted gives its input back, which begins again under the same id', async () => {
  const { clock, emulator, spawn, outputs } = setup({ faults: ['progress-restart@0.5'] })
  const id = await spawn()
  await clock.advance(2000 + 5000 + 2000 + 10_299)
  expect((await outputs(id)).unfinished).toBe(1)
  await clock.advance(1)
  expect((await outputs(id)).output).toMatchObject({ result: { status: 1 }, retryCount: 1 })
  expect(emulator.state().submits).toBe(1)
})

test.each(['worker-killed', 'crash-loop'])(
  '%s is begun again without end, and the caller sees it pending',
  async fault => {
    const { clock, emulator, spawn, outputs, call } = setup({ faults: [fault] })
    const id = await spawn()
    await clock.advance(3_600_000)
    expect(await outputs(id)).toEqual({ output: undefined, unfinished: 1 })
    expect(emulator.state().ledger[0]?.billedMs).toBeGreaterThan(1_000_000)
    await call('FunctionCallCancel', { functionCallId: id })
    await clock.advance(120_000)
    expect((await outputs(id)).output?.result.status).toBe(3)
    expect(emulator.state().running).toBe(0)
  },
)

test("the function's own timeout counts from the newest container, and ends the container with it", async () => {
  const { clock, spawn, statusOf, stats } = setup({ faults: ['stall@0.5'], timeoutMs: 60_000 })
  const id = await spawn()
  await clock.advance(2000 + 59_999)
  expect(await statusOf(id)).toBeNull()
  await clock.advance(1)
  expect(await statusOf(id)).toBe(4)
  expect(await stats()).toMatchObject({ numTotalTasks: 0 })
})

test('a cancel ends a call before and while it runs; the container lives on, unless it is to be terminated', async () => {
  const { clock, call, spawn, statusOf, stats } = setup()
  const [waiting] = [await spawn()]
  await call('FunctionCallCancel', { functionCallId: waiting })
  expect(await statusOf(String(waiting))).toBe(3)
  for (const [terminateContainers, containers] of [
    [false, 1],
    [true, 0],
  ] as const) {
    const id = await spawn()
    await clock.advance(3000)
    await call('FunctionCallCancel', { functionCallId: id, terminateContainers })
    expect([await statusOf(id), (await stats()).numTotalTasks ?? 0]).toEqual([3, containers])
  }
})

test('whether a container has begun with a call can be asked for', async () => {
  const { clock, call, spawn } = setup()
  const functionCallId = await spawn()
  const info = async () => JSON.stringify(await call('FunctionCallGetInfo', { functionCallId }))
  expect(await info()).not.toContain('startedAt')
  await clock.advance(2000)
  expect(await info()).toContain('"startedAt":')
})

test('inputs and results that are too large for a message go by blob', async () => {
  const { clock, call, emulator, functionId } = setup({ answers: 'inline' })
  const { blobId, uploadUrl } = await call('BlobCreate', { contentLength: 3_000_000 })
  const body = encodeCbor([[], { photo: new Uint8Array(3_000_000).fill(7) }])
  await emulator.fetch(new Request(String(uploadUrl), { method: 'PUT', body }))
  const input = { argsBlobId: blobId, dataFormat: 4 }
  const { functionCallId } = await call('FunctionMap', { functionId: await functionId(), pipelinedInputs: [{ input }] })
  await clock.advance(12_300)
  const { outputs } = await call('FunctionGetOutputs', { functionCallId })
  const [output] = outputs as Output[]
  const { downloadUrl } = await call('BlobGet', { blobId: output?.result.dataBlobId })
  const bytes = await (await emulator.fetch(new Request(String(downloadUrl)))).bytes()
  expect(decodeCbor(bytes)).toHaveLength(3_000_000)
})

test.each([
  ['nothing', {}],
  ['more than 2 MiB', { args: new Uint8Array(2 * 1024 * 1024 + 1) }],
  ['a blob that is not there', { argsBlobId: 'bl-nothing' }],
])('an input that is %s is refused', async (_, input) => {
  const { call, emulator, functionId } = setup()
  const answer = call('FunctionMap', { functionId: await functionId(), pipelinedInputs: [{ input }] })
  await expect(answer).rejects.toMatchObject({ code: 3 })
  expect(emulator.state().submits).toBe(0)
})

test('more than the allowance of calls is refused, with the wait in the status details', async () => {
  const { spawn, emulator } = setup()
  const answers = await Promise.allSettled(Array.from({ length: 1001 }, () => spawn()))
  expect(answers.filter(({ status }) => status === 'rejected')).toMatchObject([{ reason: { code: 8 } }])
  expect(emulator.state().submits).toBe(1000)
  emulator.close()
})

const post = { method: 'POST', body: JSON.stringify({ text: 'hi' }) }

test('a web endpoint answers within 150 s, or redirects to a place that does', async () => {
  const { clock, emulator } = setup({ work: slow() })
  const first = emulator.fetch(new Request(`${origin}/web/predict`, post))
  await clock.advance(150_000)
  const { status, headers } = await first
  expect([status, headers.get('location')]).toEqual([
    303,
    expect.stringMatching(/^\/web\/predict\?__modal_function_call_id=fc-/),
  ])
  const place = new URL(headers.get('location') ?? '', origin)
  const again = await emulator.fetch(new Request(place, post))
  expect([again.status, await again.text()]).toEqual([400, 'modal-http: bad redirect method'])
  const second = emulator.fetch(new Request(place))
  await clock.advance(60_000)
  expect(await (await second).json()).toMatchObject({ url: expect.stringContaining('/bucket/') })
  expect(emulator.state().submits).toBe(1)

  function slow(): ModalEmulatorOptions['work'] {
    return (...task) => createEchoWork({ clock, durationMs: 200_000 })(...task)
  }
})

test('a web endpoint with proxy authentication refuses who has none', async () => {
  const { emulator } = setup({ proxyKey: 'wk-1', proxySecret: 'ws-1' })
  const answer = await emulator.fetch(new Request(`${origin}/web/predict`, post))
  expect([answer.status, await answer.text()]).toEqual([401, 'modal-http: missing credentials for proxy authorization'])
})

test("a function's bucket outlives its result", async () => {
  const clock = createSimulatedClock()
  const bytes = new TextEncoder().encode('done')
  const work = createFixedWork({ clock, name: 'a.txt', mediaType: 'text/plain', bytes })
  const { emulator, spawn, outputs } = setup({ clock, work })
  const id = await spawn()
  await clock.advance(12_300)
  const { url } = decodeCbor((await outputs(id)).output?.result.data ?? new Uint8Array()) as { url: string }
  await clock.advance(8 * 24 * 3_600_000)
  expect((await outputs(id)).output).toBeUndefined()
  expect(await (await emulator.fetch(new Request(url))).text()).toBe('done')
})
