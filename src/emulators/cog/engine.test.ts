import { describe, expect, test } from 'vitest'
import { cog } from '../../providers/cog/index.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { createCogEmulator } from './index.ts'
import { predict, type Setting } from './test-support.ts'

const good = { status: 'succeeded', code: null, running: 0, settled: true }

/** What the caller, the configuration or the machine's owner must change first: no second run at the same place. */
const final = new Map<FaultName, string>([
  ['create-401', 'auth_rejected'],
  ['create-402', 'payment_required'],
  ['create-403', 'account_locked'],
  ['create-404', 'deployment_missing'],
  ['create-413', 'input_too_large'],
  ['create-422', 'input_invalid'],
  ['boot-forever', 'rate_limited'],
  ['setup-failed', 'boot_timeout'],
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
])
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  ...(['status-404-later', 'stall', 'cuda-poisoned', 'model-error', 'upload-error'] as const),
  ...(['output-short', 'output-corrupt'] as const),
]
/** What costs the output of a stranger's model, which nobody but its last webhook names. */
const twiceWithout: readonly FaultName[] = [
  ...twice,
  ...(['webhook-lost', 'empty-output', 'output-path', 'output-expired', 'output-truncated', 'output-hang'] as const),
]

describe.each(['coglet', 'python'] as const)('%s', version => {
  const run = (faults: readonly string[], more: Partial<Setting> = {}) =>
    predict(faults, {
      provider: cog({ baseUrl: 'https://cog.test' }),
      target: { pricePerSecond: 0.0002 },
      create: options => createCogEmulator({ ...options, version }),
      ...more,
    })

  test.each(faultsAt('cog').filter(name => name !== 'worker-crash'))(
    '%s, once, with our kit: the prediction ends well, with as few runs as can be',
    async name => {
      const code = final.get(name)
      if (code !== undefined) expect(await run([`${name}*1`])).toMatchObject({ ...good, status: 'failed', code })
      else expect(await run([`${name}*1`])).toEqual({ ...good, submits: twice.includes(name) ? 2 : 1 })
    },
  )

  test.each(faultsAt('cog').filter(name => !final.has(name) && name !== 'worker-crash'))(
    "%s, once, with a stranger's model",
    async name => {
      const submits = twiceWithout.includes(name) ? 2 : 1
      expect(await run([`${name}*1`], { kit: false })).toEqual({ ...good, submits })
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
    const create: Setting['create'] = options => createCogEmulator({ ...options, version, bootMs: 400_000 })
    expect(await run([], { create, beginAfterMs: 0 })).toEqual({ ...good, submits: 1 })
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
