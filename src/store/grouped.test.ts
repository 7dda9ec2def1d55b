import { expect, it } from 'vitest'
import { createGrouped } from './grouped.ts'

/** Rounds that end when the test says so. */
function setup() {
  const rounds: { items: readonly number[]; end: (error?: Error) => void }[] = []
  const call = createGrouped<number, string>(items => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>()
    rounds.push({ items, end: error => (error ? reject(error) : resolve(items.map(item => `done ${item}`))) })
    return promise
  })
  // Twice: a round that ends now asks for its turn after this one did.
  const turn = async () => {
    for (let time = 0; time < 2; time++) await new Promise<void>(resolve => setImmediate(resolve))
  }
  return { call, rounds, turn }
}

it('gathers the calls of one turn of the loop into a round, and those that come meanwhile into the next', async () => {
  const { call, rounds, turn } = setup()
  const answers = [call([1])]
  expect(rounds).toEqual([])
  // Also those that come only after other promises of this turn.
  for (let depth = 0; depth < 50; depth++) await null
  const later = call([10])
  await turn()
  expect(rounds.map(round => round.items)).toEqual([[1, 10]])
  answers.push(call([2, 3]), call([]), call([4]))
  await turn()
  expect(rounds).toHaveLength(1)
  rounds[0]?.end()
  await turn()
  expect(rounds.map(round => round.items)).toEqual([
    [1, 10],
    [2, 3, 4],
  ])
  expect(await later).toEqual(['done 10'])
  rounds[1]?.end()
  expect(await Promise.all(answers)).toEqual([['done 1'], ['done 2', 'done 3'], [], ['done 4']])
})

it('repeats a failed round caller by caller, so that only the guilty one fails', async () => {
  const { call, rounds, turn } = setup()
  const answers = Promise.allSettled([call([1]), call([2]), call([3])])
  await turn()
  rounds[0]?.end(new Error('one of them'))
  await turn()
  rounds[1]?.end()
  await turn()
  rounds[2]?.end(new Error('bad 2'))
  await turn()
  rounds[3]?.end()
  expect(rounds.map(round => round.items)).toEqual([[1, 2, 3], [1], [2], [3]])
  expect(await answers).toEqual([
    { status: 'fulfilled', value: ['done 1'] },
    { status: 'rejected', reason: new Error('bad 2') },
    { status: 'fulfilled', value: ['done 3'] },
  ])
})

it('starts again after it was idle', async () => {
  const { call, rounds, turn } = setup()
  const first = call([1])
  await turn()
  rounds[0]?.end()
  expect(await first).toEqual(['done 1'])
  const second = call([2])
  await turn()
  rounds[1]?.end()
  expect(await second).toEqual(['done 2'])
})

it('ends a round that is full and lets other work run before the next', async () => {
  const { call, rounds, turn } = setup()
  const many = Array.from({ length: 120 }, (_, index) => index)
  for (const items of [many, many, many, [1]]) void call(items)
  await turn()
  rounds[0]?.end()
  for (let depth = 0; depth < 50; depth++) await null
  expect(rounds.map(round => round.items.length)).toEqual([360])
  await turn()
  expect(rounds.map(round => round.items.length)).toEqual([360, 1])
  rounds[1]?.end()
})

it('fails everybody in a round at once when the failure is nobody’s own', async () => {
  let rounds = 0
  const outage = new Error('the database is away')
  const call = createGrouped<number, string>(
    async items => {
      rounds += 1
      if (items.includes(2)) throw outage
      return items.map(String)
    },
    error => error === outage,
  )
  const answers = await Promise.allSettled([call([1]), call([2]), call([3]), call([4])])
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
  expect(rounds).toBe(1)
})
