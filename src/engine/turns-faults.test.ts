import { expect, it } from 'vitest'
import { isTerminal } from '../core/prediction.ts'
import type { Store } from '../store/contract.ts'
import { plainScript } from '../testing/scripted-provider.ts'
import { request, setup } from './test-support.ts'

const second = 1_000

/** A store whose commits fail as often as it is told, from then on. */
function failing(store: Store) {
  let left = 0
  const commit: Store['commit'] = async changes => {
    left -= 1
    if (left >= 0) throw new Error('The store is away.')
    return await store.commit(changes)
  }
  function failNext(commits: number): void {
    left = commits
  }
  return { store: { ...store, commit }, failNext }
}

/** A process that is kept for later requests, on a store that fails when the answer to a start comes. */
async function setupKept(failures: number) {
  const stage = await setup({
    script: () => ({ ...plainScript, endAt: 3 * second }),
    before: async verb => {
      if (verb === 'start') failNext(failures)
    },
  })
  const { store, failNext } = failing(stage.store)
  const { engine } = stage.prepare({ store })
  const { record } = await stage.finish(engine.turn(() => engine.create(request())))
  const look = () => stage.finish(engine.turn(turn => turn.advance({ id: record.id })))
  const read = () => stage.read(record.id)
  return { ...stage, look, read }
}

it('the answer to a start is stored although the store fails while the process falls asleep', async () => {
  const { read } = await setupKept(2)
  expect((await read()).attempts).toMatchObject([{ state: 'queued', handle: { id: expect.any(String) } }])
})

it('a start whose answer could not be stored is looked for, and never sent again, by the process that sent it', async () => {
  const { look, read, clock, provider } = await setupKept(10)
  for (let looked = 0; looked < 60 && !isTerminal((await read()).status); looked++) {
    await clock.advance(2 * second)
    await look()
  }
  expect(await read()).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] })
  expect(provider.runs).toHaveLength(1)
})
