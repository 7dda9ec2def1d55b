import { expect, onTestFinished, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { faultCatalogue, faultsAt } from '../catalogue.ts'
import { createEchoWork } from '../works.ts'
import { createKoyebEmulator, type KoyebEmulatorOptions } from './index.ts'

function setup(more: Partial<KoyebEmulatorOptions> = {}) {
  const clock = createSimulatedClock()
  const heard: unknown[] = []
  const emulator = createKoyebEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs: 60_000 }),
    wakeMs: 20_000,
    bootMs: 10_000,
    idleMs: 30_000,
    async send(input, init) {
      heard.push(await new Request(input, init).json())
      return new Response('')
    },
    ...more,
  })
  onTestFinished(() => {
    emulator.close()
    expect(clock.waiting).toBe(0)
  })
  const call = (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
    emulator.fetch(
      new Request(`https://koyeb.test${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) }),
    )
  const look = async () => {
    const response = await call('GET', '/health-check')
    return response.ok ? ((await response.json()) as { status: string }).status : response.status
  }
  const start = async (id: string) =>
    (await call('PUT', `/predictions/${id}`, { webhook: 'https://us.test/' }, { prefer: 'respond-async' })).status
  const instance = async () => {
    const response = await call('GET', '/v1/instances?service_id=service-1', undefined, { authorization: 'Bearer t' })
    return ((await response.json()) as { instances: { status: string }[] }).instances[0]?.status
  }
  return { clock, emulator, heard, call, look, start, instance }
}

test('a request wakes it, the model sets up, and without traffic it sleeps again', async () => {
  const { clock, look, instance } = setup()
  expect([await instance(), await look(), await instance()]).toEqual(['SLEEPING', 503, 'STARTING'])
  await clock.advance(19_999)
  expect(await look()).toBe(503)
  await clock.advance(1)
  expect([await look(), await instance()]).toEqual(['STARTING', 'HEALTHY'])
  await clock.advance(10_000)
  expect(await look()).toBe('READY')
  await clock.advance(29_999)
  expect(await instance()).toBe('HEALTHY')
  await clock.advance(1)
  expect(await instance()).toBe('SLEEPING')
})

test('work in the background does not keep it awake: it is lost without a word', async () => {
  const { clock, emulator, heard, start, instance, look } = setup({ awake: true, bootMs: 0 })
  expect(await start('a')).toBe(202)
  await clock.advance(40_000)
  expect(await instance()).toBe('SLEEPING')
  await clock.advance(1_000_000)
  expect(heard.map(each => (each as { status: string }).status)).not.toContain('succeeded')
  expect(emulator.state()).toMatchObject({ submits: 1, running: 0, ledger: [{ status: 'lost', billedMs: 30_000 }] })
  await look()
  await clock.advance(20_000)
  expect(await look()).toBe('READY')
})

test('whoever looks often enough keeps it awake to the end', async () => {
  const { clock, heard, start, look } = setup({ awake: true, bootMs: 0 })
  await start('a')
  for (let looks = 0; looks < 4; looks++) {
    await clock.advance(20_000)
    await look()
  }
  expect(heard.at(-1)).toMatchObject({ id: 'a', status: 'succeeded' })
})

test('an edge that holds answers as soon as the instance is there, or gives up', async () => {
  const patient = setup({ whileWaking: 'hold', bootMs: 0 })
  const answer = patient.look()
  await patient.clock.advance(20_000)
  expect(await answer).toBe('READY')
  const impatient = setup({ whileWaking: 'hold', requestMs: 5_000 })
  const refused = impatient.look()
  await impatient.clock.advance(5_000)
  expect(await refused).toBe(504)
})

test('a request that takes too long is cut at the edge, and its run is cancelled by the container', async () => {
  const { clock, emulator, call } = setup({ awake: true, bootMs: 0, requestMs: 10_000 })
  const answer = call('POST', '/predictions', { input: {} })
  await clock.advance(10_000)
  const response = await answer
  expect([response.status, response.headers.get('x-koyeb-glb')]).toEqual([504, 'fra'])
  expect(emulator.state().ledger).toMatchObject([{ status: 'canceled', billedMs: 10_000 }])
})

test.each([
  ['boot-forever', 1_000_000, [503, 503]],
  ['boot-slow@60', 59_999, [503, 503]],
  ['boot-slow@60', 60_000, [503, 'STARTING']],
])('%s is a waking: after %d ms', async (fault, waitMs, seen) => {
  const { clock, look } = setup({ faults: [fault] })
  const first = await look()
  await clock.advance(waitMs)
  expect([first, await look()]).toEqual(seen)
})

test('edge-404 hides a container that goes on', async () => {
  const { clock, start, look } = setup({ awake: true, bootMs: 0, faults: ['edge-404@20*1'] })
  expect([await start('a'), await look()]).toEqual([404, 404])
  await clock.advance(20_000)
  expect([await look(), await start('a')]).toEqual(['READY', 202])
})

test('sleeps-while-working takes the run with it, whatever the traffic', async () => {
  const { clock, emulator, start, look, instance } = setup({
    awake: true,
    bootMs: 0,
    faults: ['sleeps-while-working@5'],
  })
  await start('a')
  await clock.advance(4_999)
  expect(await look()).toBe('BUSY')
  await clock.advance(1)
  expect([await instance(), emulator.state().running]).toEqual(['SLEEPING', 0])
})

test("Koyeb's API knows one service, and asks for its token", async () => {
  const { call } = setup({ token: 't', service: 's-1' })
  const bearer = { authorization: 'Bearer t' }
  const service = await call('GET', '/v1/services/s-1', undefined, bearer)
  expect(await service.json()).toMatchObject({ service: { id: 's-1', status: 'HEALTHY' } })
  const statuses = [
    await call('GET', '/v1/services/s-1'),
    await call('GET', '/v1/services/s-2', undefined, bearer),
    await call('DELETE', '/v1/services/s-1', undefined, bearer),
  ]
  expect(statuses.map(({ status }) => status)).toEqual([401, 404, 405])
})

test("every fault of the collection that can happen at Koyeb's edge has a name", () => {
  const named = new Set<number>(faultsAt('koyeb').flatMap(name => [...faultCatalogue[name].numbers]))
  // What a Cog server can do as well is in its own list.
  expect([3, 5, 7, 23].filter(number => !named.has(number))).toEqual([])
  expect(faultsAt('koyeb')).toEqual(expect.arrayContaining([...faultsAt('cog')]))
})
