import { expect, test } from 'vitest'
import { koyeb } from '../../providers/koyeb/index.ts'
import { faultsAt } from '../catalogue.ts'
import { endAfter, good, predict, type Setting } from '../cog/test-support.ts'
import { createFixedWork } from '../works.ts'
import { createKoyebEmulator, type KoyebEmulatorOptions } from './index.ts'

type More = Partial<Setting> & { readonly emulator?: Partial<KoyebEmulatorOptions> }

const run = (faults: readonly string[], { emulator = {}, ...more }: More = {}) =>
  predict(faults, {
    provider: koyeb({ baseUrl: 'https://koyeb.test' }),
    target: { hardware: 'gpu-nvidia-l4' },
    create: options => createKoyebEmulator({ ...options, ...emulator }),
    ...more,
  })

test.each(faultsAt('koyeb'))(
  '%s, once, at a service that sleeps, with our kit: the prediction ends well, with as few runs as can be',
  async name => {
    expect(await run([`${name}*1`])).toEqual(endAfter(name, true))
  },
)

test.each(faultsAt('koyeb'))("%s, once, with a stranger's model", async name => {
  expect(await run([`${name}*1`], { kit: false })).toEqual(endAfter(name, false))
})

test.each([404, 503, 'hold'] as const)(
  'a service that takes minutes to wake, and says %s meanwhile, is waited for and runs once',
  async whileWaking => {
    const emulator = { whileWaking, wakeMs: 240_000, bootMs: 30_000 }
    expect(await run([], { emulator })).toEqual({ ...good, submits: 1 })
  },
)

test('an edge that goes away for a while fails nothing, before the start or after it', async () => {
  expect(await run(['edge-404@45*1'], { emulator: { awake: true, bootMs: 0 } })).toEqual({ ...good, submits: 1 })
})

test('polls keep the service awake: a run longer than its idle time ends well', async () => {
  const create: Setting['create'] = options => {
    const bytes = new TextEncoder().encode('done')
    const given = { name: 'text.txt', mediaType: 'text/plain', bytes }
    const work = createFixedWork({ clock: options.clock, durationMs: 90_000, ...given })
    return createKoyebEmulator({ ...options, work, idleMs: 40_000 })
  }
  expect(await run([], { create })).toEqual({ ...good, submits: 1 })
})

test('a service that never wakes costs nothing and fails in time', async () => {
  const end = { status: 'failed', submits: 0, running: 0, settled: true }
  expect(await run(['boot-forever'])).toEqual({ ...end, code: 'rate_limited' })
  expect(await run(['boot-forever'], { emulator: { whileWaking: 'hold' } })).toEqual({
    ...end,
    code: 'deadline_exceeded',
  })
})

test('a service that is put to sleep each time: the prediction fails in time, and nothing is left running', async () => {
  const end = await run(['sleeps-while-working'], { kit: false })
  expect(end).toEqual({ status: 'failed', code: 'stalled', submits: 3, running: 0, settled: true })
})
