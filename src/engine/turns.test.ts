import { describe, expect, it } from 'vitest'
import { isTerminal } from '../core/prediction.ts'
import { uploadKey } from '../core/upload.ts'
import { plainScript } from '../testing/scripted-provider.ts'
import type { Process } from '../testing/simulation-process.ts'
import type { TurnOptions } from './contract.ts'
import { hang, request, setup } from './test-support.ts'

const second = 1_000

/** Every request has a process of its own, which is gone when it is over. */
async function setupRequests(...options: Parameters<typeof setup>) {
  const stage = await setup(...options)

  async function create(): Promise<string> {
    const { engine } = stage.prepare()
    const { record } = await stage.finish(
      engine.turn(async turn => {
        const stored = await engine.create(request())
        await turn.advance()
        return stored
      }),
    )
    return record.id
  }

  /** As for a page that asks for one prediction. */
  async function look(id: string, process: Process = stage.prepare(), turnOptions: TurnOptions = {}) {
    const { engine } = process
    return await stage.finish(
      engine.turn(async turn => {
        await turn.advance({ id })
        return await stage.read(id)
      }, turnOptions),
    )
  }

  return { ...stage, create, look }
}

describe('a turn', () => {
  it('carries a prediction to its end over requests of which each has its own process', async () => {
    const stage = await setupRequests({ script: () => ({ ...plainScript, endAt: 9 * second }) })
    const id = await stage.create()
    const states = []
    for (let asked = 0; asked < 6; asked++) {
      await stage.clock.advance(2 * second)
      states.push((await stage.look(id)).status)
    }
    expect(states).toEqual(['processing', 'processing', 'processing', 'processing', 'succeeded', 'succeeded'])
    expect(stage.provider.runs).toHaveLength(1)
  })

  it('leaves nothing behind: no timer, no call, no lease', async () => {
    const stage = await setupRequests({ script: () => ({ ...plainScript, endAt: 60 * second }) })
    const id = await stage.create()
    expect(stage.clock.waiting).toBe(0)
    const calls = stage.calls.length
    await stage.clock.advance(60 * second)
    expect(stage.calls).toHaveLength(calls)
    expect(await stage.sqlite.leaseOne(id, { engine: 'another', leaseMs: 1 })).not.toBeNull()
  })

  it('asks the provider no more often than a loop would, however many people ask', async () => {
    const stage = await setupRequests({ script: () => ({ ...plainScript, endAt: 60 * second }), pollMs: 2_000 })
    const id = await stage.create()
    for (let asked = 0; asked < 40; asked++) {
      await stage.clock.advance(100)
      await stage.look(id)
    }
    expect(stage.calls.filter(({ verb }) => verb === 'poll').length).toBeLessThanOrEqual(3)
  })

  it('ends at its limit although a call does not answer, and the next one asks again', async () => {
    let isDown = true
    const stage = await setupRequests({
      before: async (verb, io) => (verb === 'poll' && isDown ? await hang(io) : undefined),
    })
    const id = await stage.create()
    await stage.clock.advance(3 * second)
    const before = stage.now()
    expect((await stage.look(id, stage.prepare(), { limitMs: 2_000 })).status).not.toBe('succeeded')
    expect(stage.now() - before).toBeLessThan(3 * second)
    isDown = false
    await stage.clock.advance(11 * second)
    expect((await stage.look(id)).status).toBe('succeeded')
  })

  it("waits for nobody else's receiver, provider or falling asleep beyond its own time", async () => {
    const stage = await setupRequests({
      script: () => ({ ...plainScript, endAt: 3 * second }),
      notify: (_, __, signal) => hang({ signal }),
    })
    const mine = await stage.create()
    const process = stage.prepare()
    const theirs = process.engine.turn(async turn => {
      await process.engine.create(request({ webhook: { url: 'https://slow.test/', events: ['start'] } }))
      await turn.advance()
    })
    await stage.clock.advance(100)
    const before = stage.now()
    await stage.look(mine, process)
    expect(stage.now() - before).toBeLessThan(second)
    await stage.finish(theirs)
    // It waited for its own delivery, for its own time; and cut it off instead of waiting on.
    expect(stage.now() - before).toBeLessThan(9 * second)
    await stage.clock.advance(3 * second)
    expect((await stage.look(mine, process)).status).toBe('succeeded')
    expect(stage.clock.waiting).toBe(0)
  })

  it("does not move what is another owner's", async () => {
    const stage = await setupRequests({ script: () => ({ ...plainScript, endAt: 1 * second }) })
    const id = await stage.create()
    await stage.clock.advance(20 * second)
    const { engine } = stage.prepare()
    const move = (owner: string) => stage.finish(engine.turn(turn => turn.advance({ id, owner }), { others: 0 }))
    await move('somebody else')
    expect((await stage.read(id)).status).toBe('processing')
    await move('local')
    expect((await stage.read(id)).status).toBe('succeeded')
  })

  it('stays awake while another one is under way, and sleeps after the last', async () => {
    const stage = await setupRequests({ script: () => ({ ...plainScript, endAt: 4 * second }) })
    const id = await stage.create()
    const process = stage.prepare()
    const long = process.engine.turn(turn => turn.advance({ id, forMs: 6 * second }))
    await stage.clock.advance(second)
    expect((await stage.look(id, process)).status).toBe('processing')
    await stage.clock.advance(4 * second)
    expect((await stage.read(id)).status).toBe('succeeded')
    await stage.finish(long)
    expect(stage.clock.waiting).toBe(0)
  })

  it('goes on in a process that was frozen between two requests', async () => {
    const stage = await setupRequests({ script: () => ({ ...plainScript, endAt: 30 * second }) })
    const process = stage.prepare()
    const id = await stage.create()
    await stage.clock.advance(2 * second)
    await stage.look(id, process)
    process.freeze()
    await stage.clock.advance(40 * second)
    process.thaw()
    expect((await stage.look(id, process)).status).toBe('succeeded')
  })

  it('picks up what others left, the oldest first, as many as it is told', async () => {
    const stage = await setupRequests({ concurrency: 20, script: () => ({ ...plainScript, endAt: 20 * second }) })
    const ids: string[] = []
    for (let made = 0; made < 12; made++) ids.push(await stage.create())
    await stage.clock.advance(30 * second)
    const [first = ''] = ids
    await stage.look(first, stage.prepare(), { others: 3 })
    const after = await Promise.all(ids.map(stage.read))
    expect(after.filter(({ status }) => isTerminal(status)).length).toBeLessThanOrEqual(4)
    await stage.look(first, stage.prepare(), { others: Number.POSITIVE_INFINITY })
    expect((await Promise.all(ids.map(stage.read))).every(({ status }) => status === 'succeeded')).toBe(true)
  })

  it('takes a killed start for unknown, finds the run, and pays once', async () => {
    const stage = await setupRequests({
      script: () => ({ ...plainScript, endAt: 5 * second }),
      before: async (verb, io) => (verb === 'start' && stage.calls.length === 1 ? await hang(io) : undefined),
    })
    const first = stage.prepare()
    const created = first.engine.turn(async turn => {
      const stored = await first.engine.create(request())
      await turn.advance()
      return stored
    })
    created.catch(() => {})
    await stage.clock.advance(second)
    stage.kill(first)
    const [stored] = await stage.sqlite.list({ owner: null, limit: 1 })
    const id = stored?.record.id ?? ''
    for (let asked = 0; asked < 200 && !isTerminal((await stage.read(id)).status); asked++) {
      await stage.clock.advance(2 * second)
      await stage.look(id)
    }
    expect((await stage.read(id)).status).toBe('succeeded')
    expect(stage.provider.runs).toHaveLength(1)
  })

  it('is only its work in a process whose loops run', async () => {
    const stage = await setup()
    const { engine } = await stage.boot()
    const { record } = await engine.turn(async turn => {
      await turn.advance()
      await turn.keepHouse()
      return await engine.create(request())
    })
    await stage.clock.advance(3 * second)
    expect((await stage.read(record.id)).status).toBe('succeeded')
  })
})

describe('keeping house', () => {
  it.each(['a turn', 'loops'])('by %s removes a file that was left behind, and no output', async by => {
    const stage = await setupRequests({ script: () => ({ ...plainScript, endAt: second }) })
    const id = await stage.create()
    await stage.clock.advance(2 * second)
    await stage.look(id)
    await stage.look(id)
    const { settledAt, output, attempts } = await stage.read(id)
    expect([settledAt, output?.key]).toEqual([expect.any(Number), expect.any(String)])
    const late = uploadKey(attempts[0]?.id ?? '', 'late')
    await stage.files.put(late, new Blob(['late']).stream(), { maxBytes: 9 })
    if (by === 'loops') await stage.boot()
    else await stage.finish(stage.prepare().engine.turn(turn => turn.keepHouse()))
    await stage.clock.advance(1)
    expect(stage.files.keys()).toEqual([output?.key])
  })
})

describe('time in which nobody was awake', () => {
  it('is no stall: the run is looked at before a timer ends it', async () => {
    const stage = await setupRequests({
      script: () => ({ ...plainScript, endAt: 600 * second }),
      policy: { stallMs: 30_000, lastStageMs: 30_000 },
    })
    const id = await stage.create()
    await stage.clock.advance(2 * second)
    expect((await stage.look(id)).status).toBe('processing')
    await stage.clock.advance(300 * second)
    const seen = await stage.look(id)
    expect(seen.status).toBe('processing')
    expect(seen.attempts).toHaveLength(1)
  })

  it('still ends at the deadline, whoever asks first', async () => {
    const stage = await setupRequests({ script: () => ({ ...plainScript, endAt: Number.POSITIVE_INFINITY }) })
    const id = await stage.create()
    await stage.clock.advance(3_600 * second)
    const { engine } = stage.prepare()
    const seen = await stage.finish(engine.turn(() => engine.get(id)))
    expect(seen?.record).toMatchObject({ status: 'failed', failure: { code: 'deadline_exceeded' } })
  })
})
