import { expect, test } from 'vitest'
import type { StoredPrediction } from '../store/contract.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createWatchers } from './watchers.ts'

function setup(lookAgainMs: number | null = null) {
  const clock = createSimulatedClock()
  const looks: string[] = []
  const watchers = createWatchers({
    clock,
    lookAgainMs,
    async look(id) {
      looks.push(id)
      return { version: looks.length } as StoredPrediction
    },
  })
  /** A watcher that looks whenever it is woken. */
  async function watch(id: string) {
    const seen: (number | undefined)[] = []
    const look = async () => void seen.push((await following.look())?.version)
    const following = watchers.follow(id, look)
    await look()
    return { seen, stop: following.stop }
  }
  return { clock, looks, watchers, watch }
}

test('however many watch a prediction, a change of it is looked at once, and another is not', async () => {
  const { clock, looks, watchers, watch } = setup()
  const many = await Promise.all(Array.from({ length: 1_000 }, () => watch('p1')))
  const other = await watch('p2')
  looks.length = 0
  watchers.changed('p1')
  await clock.advance(0)
  expect(looks).toEqual(['p1'])
  expect(new Set(many.map(({ seen }) => seen.length))).toEqual(new Set([2]))
  expect(other.seen).toHaveLength(1)
})

test('what changes while it is looked at is looked at again', async () => {
  const { clock, looks, watchers, watch } = setup()
  const [one, two] = [await watch('p1'), await watch('p1')]
  looks.length = 0
  watchers.changed('p1')
  watchers.changed('p1')
  await clock.advance(0)
  expect(looks).toHaveLength(2)
  expect([one.seen.at(-1), two.seen.at(-1)]).toEqual([2, 2])
})

test('whoever comes later looks for itself: what others found may be old', async () => {
  const { looks, watch } = setup()
  await watch('p1')
  await watch('p1')
  expect(looks).toEqual(['p1', 'p1'])
})

test('where hints may be lost all look once a second, together, and none after the last has left', async () => {
  const { clock, looks, watch } = setup(1_000)
  const many = await Promise.all(Array.from({ length: 100 }, () => watch('p1')))
  looks.length = 0
  await clock.advance(999)
  expect(looks).toEqual([])
  await clock.advance(1)
  expect(looks).toEqual(['p1'])
  await clock.advance(2_000)
  expect(looks).toHaveLength(3)
  for (const { stop } of many) stop()
  expect(clock.waiting).toBe(0)
})
