import { describe, expect, it } from 'vitest'
import type { Notification, NotificationState } from '../core/prediction.ts'
import { type OpenedStore, openForTest } from './opened-store.ts'
import { sampleAttempt, sampleChange, samplePrediction } from './sample-records.ts'

/** The part of a store's contract that says how things stand; `describeStore` runs it. */
export function describeStoreStanding(name: string, open: () => Promise<OpenedStore>): void {
  const setup = () => openForTest(open)

  describe(`${name}: standing`, () => {
    it('is nothing where nothing is', async () => {
      const { store } = await setup()
      const webhooks = { waiting: 0, dead: 0 }
      expect(await store.standing()).toEqual({ open: [], overdueMs: 0, running: [], webhooks })
    })

    it('counts what is not settled, by model and status', async () => {
      const { store } = await setup()
      const processing = { model: 'acme/x', status: 'processing' } as const
      await store.commit([
        sampleChange(samplePrediction({ id: 'a' })),
        sampleChange(samplePrediction({ id: 'b', ...processing })),
        sampleChange(samplePrediction({ id: 'c', ...processing })),
        sampleChange(samplePrediction({ id: 'd', status: 'failed' })),
        sampleChange(samplePrediction({ id: 'e', status: 'failed', settledAt: 2_000 }), { nextAt: null }),
      ])
      expect((await store.standing()).open).toEqual([
        { ...processing, count: 2 },
        { model: 'surefoot/relief', status: 'failed', count: 1 },
        { model: 'surefoot/relief', status: 'starting', count: 1 },
      ])
    })

    it('tells how long the oldest has been due that nobody holds', async () => {
      const { store, advance } = await setup()
      const now = await store.now()
      await store.commit([
        sampleChange(samplePrediction({ id: 'held' }), {
          nextAt: now - 60_000,
          lease: { engine: 'e1', leaseMs: 5_000 },
        }),
        sampleChange(samplePrediction({ id: 'late' }), { nextAt: now - 20_000 }),
        sampleChange(samplePrediction({ id: 'later' }), { nextAt: now - 10_000 }),
        sampleChange(samplePrediction({ id: 'not yet' }), { nextAt: now + 60_000 }),
      ])
      const overdue = async () => Math.round((await store.standing()).overdueMs / 10_000)
      expect(await overdue()).toBe(2)
      await store.leaseOne('late', { engine: 'e2', leaseMs: 60_000 })
      expect(await overdue()).toBe(1)
      await advance(10_000)
      expect(await overdue()).toBe(7)
      await store.lease({ engine: 'e2', leaseMs: 5_000, limit: 9 })
      expect(await overdue()).toBe(0)
    })

    it('counts the attempts that take a place, and what is reserved for them', async () => {
      const { store } = await setup()
      const attempt = (id: string, deployment: string, reserved: number) =>
        sampleAttempt({ id, deployment, reserved, state: 'running' })
      const ended = sampleAttempt({ id: 'x1', deployment: 'x@b', state: 'failed', release: 'confirmed', reserved: 9 })
      await store.commit([
        sampleChange(samplePrediction({ id: 'a', attempts: [ended, attempt('a1', 'x@a', 0.5)] })),
        sampleChange(samplePrediction({ id: 'b', attempts: [attempt('b1', 'x@a', 0.25)] })),
        sampleChange(samplePrediction({ id: 'c', attempts: [attempt('c1', 'x@c', 0)] })),
      ])
      expect((await store.standing()).running).toEqual([
        { deployment: 'x@a', count: 2, reserved: 0.75 },
        { deployment: 'x@c', count: 1, reserved: 0 },
      ])
    })

    it('counts predictions whose webhooks wait or are dead', async () => {
      const { store } = await setup()
      const withWebhook = (id: string, state: NotificationState) => {
        const queue: readonly Notification[] = [
          { id: `n${id}`, event: 'completed', at: 1_000, tries: 1, nextAt: 1_000, pending: null, state },
        ]
        return samplePrediction({ id, webhook: { url: 'https://a.example', events: ['completed'], queue } })
      }
      await store.commit(
        (['waiting', 'dead', 'dead', 'delivered'] as const).map((state, index) =>
          sampleChange(withWebhook(`p${index}`, state)),
        ),
      )
      expect((await store.standing()).webhooks).toEqual({ waiting: 1, dead: 2 })
    })
  })
}
