import { expect, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { createRunpodEmulator } from './index.ts'

function setup() {
  const clock = createSimulatedClock()
  const emulator = createRunpodEmulator({
    clock,
    random: createRandom(1),
    workers: 'outside',
    work: () => Promise.reject(new Error('real workers do the work')),
  })
  const call = async (method: string, path: string, body?: object) => {
    const init = { method, headers: { authorization: 'key' }, ...(body && { body: JSON.stringify(body) }) }
    const response = await emulator.fetch(new Request(`https://runpod.test/v2/ep/${path}`, init))
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as Record<string, unknown>) }
  }
  const run = async () => String((await call('POST', 'run', { input: { text: 'hi' } })).body?.id)
  return { clock, emulator, call, run }
}

test('a job waits for a real worker, shows its progress, and ends with its result', async () => {
  const { clock, emulator, call, run } = setup()
  const taken = call('GET', 'job-take/w1?gpu=none&job_in_progress=0')
  await clock.advance(5_000)
  const id = await run()
  expect(await taken).toMatchObject({ status: 200, body: { id, input: { text: 'hi' } } })
  await call('POST', `job-done/w1/${id}?isStream=false`, { status: 'IN_PROGRESS', output: { fraction: 0.4 } })
  expect(await call('GET', `status/${id}`)).toMatchObject({
    body: { status: 'IN_PROGRESS', output: { fraction: 0.4 } },
  })
  await clock.advance(3_000)
  await call('POST', `job-done/w1/${id}?isStream=false`, { output: { fine: true } })
  expect(await call('GET', `status/${id}`)).toMatchObject({
    body: { status: 'COMPLETED', output: { fine: true }, executionTime: 3_000, workerId: 'w1' },
  })
  expect(emulator.state().ledger).toMatchObject([{ billedMs: 3_000, isRunning: false }])
})

test('nothing to do is 204 after a while, and never 200', async () => {
  const { clock, call } = setup()
  const asked = call('GET', 'job-take/w1?x=1')
  await clock.advance(20_000)
  expect((await asked).status).toBe(204)
})

test("a handler's error fails the job; what comes of it afterwards changes nothing", async () => {
  const { call, run } = setup()
  const id = await run()
  await call('GET', 'job-take/w1?x=1')
  await call('POST', `job-done/w1/${id}`, { error: '[surefoot:no_gpu] none' })
  await call('POST', `job-done/w1/${id}`, { output: 'late' })
  expect((await call('GET', `status/${id}`)).body).toMatchObject({ status: 'FAILED', error: '[surefoot:no_gpu] none' })
})

test('a job that is cancelled is named to its worker, once', async () => {
  const { clock, call, run } = setup()
  const id = await run()
  await call('GET', 'job-take/w1?x=1')
  const told = call('GET', 'job-stop/w1?x=1')
  await clock.advance(1_000)
  await call('POST', `cancel/${id}`)
  expect(await told).toEqual({ status: 200, body: { jobsToStop: [id] } })
  const again = call('GET', 'job-stop/w1?x=1')
  await clock.advance(20_000)
  expect((await again).status).toBe(204)
})

test('a result over the limit is refused to the worker, and the job has ended without one', async () => {
  const { call, run } = setup()
  const id = await run()
  await call('GET', 'job-take/w1?x=1')
  expect((await call('POST', `job-done/w1/${id}`, { output: 'x'.repeat(10_000_000) })).status).toBe(400)
  const { body } = await call('GET', `status/${id}`)
  expect(body?.status).toBe('COMPLETED')
  expect(body).not.toHaveProperty('output', expect.any(String))
})
