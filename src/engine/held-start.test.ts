import { expect, it } from 'vitest'
import { createFailure } from '../core/failure.ts'
import type { Provider, StartAnswer } from '../providers/contract.ts'
import { plainScript, type ScriptedProvider } from '../testing/scripted-provider.ts'
import { createHeld, hang, request, type SetupOptions, setup } from './test-support.ts'

/** A provider whose connection is the run: nothing can be asked, found or cancelled; a start answers at the run's end. */
function holding(answers: readonly (() => Promise<StartAnswer>)[], cuts: string[] = []): SetupOptions {
  let starts = 0
  return {
    policy: { runMs: 120_000, unknownMs: 30_000, releaseMs: 60_000, attempts: 2 },
    dress: ({ kind, limits, trustedOrigins, parseTarget, cost, pricePerSecond }: ScriptedProvider): Provider => ({
      ...{ kind, trustedOrigins, parseTarget, cost, pricePerSecond },
      limits: { ...limits, heldStart: true },
      async start(_job, io) {
        const answer = answers[starts++] ?? (() => hang(io))
        io.signal.addEventListener('abort', () => cuts.push(String(io.signal.reason)), { once: true })
        try {
          return await Promise.race([answer(), hang(io)])
        } catch {
          return { kind: 'unknown', failure: createFailure('start_unknown', 'The connection was cut.') }
        }
      },
    }),
  }
}

const done: StartAnswer = {
  kind: 'accepted',
  handle: { id: 'run' },
  seen: { status: 'succeeded', word: 'done', outputs: [{ kind: 'data', uri: 'data:text/plain;base64,ZG9uZQ==' }] },
}

it('lasts as long as the run, far longer than other starts and than a lease, and brings the output with it', async () => {
  const answer = createHeld<StartAnswer>()
  const stage = await setup(holding([() => answer.promise]))
  const { engine } = await stage.boot()
  const { record } = await engine.create(request())
  await stage.clock.advance(110_000)
  expect((await stage.read(record.id)).attempts).toMatchObject([{ state: 'submitting' }])
  answer.release(done)
  await stage.clock.advance(1_000)
  expect(await stage.read(record.id)).toMatchObject({ status: 'succeeded', attempts: [{ state: 'won' }] })
})

it('is cut by the run timer; whether the run went on is not known, and the next attempt begins', async () => {
  const cuts: string[] = []
  const stage = await setup(holding([() => new Promise(() => {}), async () => done], cuts))
  const { engine } = await stage.boot()
  const { record } = await engine.create(request())
  await stage.clock.advance(119_999)
  expect(cuts).toEqual([])
  await stage.clock.advance(5_000)
  expect(cuts).toHaveLength(1)
  expect(await stage.read(record.id)).toMatchObject({
    status: 'succeeded',
    attempts: [{ state: 'unknown', abandoned: { failure: { code: 'run_timeout' } } }, { state: 'won' }],
  })
  await stage.clock.advance(60_000)
  expect((await stage.read(record.id)).attempts).toMatchObject([{ release: 'given_up' }, { release: 'confirmed' }])
})

it('is hung up when the prediction is cancelled', async () => {
  const cuts: string[] = []
  const stage = await setup(holding([], cuts))
  const { engine } = await stage.boot()
  const { record } = await engine.create(request())
  await stage.clock.advance(10_000)
  await stage.finish(engine.cancel(record.id))
  await stage.clock.advance(1)
  expect([cuts.length, (await stage.read(record.id)).status]).toEqual([1, 'canceled'])
  await stage.clock.advance(60_000)
  expect((await stage.read(record.id)).settledAt).not.toBeNull()
})

it('dies with its process: the next one waits for news of the run before it pays again', async () => {
  const stage = await setup({ ...holding([() => new Promise(() => {}), async () => done]), script: () => plainScript })
  const first = await stage.boot()
  const { record } = await first.engine.create(request())
  await stage.clock.advance(5_000)
  stage.kill(first)
  await stage.boot()
  await stage.clock.advance(20_000)
  expect((await stage.read(record.id)).attempts).toMatchObject([{ state: 'unknown', abandoned: null }])
  await stage.clock.advance(35_000)
  expect(await stage.read(record.id)).toMatchObject({ status: 'succeeded', attempts: [{}, { state: 'won' }] })
})

it('keeps nobody from stopping', async () => {
  const stage = await setup(holding([]))
  const { engine } = await stage.boot()
  const { record } = await engine.create(request())
  await stage.clock.advance(5_000)
  const before = stage.now()
  await stage.finish(engine.stop())
  expect(stage.now() - before).toBeLessThan(1_000)
  expect((await stage.read(record.id)).attempts).toMatchObject([{ state: 'unknown' }])
})
