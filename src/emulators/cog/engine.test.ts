import { describe, expect, test } from 'vitest'
import { cog } from '../../providers/cog/index.ts'
import { type End, good, predict, type Setting } from '../../testing/test-prediction.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { createCogEmulator } from './index.ts'
import { endAfter } from './test-support.ts'

interface Place extends Partial<Pick<Setting, 'emulator' | 'reachable' | 'beginAfterMs'>> {
  /** The model is our kit: hello, upload by signed link. */
  readonly kit?: boolean
}

describe.each(['coglet', 'python'] as const)('%s', version => {
  const run = (faults: readonly string[], { kit = true, ...more }: Place = {}): Promise<End> =>
    predict(faults, {
      emulator: parts => createCogEmulator({ ...parts, version }),
      provider: () => cog({ baseUrl: 'https://cog.test' }),
      target: { pricePerSecond: 0.0002, kit },
      // The server is ready by then.
      beginAfterMs: 10_000,
      ...more,
    })

  test.each(faultsAt('cog').filter(name => name !== 'worker-crash'))(
    '%s, once, with our kit: the prediction ends well, with as few runs as can be',
    async name => {
      expect(await run([`${name}*1`])).toEqual(endAfter(name, true))
    },
  )

  test.each(faultsAt('cog').filter(name => name !== 'worker-crash'))(
    "%s, once, with a stranger's model",
    async name => {
      expect(await run([`${name}*1`], { kit: false })).toEqual(endAfter(name, false))
    },
  )

  test('a lost start is one run: the hello, or else the first webhook, tells of it', async () => {
    expect(await run(['accept-then-reset'])).toEqual({ ...good, submits: 1 })
    expect(await run(['accept-then-reset', 'hello-lost'])).toEqual({ ...good, submits: 1 })
    expect(await run(['accept-then-reset', 'webhook-lost'])).toEqual({ ...good, submits: 1 })
  })

  test("a lost start of a stranger's model whose webhooks are lost too is a second run, not an endless wait", async () => {
    const end = await run(['accept-then-reset*1', 'webhook-lost*1'], { kit: false })
    expect(end).toEqual({ ...good, submits: 2 })
  })

  test('a last word that nobody knows ends nothing: the run is given up as stalled, and the server says that it is over', async () => {
    expect(await run(['weird-status@end*1'], { kit: false })).toEqual({ ...good, submits: 2 })
  })

  test('a server that is still setting up is waited for, without spending the attempts', async () => {
    const emulator: Setting['emulator'] = parts => createCogEmulator({ ...parts, version, bootMs: 400_000 })
    expect(await run([], { emulator, beginAfterMs: 0 })).toEqual({ ...good, submits: 1 })
  })

  test('a place that others hold is waited for, and a busy server is no failure of the deployment', async () => {
    expect(await run(['create-409*8'])).toEqual({ ...good, submits: 1 })
  })

  test('a server that nobody can call back from is refused before anything runs', async () => {
    const end = { ...good, status: 'failed', code: 'no_route_for_bytes', submits: 0 }
    expect(await run([], { reachable: false })).toEqual(end)
    expect(await run([], { reachable: false, kit: false })).toEqual(end)
  })

  test.each([
    ['stall', 'stalled', 3],
    ['create-refused', 'provider_unreachable', 0],
    ['webhook-lost', 'stalled', 3],
  ] as const)(
    '%s, each time: the prediction fails in time, and nothing is left running',
    async (name, code, submits) => {
      const end = await run([name], { kit: false })
      expect(end).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
    },
  )

  test('many faults at once: one output, one run', async () => {
    const plan = ['create-504', 'status-503', 'status-429@date', 'progress-back', 'webhook-reordered', 'hello-lost']
    expect(await run(plan)).toEqual({ ...good, submits: 1 })
  })

  test('a worker that dies takes its server with it: the account says so instead of trying for ever', async () => {
    // coglet refuses everything from then on, Python's server is gone.
    const code = version === 'coglet' ? 'no_capacity' : 'provider_unreachable'
    expect(await run(['worker-crash*1'])).toEqual({ status: 'failed', code, submits: 1, running: 0, settled: true })
  })
})

/** What costs a run besides, where nothing tells of it but the answer that ends it: coglet cancels it with the connection. */
const lostWithConnection: readonly FaultName[] = [
  'accept-then-reset',
  'create-500',
  'create-502',
  'create-504',
  'create-524',
  'create-html-200',
  'create-error-object-200',
  'create-hang',
]

describe('held, without a public URL', () => {
  const run = (faults: readonly string[], { kit = false, ...more }: Place = {}): Promise<End> =>
    predict(faults, {
      emulator: createCogEmulator,
      provider: () => cog({ baseUrl: 'https://cog.test', mode: 'held' }),
      target: { pricePerSecond: 0.0002, kit },
      reachable: false,
      beginAfterMs: 10_000,
      ...more,
    })

  test.each(faultsAt('cog').filter(name => !/^(status|webhook|cancel|hello)-/.test(name)))('%s, once', async name => {
    const end = lostWithConnection.includes(name) ? { ...good, submits: 2 } : endAfter(name, false)
    expect(await run([`${name}*1`])).toEqual(end)
  })

  test('a server that is still setting up is waited for', async () => {
    const emulator: Setting['emulator'] = parts => createCogEmulator({ ...parts, bootMs: 400_000 })
    expect(await run([], { emulator, beginAfterMs: 0 })).toEqual({ ...good, submits: 1 })
  })

  test('our kit, which needs a public URL, uploads as ever, and its hello does not cut its own connection', async () => {
    expect(await run([], { kit: true, reachable: true })).toEqual({ ...good, submits: 1 })
    const refused = { ...good, status: 'failed', code: 'no_route_for_bytes', submits: 0 }
    expect(await run([], { kit: true })).toEqual(refused)
  })

  test("a run that Python's server goes on with after the connection is closed keeps its only place", async () => {
    const emulator: Setting['emulator'] = parts => createCogEmulator({ ...parts, version: 'python' })
    const end = await run(['stall*1'], { emulator })
    expect(end).toEqual({ status: 'failed', code: 'rate_limited', submits: 1, running: 1, settled: true })
  })
})
