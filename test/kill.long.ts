import { expect, test } from 'vitest'
import { sleepThroughTheEnd, surviveKills } from './support/survival.ts'

test('predictions survive fifty kills of the gateway', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  console.log(`Kills with seed ${seed}.`)
  const { predictions, attempts, pickUpMs } = await surviveKills(seed, 50)
  const sorted = pickUpMs.toSorted((a, b) => a - b)
  console.log(
    `${predictions} predictions in ${attempts} attempts; picked up after ${sorted[Math.floor(sorted.length / 2)]} ms at the median, ${sorted.at(-1)} ms at most.`,
  )
})

test('a gateway that sleeps for longer than its leases last takes the output of the run that ended meanwhile', async () => {
  expect(await sleepThroughTheEnd(20_000)).toEqual({ status: 'succeeded', attempts: ['won'] })
})
