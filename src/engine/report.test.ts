import { describe, expect, it } from 'vitest'
import type { Provider } from '../providers/contract.ts'
import { createHeld, hang, type SetupOptions, setup } from './test-support.ts'

async function reportOf(over: (provider: Provider) => Partial<Provider>, options: SetupOptions = {}) {
  const stage = await setup({ ...options, dress: provider => ({ ...provider, ...over(provider) }) })
  const { engine } = await stage.boot()
  const [report] = await engine.report()
  return { ...stage, engine, report }
}

describe('a report', () => {
  it.each([
    ['elsewhere', [], false, true],
    ['at an emulator on this machine', ['http://127.0.0.1:9001'], false, false],
    ['at a container on this machine', ['http://localhost:5000', 'http://[::1]:5000'], false, false],
    ['at a proxy in the network', ['http://10.0.0.7:9001', 'http://127.0.0.1:9001'], false, true],
    ['in this very process', [], true, false],
  ])('says whether attempts %s may cost money', async (_, trustedOrigins, thisHostOnly, billed) => {
    const { report } = await reportOf(({ limits }) => ({ trustedOrigins, limits: { ...limits, thisHostOnly } }))
    expect(report?.billed).toBe(billed)
  })

  it('dates its price where the provider does', async () => {
    expect((await reportOf(() => ({}))).report).toMatchObject({ pricePerSecond: 0.001, pricesAsOf: null, routed: true })
    expect((await reportOf(() => ({ pricesAsOf: () => '2026-06-08' }))).report?.pricesAsOf).toBe('2026-06-08')
  })
})

describe('health', () => {
  const health = { state: 'ok', message: 'No job waits.', queued: 0, workers: {} } as const

  it("is the provider's own word, and null where it has none", async () => {
    const { engine } = await reportOf(() => ({ health: async () => health }))
    expect(await engine.health('text@scripted')).toEqual(health)
    expect(await engine.health('text@nowhere')).toBeNull()
    expect(await (await reportOf(() => ({}))).engine.health('text@scripted')).toBeNull()
  })

  it('is waited for five seconds at most', async () => {
    const called = createHeld()
    const { engine, clock } = await reportOf(() => ({
      health: (_target, io) => {
        called.release()
        return hang(io)
      },
    }))
    let ended = false
    const asked = engine.health('text@scripted').finally(() => (ended = true))
    asked.catch(() => {})
    await called.promise
    await clock.advance(4_999)
    expect(ended).toBe(false)
    await clock.advance(1)
    await expect(asked).rejects.toThrow('Asking for the health of text@scripted took longer than 5000 ms')
  })
})
