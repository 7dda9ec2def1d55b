import { expect, test } from 'vitest'
import { koyeb } from '../../providers/koyeb/index.ts'
import { type End, good, predict } from '../../testing/test-prediction.ts'
import { faultsAt } from '../catalogue.ts'
import { endAfter } from '../cog/test-support.ts'
import { createKoyebEmulator, type KoyebEmulatorOptions } from './index.ts'

interface Place {
  /** The model is our kit: hello, upload by signed link. Default true. */
  readonly kit?: boolean
  readonly emulator?: Partial<KoyebEmulatorOptions>
  /** Milliseconds that the work takes. Default 10 s. */
  readonly durationMs?: number
}

function run(faults: readonly string[], { kit = true, emulator = {}, durationMs }: Place = {}): Promise<End> {
  return predict(faults, {
    emulator: parts => createKoyebEmulator({ ...parts, ...emulator }),
    provider: () => koyeb({ baseUrl: 'https://koyeb.test' }),
    target: { hardware: 'gpu-nvidia-l4', kit },
    beginAfterMs: 10_000,
    durationMs,
  })
}

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
  expect(await run([], { durationMs: 90_000, emulator: { idleMs: 40_000 } })).toEqual({ ...good, submits: 1 })
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
