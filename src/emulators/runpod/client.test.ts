import runpodSdk, { type EndpointInputPayload } from 'runpod-sdk'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock as clock } from '../../engine/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { serveEmulator } from '../serve.ts'
import { createEchoWork } from '../works.ts'
import { createRunpodEmulator } from './index.ts'

/** The vendor's published client against the emulator, on a real port, told nothing but the base URL. */
async function setup(faults: string[] = [], more: { durationMs?: number; maxWorkers?: number } = {}) {
  // It talks on the console while it waits.
  vi.spyOn(console, 'log').mockReturnValue()
  const { durationMs = 20, maxWorkers = 3 } = more
  const emulator = createRunpodEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs, steps: 4 }),
    faults,
    apiKey: 'rpa_good',
    answers: 'inline',
    bootMs: 5,
    maxWorkers,
  })
  const served = await serveEmulator(emulator)
  onTestFinished(() => served.close())
  const baseUrl = `${served.origin}/v2`
  const endpoint = (apiKey = 'rpa_good') => {
    const opened = runpodSdk(apiKey, { baseUrl }).endpoint('abc123')
    if (opened === null) throw new Error('the client wants an endpoint')
    return opened
  }
  return { emulator, endpoint, baseUrl, runpod: endpoint() }
}

const photo = `data:image/png;base64,${Buffer.from('a photo').toString('base64')}`
const request: EndpointInputPayload = { input: { photo }, policy: { executionTimeout: 60_000, ttl: 60_000 } }
const never = { durationMs: 3_600_000 }

test('run() gives an id at once; status() and statusSync() follow it to the result', async () => {
  const { runpod } = await setup()
  const started = await runpod.run(request)
  expect(started).toEqual({ id: expect.stringMatching(/-u1$/), status: 'IN_QUEUE' })
  const done = await runpod.statusSync(started.id)
  expect(done).toMatchObject({ id: started.id, status: 'COMPLETED', completed: true, succeeded: true })
  expect(done).toMatchObject({ delayTime: expect.any(Number), executionTime: expect.any(Number) })
  expect(done).toHaveProperty('output.file', photo)
  expect(await runpod.status(started.id)).toEqual(done)
})

test('runSync() waits for the result, first by /runsync and then by /status-sync', async () => {
  const { runpod } = await setup()
  expect(await runpod.runSync(request)).toMatchObject({
    id: expect.stringMatching(/^sync-/),
    status: 'COMPLETED',
    completed: true,
    output: { file: photo },
  })
})

test('a job that runs is in progress for status(), with its last word of progress as output', async () => {
  const { runpod } = await setup(['stall@0.5'])
  const { id } = await runpod.run(request)
  const seen = await vi.waitFor(async () => {
    const status = await runpod.status(id)
    expect(status).toHaveProperty('output.pct', 50)
    return status
  })
  expect(seen).toMatchObject({ status: 'IN_PROGRESS', completed: false, succeeded: false })
})

test('stream() yields each chunk once and ends with the job', async () => {
  const { runpod } = await setup()
  const { id } = await runpod.run(request)
  const chunks: unknown[] = []
  for await (const chunk of runpod.stream(id)) chunks.push(chunk)
  expect(chunks).toMatchObject([25, 50, 75, 100].map(pct => ({ output: { pct } })))
})

test('cancel() ends a job for good, and one that is over stays as it is', async () => {
  const { runpod, emulator } = await setup([], never)
  const { id } = await runpod.run(request)
  expect(await runpod.cancel(id)).toEqual({ id, status: 'CANCELLED' })
  expect(await runpod.status(id)).toMatchObject({ status: 'CANCELLED', completed: true, succeeded: false })
  expect(emulator.state().running).toBe(0)
  expect(await runpod.cancel(id)).toEqual({ id, status: 'CANCELLED' })
})

test('health() and purgeQueue() tell what waits and what works', async () => {
  const { runpod } = await setup([], { ...never, maxWorkers: 1 })
  await runpod.run(request)
  await vi.waitFor(async () => expect((await runpod.health()).workers.running).toBe(1))
  const { id } = await runpod.run(request)
  const health = await runpod.health()
  expect(health.jobs).toEqual({ completed: 0, failed: 0, inProgress: 1, inQueue: 1, retried: 0 })
  expect(health.workers).toMatchObject({ idle: 0, initializing: 0, ready: 0, running: 1, throttled: 0 })
  expect(await runpod.purgeQueue()).toEqual({ removed: 1, status: 'completed' })
  expect(await runpod.status(id)).toMatchObject({ status: 'CANCELLED' })
})

test("a handler's exception is a failed job with the exception as JSON in a string", async () => {
  const { runpod } = await setup(['model-error'])
  const failed = await runpod.runSync(request)
  expect(failed).toMatchObject({ status: 'FAILED', completed: true, succeeded: false })
  expect(JSON.parse((failed as { error?: string }).error ?? '')).toMatchObject({
    error_type: "<class 'ValueError'>",
    worker_id: expect.any(String),
  })
})

test.each([
  ['create-400', 400],
  ['create-402', 402],
  ['create-429', 429],
  ['create-502', 502],
])('%s reaches the caller as the status %d, after one request', async (fault, status) => {
  const { runpod } = await setup([fault])
  await expect(runpod.run(request)).rejects.toMatchObject({ response: { status } })
})

test('a wrong key is refused by every call, and an unknown job is not found', async () => {
  const { endpoint, runpod, emulator } = await setup()
  const stranger = endpoint('rpa_bad')
  const unauthorised = { response: { status: 401 } }
  await expect(stranger.run(request)).rejects.toMatchObject(unauthorised)
  await expect(stranger.runSync(request)).rejects.toMatchObject(unauthorised)
  await expect(stranger.health()).rejects.toMatchObject(unauthorised)
  expect(emulator.state().submits).toBe(0)
  await expect(runpod.status('nobody')).rejects.toMatchObject({ response: { status: 404 } })
  await expect(runpod.cancel('nobody')).rejects.toMatchObject({ response: { status: 404 } })
})

test.each([
  ['GET', 'requests', 404],
  ['POST', 'batch', 404],
  ['GET', 'nonsense', 404],
  ['GET', 'status', 404],
  ['GET', 'run', 405],
  ['POST', 'health', 405],
])('what the emulator does not offer is refused as a server refuses it: %s /%s is %d', async (method, verb, status) => {
  const { baseUrl } = await setup()
  const headers = { authorization: 'Bearer rpa_good' }
  const response = await fetch(`${baseUrl}/abc123/${verb}`, { method, headers })
  expect([response.status, await response.json()]).toEqual([status, { error: expect.any(String) }])
})

test('the client gives up on a slow /run, and the id of the job that was started is lost', async () => {
  const { runpod, emulator } = await setup(['create-hang'])
  await expect(runpod.run(request, 100)).rejects.toThrow('timeout of 100ms exceeded')
  expect(emulator.state().submits).toBe(1)
})

test('a start that is accepted and then cut costs one job, whose id is lost', async () => {
  const { runpod, emulator } = await setup(['accept-then-reset'])
  await expect(runpod.run(request)).rejects.toThrow('fetch failed')
  expect(emulator.state().submits).toBe(1)
})
