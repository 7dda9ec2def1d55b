import { expect, it } from 'vitest'
import { refuse } from '../core/failure.ts'
import type { Observation } from '../core/observation.ts'
import type { Attempt } from '../core/prediction.ts'
import { uploadKey } from '../core/upload.ts'
import { sampleAttempt, samplePrediction } from '../testing/sample-records.ts'
import { dropUnknown } from './kept-files.ts'
import { outcome } from './test-kept-files.ts'

async function* text(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield new TextEncoder().encode(part)
}

/** An answer of a run that is over, with what its output is. */
const succeededWith = (seen: Observation, key: string): Observation => ({ ...seen, outputs: [{ kind: 'stored', key }] })
const isOver = ({ status }: Observation) => status === 'succeeded'

it('a file inside an answer becomes the output, and the record holds where it lies and nothing more', async () => {
  const { record, files, model } = await outcome(async (seen, keep) => {
    if (!isOver(seen)) return seen
    await keep(text('another one'))
    const key = await keep(text('do', 'ne'))
    await keep(text('a third'))
    return succeededWith(seen, key)
  })
  const [attempt] = record.attempts
  expect(record).toMatchObject({ status: 'succeeded', output: { bytes: 4, name: model.output.name } })
  expect(attempt?.outputs).toEqual([{ kind: 'stored', key: expect.stringContaining(`uploads/${attempt?.id}/answer.`) }])
  expect(files).toEqual([record.output?.key])
})

it('what an answer holds that tells of no success goes, and is never taken for the output', async () => {
  const { record, files } = await outcome(async (seen, keep) => {
    const key = await keep(text('done'))
    return isOver(seen) ? { ...seen, status: 'failed', outputs: [] } : { ...seen, outputs: [{ kind: 'stored', key }] }
  })
  expect(record).toMatchObject({ status: 'failed', failure: { code: 'model_error' } })
  expect(files).toEqual([])
})

it.each([
  ['is broken', 'output_lost', () => broken()],
  ['is larger than its model allows', 'output_too_large', () => text('x'.repeat(2_000))],
])('a file that %s ends the attempt with the reason', async (_, code, bytes) => {
  const { record, files, polls } = await outcome(async (seen, keep) =>
    isOver(seen) ? succeededWith(seen, await keep(bytes())) : seen,
  )
  expect(record).toMatchObject({ status: 'failed', failure: { code } })
  expect(files).toEqual([])
  expect(polls.filter(isOver)).toHaveLength(1)
})

async function* broken(): AsyncGenerator<Uint8Array> {
  yield* text('do')
  refuse('output_lost', 'A file in the answer is no whole base64.')
}

it.each([
  ['the disk is full', () => refuse('storage_full', 'The disk is full.')],
  ['the connection breaks', () => Promise.reject(new Error('reset'))],
])('where %s while it comes, the answer is asked for again', async (_, fail) => {
  let tries = 0
  const { record, files } = await outcome(async (seen, keep) => {
    if (!isOver(seen)) return seen
    tries += 1
    const bytes = async function* () {
      yield* text('do')
      if (tries < 3) await fail()
      yield* text('ne')
    }
    return succeededWith(seen, await keep(bytes()))
  })
  expect(record).toMatchObject({ status: 'succeeded', attempts: [{ state: 'won' }] })
  expect(tries).toBe(3)
  expect(files).toEqual([record.output?.key])
})

it('a file that comes after its attempt has ended stays nowhere', async () => {
  const { record, files } = await outcome(async (seen, keep, cancel) => {
    if (!isOver(seen)) return seen
    async function* slow() {
      yield* text('do')
      await cancel()
      yield* text('ne')
    }
    return succeededWith(seen, await keep(slow()))
  })
  expect(record.status).toBe('canceled')
  expect(files).toEqual([])
})

it('a look for uploads does not see it before its answer has been read', async () => {
  const looks: unknown[] = []
  await outcome(async (seen, keep, _cancel, { stat, attemptId }) => {
    if (!isOver(seen)) return seen
    const key = await keep(text('done'))
    looks.push(await stat(uploadKey(attemptId)))
    return succeededWith(seen, key)
  })
  expect(looks).toEqual([null])
})

const outputOf = (key: string) => ({ key, name: 'x', mediaType: 'x/y', bytes: 4, sha256: '', facts: {} })

it.each<[string, Attempt['state'], string | null, readonly string[]]>([
  ['its attempt has won with another', 'won', 'outputs/p/a/1/x', ['outputs/p/a/2/x']],
  ['it is the output', 'won', 'outputs/p/a/2/x', []],
  ['its attempt has not ended, and another process may be verifying it', 'collecting', null, []],
  ['the output was removed since', 'won', null, []],
])('a copy of an upload, where %s', async (_, state, key, expected) => {
  const removed: string[] = []
  const attempts = [sampleAttempt({ id: 'a', state })]
  const record = samplePrediction({ id: 'p', attempts, output: key === null ? null : outputOf(key) })
  const event = { type: 'collected', attempt: 'a', effect: 'e', output: outputOf('outputs/p/a/2/x') } as const
  await dropUnknown({ remove: async each => void removed.push(each) }, record, event)
  expect(removed).toEqual(expected)
})
