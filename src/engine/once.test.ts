import { describe, expect, it } from 'vitest'
import { noLimits } from '../core/token.ts'
import { plainScript } from '../testing/scripted-provider.ts'
import type { CreateRequest } from './contract.ts'
import { request, setup } from './test-support.ts'

const keyed = (over: Partial<CreateRequest> = {}) => request({ idempotencyKey: 'order 17', owner: 'ann', ...over })

describe('a request with a key', () => {
  it('makes one prediction, however often it is repeated, and shows it as it is then', async () => {
    const stage = await setup()
    const { engine } = await stage.boot()
    const first = await engine.create(keyed())
    expect(first.record.status).toBe('starting')
    await stage.clock.advance(60_000)
    const again = await engine.create(keyed())
    expect(again.record).toMatchObject({ id: first.record.id, status: 'succeeded' })
    expect(stage.calls.filter(({ verb }) => verb === 'start')).toHaveLength(1)
    expect(await engine.list({ owner: null, limit: 9 })).toHaveLength(1)
  })

  it('makes one of twenty at the same moment in two processes, and starts it once', async () => {
    const stage = await setup()
    const engines = [(await stage.boot({ alone: false })).engine, (await stage.boot({ alone: false })).engine]
    const made = await Promise.all(Array.from({ length: 20 }, (_, index) => engines[index % 2]?.create(keyed())))
    expect(new Set(made.map(stored => stored?.record.id)).size).toBe(1)
    await stage.clock.advance(60_000)
    expect(stage.calls.filter(({ verb }) => verb === 'start')).toHaveLength(1)
    expect(await stage.sqlite.list({ owner: null, limit: 9 })).toHaveLength(1)
  })

  it('takes one place of the limits of its owner, whoever loses the race', async () => {
    const stage = await setup({ script: () => ({ ...plainScript, endAt: Number.POSITIVE_INFINITY }) })
    const engines = [(await stage.boot({ alone: false })).engine, (await stage.boot({ alone: false })).engine]
    const limited = keyed({ limits: { ...noLimits, concurrency: 1 } })
    const made = await Promise.all(Array.from({ length: 6 }, (_, index) => engines[index % 2]?.create(limited)))
    expect(new Set(made.map(stored => stored?.record.id)).size).toBe(1)
  })

  it('is the same after a restart, and whatever the order of its fields', async () => {
    const stage = await setup()
    const before = await stage.boot()
    const [url, events] = ['https://receiver.example/', ['completed' as const]]
    const first = await before.engine.create(keyed({ webhook: { url, events } }))
    stage.kill(before)
    const { engine } = await stage.boot()
    const again = await engine.create(keyed({ webhook: { events, url } }))
    expect(again.record.id).toBe(first.record.id)
  })

  it.each<[string, Partial<CreateRequest>]>([
    ['input', { input: { text: 'other' } }],
    ['deadline', { cancelAfterMs: 60_000 }],
    ['webhook', { webhook: { url: 'https://receiver.example/', events: ['completed'] } }],
    ['deployments', { deployments: ['text@scripted'] }],
  ])('is refused with 409 where the %s differs, and nothing is made', async (_, over) => {
    const stage = await setup()
    const { engine } = await stage.boot()
    await engine.create(keyed())
    await expect(engine.create(keyed(over))).rejects.toMatchObject({ status: 409, failure: { code: 'input_invalid' } })
    expect(await engine.list({ owner: null, limit: 9 })).toHaveLength(1)
  })

  it("is its owner's alone: others use the same key for their own", async () => {
    const stage = await setup()
    const { engine } = await stage.boot()
    const [ann, bob] = [await engine.create(keyed()), await engine.create(keyed({ owner: 'bob' }))]
    expect(bob.record.id).not.toBe(ann.record.id)
  })

  it('that was refused may be sent again: a refusal takes no key', async () => {
    const stage = await setup({ script: () => ({ ...plainScript, endAt: Number.POSITIVE_INFINITY }) })
    const { engine } = await stage.boot()
    const limits = { ...noLimits, concurrency: 1 }
    const { record } = await engine.create(request({ owner: 'ann', limits }))
    await expect(engine.create(keyed({ limits }))).rejects.toMatchObject({ status: 429 })
    await engine.cancel(record.id)
    await stage.clock.advance(60_000)
    await engine.create(keyed({ limits }))
  })
})
