import { expect, test } from 'vitest'
import { sleepThroughTheEnd, surviveKills } from './support/survival.ts'

test('predictions survive kills of the gateway at any moment: none lost, none doubled, all picked up at once', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  console.log(`Kills with seed ${seed}.`)
  const { predictions, attempts, pickUpMs } = await surviveKills(seed, 4)
  console.log(
    `${predictions} predictions in ${attempts} attempts; all picked up ${Math.max(...pickUpMs)} ms after the start of the next process at the latest.`,
  )
})

test('a gateway that is stopped while a run ends, and goes on later, takes the output of that very run', async () => {
  expect(await sleepThroughTheEnd(0)).toEqual({ status: 'succeeded', attempts: ['won'] })
})
