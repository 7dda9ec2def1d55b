import { expect, it } from 'vitest'
import { uploadKey } from '../core/upload.ts'
import { plainScript } from '../testing/scripted-provider.ts'
import { request, setup } from './test-support.ts'

const bytes = new TextEncoder().encode('done')

async function* whole(): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** A prediction whose only attempt runs for a minute. */
async function running(over: Parameters<typeof setup>[0] = {}) {
  const stage = await setup({ script: () => ({ ...plainScript, endAt: 60_000 }), ...over })
  const { engine } = await stage.boot()
  const { record } = await engine.create(request())
  await stage.clock.advance(5_000)
  const attempt = (await stage.read(record.id)).attempts[0]?.id ?? ''
  return { stage, engine, id: record.id, attempt, key: uploadKey(attempt) }
}

it('the first whole one is kept, the second is told of it', async () => {
  const { stage, engine, attempt, key } = await running()
  expect(await engine.upload(attempt, 'output', whole(), {})).toMatchObject({ kind: 'stored', bytes: bytes.length })
  expect(await engine.upload(attempt, 'output', whole(), {})).toEqual({ kind: 'exists' })
  expect(await stage.files.stat(key)).not.toBeNull()
})

it('one whose attempt ends without collecting it goes with the attempt, and no other is taken', async () => {
  const { stage, engine, id, attempt, key } = await running()
  await engine.upload(attempt, 'output', whole(), {})
  await stage.finish(engine.cancel(id))
  await stage.clock.advance(10_000)
  expect((await stage.read(id)).attempts).toMatchObject([{ state: 'canceled' }])
  expect(await stage.files.stat(key)).toBeNull()
  expect(await engine.upload(attempt, 'output', whole(), {})).toEqual({ kind: 'over' })
})

it('one whose attempt ends while it comes is not kept', async () => {
  const { stage, engine, id, attempt, key } = await running()
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield* whole()
    await stage.finish(engine.cancel(id))
    await stage.clock.advance(10_000)
  }
  expect(await engine.upload(attempt, 'output', slow(), {})).toEqual({ kind: 'over' })
  expect(await stage.files.stat(key)).toBeNull()
})

it('one for an attempt that nobody knows is refused unread', async () => {
  const { stage, engine } = await running()
  expect(await engine.upload('somebody', 'output', whole(), {})).toEqual({ kind: 'unknown' })
  expect(await stage.files.stat(uploadKey('somebody'))).toBeNull()
})

it('one that came before its run was reported lost is the result: nothing is started again', async () => {
  const { stage, engine, id, attempt } = await running({
    script: () => ({ ...plainScript, endAt: 20_000, end: 'gone' }),
  })
  await engine.upload(attempt, 'output', whole(), {})
  await stage.clock.advance(60_000)
  expect(await stage.read(id)).toMatchObject({ status: 'succeeded', attempts: [{ state: 'won' }] })
  expect(stage.provider.runs).toHaveLength(1)
})
