import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createScene, type EngineProcess, isSettled } from './support/engine-processes.ts'

const kills = 20
const perKill = 5
/** Often enough that some die while they start, poll or collect. */
const betweenKillsMs = 3_000

it('survives processes that are killed again and again at any moment, with every run accounted for', async () => {
  const scene = await createScene({ runMs: 4_000 })
  const engines: EngineProcess[] = [await scene.startEngine('engine0'), await scene.startEngine('engine1')]
  for (let kill = 0; kill < kills; kill++) {
    const [victim, survivor] = engines
    // The victim's answer may never come: it is killed while some of them are on their way.
    void victim?.create(perKill).catch(() => {})
    await survivor?.create(perKill)
    await setTimeout(betweenKillsMs * Math.random())
    await victim?.signal('SIGKILL')
    engines.shift()
    engines.push(await scene.startEngine(`engine${kill + 2}`))
  }
  const created = (await scene.rows()).length
  expect(created).toBeGreaterThanOrEqual(kills * perKill)
  const ended = await scene.watchUntil(created, isSettled)

  expect(new Set(ended.map(({ record }) => record.status))).toEqual(new Set(['succeeded']))
  for (const { record } of ended) expect(record.attempts.filter(({ state }) => state === 'won')).toHaveLength(1)
  const { submits, running } = scene.bill()
  const attempts = ended.reduce((sum, { record }) => sum + record.attempts.length, 0)
  console.log(`${created} predictions, ${kills} kills, ${attempts} attempts, ${submits} billed runs`)
  expect(running).toBe(0)
  expect(submits).toBeGreaterThanOrEqual(created)
  // A start may have been lost with its process, but nothing was started that no attempt stands for.
  expect(submits).toBeLessThanOrEqual(attempts)
})
