import { expect, test } from 'vitest'
import { isTerminal } from '../src/core/prediction.ts'
import { startServerlessApp } from './support/serverless.ts'

const perUser = 5
const users = ['ada', 'bob']

test.each([1, 2])(
  'seed %i: a third of all processes is doomed, some while they work, and every prediction ends, is paid for what it ran and leaves nothing behind',
  async seed => {
    const app = await startServerlessApp({ seed, kills: 0.33 })
    for (const user of users)
      for (let tries = 0; tries < 8 * perUser && (await app.list(user)).length < perUser; tries++)
        await app.create(user)
    const all = async () =>
      (await Promise.all(users.map(async user => (await app.list(user)).map(seen => ({ ...seen, user }))))).flat()

    let live = await all()
    for (let asked = 0; asked < 400 && (asked < 5 || live.some(({ status }) => !isTerminal(status))); asked++) {
      // Several people at once, and cron among them.
      await Promise.all([
        ...(asked % 4 === 3 ? [app.tick()] : []),
        ...live.filter(() => app.random() < 0.3).map(({ id, user }) => app.look(id, user)),
      ])
      live = await all()
    }
    app.spare()
    // What was cancelled or lost is followed to its end; nobody asks any more, only cron does.
    for (let asked = 0; asked < 60 && (await all()).some(({ surefoot }) => !surefoot.settled); asked++) await app.tick()

    const ended = await all()
    expect(ended.length).toBeGreaterThanOrEqual(perUser * users.length)
    let attempts = 0
    for (const { id, user, status, error, surefoot } of ended) {
      expect([status, error, surefoot.settled]).toEqual(['succeeded', null, true])
      expect(await app.checkOutput(id, user)).toBe(true)
      const account = await app.attempts(id, user)
      expect(account.attempts.filter(({ state }) => state === 'won')).toHaveLength(1)
      attempts += account.attempts.length
    }
    const paid = app.emulators.runpod.state().submits + app.emulators.replicate.state().submits
    expect(paid).toBeLessThanOrEqual(attempts)
    expect(await app.s3.pending()).toEqual([])
    const { invoked, killed } = app.host.counts
    console.info(
      `seed ${seed}: ${ended.length} predictions, ${attempts} attempts, ${paid} paid starts, ${killed} of ${invoked} processes killed`,
    )
  },
  600_000,
)
