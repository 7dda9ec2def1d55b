import { expect, test } from 'vitest'
import { isTerminal } from '../src/core/prediction.ts'
import { startServerlessApp } from './support/serverless.ts'

test('an app of which no process lives longer than a request brings every prediction to its end, whatever is killed', async () => {
  const app = await startServerlessApp({ seed: 7, kills: 0.25 })
  const owners = ['ada', 'bob']
  for (const user of owners)
    for (let tries = 0; (await app.list(user)).length === 0 && tries < 20; tries++) await app.create(user)

  const open = async () =>
    (await Promise.all(owners.map(user => app.list(user)))).flat().filter(({ status }) => !isTerminal(status))
  let live = await open()
  for (let asked = 0; live.length > 0 && asked < 120; asked++) {
    const user = owners[asked % owners.length] ?? ''
    if (asked % 5 === 4) await app.tick()
    else await Promise.all((await app.list(user)).map(({ id }) => app.look(id, user)))
    live = await open()
  }
  app.spare()
  expect(app.host.counts.killed).toBeGreaterThan(0)
  for (const user of owners) {
    const predictions = await app.list(user)
    expect(predictions.length).toBeGreaterThan(0)
    for (const { id, status, error } of predictions) {
      expect([status, error]).toEqual(['succeeded', null])
      expect(await app.checkOutput(id, user)).toBe(true)
      const { attempts } = await app.attempts(id, user)
      expect(attempts.filter(({ state }) => state === 'won')).toHaveLength(1)
    }
    expect((await app.look(predictions[0]?.id ?? '', owners.find(other => other !== user) ?? '')) ?? null).toBeNull()
  }
}, 240_000)
