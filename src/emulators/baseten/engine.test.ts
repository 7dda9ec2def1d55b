import { expect, test } from 'vitest'
import { baseten } from '../../providers/baseten/index.ts'
import {
  type End,
  good,
  type OpenedEngine,
  openEngine,
  predict as predictAt,
  type Setting,
  wish,
} from '../../testing/test-prediction.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { createBasetenEmulator } from './index.ts'

interface Place {
  /** The model is our kit: hello, upload by signed link. Default true. */
  readonly kit?: boolean
  /** Default `async`. */
  readonly mode?: 'async' | 'held'
  readonly reachable?: boolean
}

function settingOf({ kit = true, mode = 'async', reachable = true }: Place): Setting {
  return {
    emulator: parts => createBasetenEmulator({ ...parts, webhookSecrets: ['whsec_new', 'whsec_old'] }),
    provider: () => baseten({ apiKey: 'k', mode, baseUrl: 'https://baseten.test', webhookSecrets: ['whsec_old'] }),
    target: { model: 'abcd1234', hardware: 'l4', kit },
    reachable,
  }
}

function predict(faults: readonly string[], place: Place = {}): Promise<End> {
  return predictAt(faults, settingOf(place))
}

function open({ faults, ...place }: Place & { readonly faults: readonly string[] }): Promise<OpenedEngine> {
  return openEngine(faults, settingOf(place))
}

/** What the caller or the configuration must change first: no second run at the same place. */
const final = new Map<FaultName, readonly [code: string, submits: number]>([
  ['create-400', ['input_invalid', 0]],
  ['create-401', ['auth_rejected', 0]],
  ['create-402', ['payment_required', 0]],
  ['create-403', ['account_locked', 0]],
  ['create-404', ['deployment_missing', 0]],
  ['create-413', ['input_too_large', 0]],
  ['deactivated', ['deployment_missing', 1]],
])
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  // A cold start counts as queue here, and this one is longer than the policy's five minutes for that.
  'boot-slow',
  ...(['queue-forever', 'boot-forever', 'timed-out', 'not-ready', 'stall', 'oom', 'cuda-poisoned'] as const),
  ...(['model-error', 'upload-error', 'output-short', 'output-corrupt'] as const),
]
/** What also costs the result of a model that is no kit: it comes by webhook only, and by a link to a bucket. */
const twiceWithout: readonly FaultName[] = [
  ...twice,
  ...(['webhook-lost', 'webhook-skewed', 'webhook-swallowed', 'status-404-later'] as const),
  ...(['empty-output', 'output-expired', 'output-truncated', 'output-hang'] as const),
  // A stranger's exception is hidden: that its memory ran out looks like any other error.
  'cuda-oom',
]
/** What stalls goes on at Baseten until its own end. */
const runsOn: readonly FaultName[] = ['stall']

test.each(faultsAt('baseten'))(
  '%s, once, with our kit: the prediction ends well, with as few runs as can be',
  async name => {
    const [code, submits = 1] = name === 'cuda-oom' ? ['out_of_memory'] : (final.get(name) ?? [])
    const end = await predict([`${name}*1`])
    if (code !== undefined) expect(end).toEqual({ ...good, status: 'failed', code, submits })
    else expect(end).toEqual({ ...good, submits: twice.includes(name) ? 2 : 1, running: runsOn.includes(name) ? 1 : 0 })
  },
)

test.each(faultsAt('baseten').filter(name => !final.has(name)))('%s, once, with a model that is no kit', async name => {
  const submits = twiceWithout.includes(name) ? 2 : 1
  const running = runsOn.includes(name) ? 1 : 0
  expect(await predict([`${name}*1`], { kit: false })).toEqual({ ...good, submits, running })
})

test('a lost start is one run: the hello gives its id, and where that is lost, the webhook of its end', async () => {
  expect(await predict(['accept-then-reset'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['accept-then-reset', 'hello-lost'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['accept-then-reset', 'webhook-lost'])).toEqual({ ...good, submits: 1 })
})

test('a lost start whose webhook is lost too is a second run, not an endless wait', async () => {
  expect(await predict(['accept-then-reset*1', 'webhook-lost*1'], { kit: false })).toEqual({ ...good, submits: 2 })
})

test('where the webhook is always lost only a kit gets its result home, and the failure says why', async () => {
  expect(await predict(['webhook-lost'])).toEqual({ ...good, submits: 1 })
  const { engine, clock, close } = await open({ faults: ['webhook-lost'], kit: false })
  const { record } = await engine.create(wish)
  await clock.advance(30 * 60_000)
  const { failure } = (await engine.get(record.id))?.record ?? {}
  await close()
  expect(failure?.code).toBe('output_lost')
  expect(failure?.message).toContain('its webhook could not be delivered (Baseten tries twice), and Baseten keeps no')
})

test('a forged webhook changes nothing, a late one is waited for, a doubled one is one', async () => {
  const plan = ['webhook-forged', 'webhook-late@60', 'webhook-duplicate']
  expect(await predict(plan, { kit: false })).toEqual({ ...good, submits: 1 })
})

test('without a public URL nothing is even created, because no result could come back', async () => {
  const { engine, emulator, close } = await open({ faults: [], reachable: false })
  await expect(engine.create(wish)).rejects.toMatchObject({ failure: { code: 'no_route_for_bytes' } })
  expect(emulator.state().submits).toBe(0)
  await close()
})

test.each([
  ['before it runs', ['queue-forever', 'cancel-lost'], 1, 0],
  ['while it runs, which goes on to its end', [], 1, 0],
  ['in vain, because it hangs', ['stall'], 1, 1],
] as const)('a cancel %s ends the prediction at once and the account in time', async (_, faults, submits, running) => {
  const { engine, clock, emulator, close } = await open({ faults })
  const { record } = await engine.create(wish)
  await clock.advance(8_000)
  await engine.cancel(record.id)
  await clock.advance(0)
  expect((await engine.get(record.id))?.record.status).toBe('canceled')
  await clock.advance(15 * 60_000)
  const last = (await engine.get(record.id))?.record
  expect([last?.settledAt === null, last?.output]).toEqual([false, null])
  expect(emulator.state()).toMatchObject({ submits, running })
  await close()
})

test.each([[true], [false]])('what a run cost is known although its webhook does not tell (kit: %s)', async kit => {
  const { engine, clock, close } = await open({ faults: ['hello-lost'], kit })
  const { record } = await engine.create(wish)
  await clock.advance(30_000)
  const [attempt] = (await engine.get(record.id))?.record.attempts ?? []
  await close()
  // Two seconds of boot, ten of work and 0.3 for the answer, in whole seconds, of an L4.
  expect(attempt?.cost).toEqual({ amount: (13 * 0.01414) / 60, currency: 'USD', estimated: true })
})

test.each([
  ['stall', 'deadline_exceeded', 3, 3],
  ['not-ready', 'boot_timeout', 3, 0],
  ['create-refused', 'provider_unreachable', 0, 0],
  ['create-503', 'start_unknown', 0, 0],
] as const)('%s, each time: the prediction fails in time', async (name, code, submits, running) => {
  expect(await predict([name])).toEqual({ status: 'failed', code, submits, running, settled: true })
})

test('many faults at once: one output, few runs', async () => {
  const plan = ['create-504', 'status-503', 'status-429@date', 'progress-restart', 'webhook-duplicate']
  expect(await predict(plan)).toEqual({ ...good, submits: 1 })
})

/** On a held connection nothing is asked, heard or cancelled. */
const heldFaults = faultsAt('baseten').filter(
  name => !final.has(name) && !/^((status|webhook|cancel|hello)-|weird-status|html-200|error-object-200)/.test(name),
)
const heldTwice: readonly FaultName[] = twice.filter(name => name !== 'boot-slow')
/** What also costs the answer of a model that is no kit: there is no other way to its result. */
const heldTwiceWithout: readonly FaultName[] = [
  ...heldTwice,
  ...(['accept-then-reset', 'create-500', 'create-502', 'create-504', 'create-524', 'create-hang'] as const),
  ...(['create-html-200', 'create-error-object-200', 'empty-output', 'cuda-oom'] as const),
  ...(['output-expired', 'output-truncated', 'output-hang'] as const),
]

test.each(heldFaults)('%s, once, on a held connection: the prediction ends well', async name => {
  const running = runsOn.includes(name) ? 1 : 0
  const kit = await predict([`${name}*1`], { mode: 'held' })
  if (name === 'cuda-oom') expect(kit).toEqual({ ...good, status: 'failed', code: 'out_of_memory', submits: 1 })
  else expect(kit).toEqual({ ...good, submits: heldTwice.includes(name) ? 2 : 1, running })
  const other = await predict([`${name}*1`], { mode: 'held', kit: false })
  expect(other).toEqual({ ...good, submits: heldTwiceWithout.includes(name) ? 2 : 1, running })
})

test('a held connection needs no public URL', async () => {
  const { engine, clock, close } = await open({ faults: [], kit: false, mode: 'held', reachable: false })
  const { record } = await engine.create(wish)
  await clock.advance(30_000)
  expect((await engine.get(record.id))?.record).toMatchObject({ status: 'succeeded', attempts: [{ state: 'won' }] })
  await close()
})
