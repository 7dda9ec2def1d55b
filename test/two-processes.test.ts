import { expect, it } from 'vitest'
import { createScene, isRunning, isSettled, type Row, summarize } from './support/engine-processes.ts'

const many = 12
/** A lease of 15 s, a pick-up every second, and time to work with. */
const takeOverMs = 20_000

function wonOnce(ids: readonly string[]): object[] {
  return ids.toSorted().map(id => ({ id, status: 'succeeded', attempts: ['won'], text: { length: 4 } }))
}

const isDrivenBy = (engine: string) => (row: Row) => row.engine === engine || isSettled(row)

it('takes over from a process that was killed, and pays for nothing twice', async () => {
  const scene = await createScene({ runMs: 20_000 })
  const first = await scene.startEngine('first')
  await scene.startEngine('second')
  const ids = await first.create(many)
  await scene.watchUntil(many, isRunning)
  await first.signal('SIGKILL')
  const killedAt = performance.now()
  await scene.watchUntil(many, isDrivenBy('second'))
  const tookMs = performance.now() - killedAt
  console.log(`taken over ${(tookMs / 1000).toFixed(1)} s after kill -9`)
  expect(tookMs).toBeLessThan(takeOverMs)
  const ended = await scene.watchUntil(many, isSettled)
  expect(ended.map(summarize)).toEqual(wonOnce(ids))
  expect(scene.bill()).toMatchObject({ submits: many, running: 0 })
})

it('takes over from a process that was stopped, which overwrites nothing when it wakes, and goes on', async () => {
  const scene = await createScene({ runMs: 25_000 })
  const first = await scene.startEngine('first')
  const second = await scene.startEngine('second')
  const ids = await first.create(many)
  await scene.watchUntil(many, isRunning)
  await first.signal('SIGSTOP')
  const stoppedAt = performance.now()
  await scene.watchUntil(many, isDrivenBy('second'))
  const tookMs = performance.now() - stoppedAt
  console.log(`taken over ${(tookMs / 1000).toFixed(1)} s after SIGSTOP`)
  expect(tookMs).toBeLessThan(takeOverMs)
  // It wakes while the other one still works, with polls and timers of long ago in its hands.
  await first.signal('SIGCONT')
  ids.push(...(await first.create(1)), ...(await second.create(1)))
  const ended = await scene.watchUntil(ids.length, isSettled)
  expect(ended.map(summarize)).toEqual(wonOnce(ids))
  expect(scene.bill()).toMatchObject({ submits: ids.length, running: 0 })
  expect(await scene.rows()).toEqual(ended)
})

it.each(['fast', 'crash'] as const)('goes on when the database was away (%s) while predictions ran', async how => {
  const scene = await createScene({ runMs: 6_000 })
  const engines = [await scene.startEngine('first'), await scene.startEngine('second')]
  const createOnBoth = async (count: number) => (await Promise.all(engines.map(engine => engine.create(count)))).flat()
  const ids = await createOnBoth(many)
  await scene.watchUntil(ids.length, isRunning)
  await scene.server.stop(how)
  // The provider finishes meanwhile; what it has to say can be stored nowhere until the database is back.
  await expect.poll(() => scene.bill().running, { timeout: 30_000 }).toBe(0)
  await scene.server.start()
  const ended = await scene.watchUntil(ids.length, isSettled)
  expect(ended.map(summarize)).toEqual(wonOnce(ids))
  ids.push(...(await createOnBoth(1)))
  const after = await scene.watchUntil(ids.length, isSettled)
  expect(after.map(summarize)).toEqual(wonOnce(ids))
  expect(scene.bill()).toMatchObject({ submits: ids.length, running: 0 })
})
