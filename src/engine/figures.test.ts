import { expect, it } from 'vitest'
import { settle } from '../testing/clock.ts'
import { request, setup } from './test-support.ts'

it('tells what this process has counted, and how things stand for all of them', async () => {
  const { boot, clock, finish } = await setup()
  const [first, second] = [await boot(), await boot()]
  const { record } = await finish(first.engine.create(request()))
  expect(await second.engine.figures()).toMatchObject({
    held: 0,
    stored: { open: [{ model: 'test/text', status: 'starting', count: 1 }], running: [{ count: 1 }] },
    deployments: [{ name: 'text@scripted', concurrency: 4, breaker: 'closed' }],
  })
  for await (const _ of first.engine.watch(record.id, { signal: AbortSignal.timeout(60_000) }))
    await clock.advance(1_000)
  await clock.advance(10_000)
  const { tally, ...figures } = await first.engine.figures()
  const labels = { model: 'test/text', purpose: 'caller' }
  expect(tally.created.read()).toEqual([{ labels, value: 1 }])
  expect(tally.ended.read()).toEqual([{ labels: { ...labels, status: 'succeeded', failure: '' }, value: 1 }])
  expect(tally.attemptsEnded.read()).toMatchObject([
    { labels: { deployment: 'text@scripted', state: 'won' }, value: 1 },
  ])
  expect(figures).toMatchObject({ held: 0, isStoreFailing: false, stored: { open: [], running: [] } })
  expect((await second.engine.figures()).tally.ended.read()).toEqual([])
})

it('asks the store once for all who ask within five seconds', async () => {
  const { boot, clock, store } = await setup()
  let asked = 0
  const standing = () => {
    asked += 1
    return store.standing()
  }
  const { engine } = await boot({ store: { ...store, standing } })
  await Promise.all([engine.figures(), engine.figures()])
  await clock.advance(4_999)
  await engine.figures()
  expect(asked).toBe(1)
  await clock.advance(1)
  await engine.figures()
  expect(asked).toBe(2)
})

it('nothing is in the way of new work until there is too little room', async () => {
  const { boot, files } = await setup()
  let free = 500_000_000
  const retention = { ageMs: null, bytes: null, spareBytes: 500_000_000 }
  const { engine } = await boot({ retention, files: { ...files, room: async () => free } })
  expect(await engine.obstacle()).toBe(null)
  free -= 1
  expect(await engine.obstacle()).toBe('Only 499 MB are free for files; 500 MB are kept free for what runs already.')
})

it('a store that takes nothing is in the way after 15 seconds, and still is where only reading works', async () => {
  const { boot, clock, store } = await setup()
  let isFull = false
  const commit: typeof store.commit = changes => (isFull ? Promise.reject(new Error('full')) : store.commit(changes))
  const { engine } = await boot({ store: { ...store, commit } })
  await engine.create(request())
  isFull = true
  while (!(await engine.figures()).isStoreFailing) await clock.advance(100)
  await clock.advance(14_500)
  expect(await engine.obstacle()).toBe(null)
  await clock.advance(500)
  expect(await engine.obstacle()).toMatch(/^The store has taken nothing for \d+ s\.$/)
  isFull = false
  await clock.advance(20_000)
  expect(await engine.obstacle()).toBe(null)
})

it('leases that could not be renewed are in the way, and what the process knows is told all the same', async () => {
  const { boot, clock, store } = await setup()
  let isAway = false
  const away =
    <Args extends unknown[], T>(verb: (...args: Args) => Promise<T>) =>
    async (...args: Args) =>
      isAway ? Promise.reject(new Error('away')) : verb(...args)
  const { engine } = await boot({
    store: {
      ...store,
      renew: away(store.renew),
      lease: away(store.lease),
      standing: away(store.standing),
      keptBytes: away(store.keptBytes),
    },
  })
  isAway = true
  await clock.advance(14_000)
  await settle()
  expect(await engine.obstacle()).toBe(null)
  await clock.advance(2_000)
  expect(await engine.obstacle()).toMatch(/^The leases ran out \d+ s ago/)
  expect(await engine.figures()).toMatchObject({ isStoreFailing: true, leaseLeftMs: 0, stored: null, keptBytes: null })
  isAway = false
})
