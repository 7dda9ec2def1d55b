import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import runpodSdk, {
  type CancelOutput,
  type EndpointCompletedOutput,
  type EndpointIncompleteOutput,
  type EndpointOutput,
  type EndpointStreamOutput,
  type HealthCheck,
  type PurgeQueueOutput,
} from 'runpod-sdk'
import { expect, expectTypeOf, test, vi } from 'vitest'
import type { CancelView, HealthView, JobView, PurgeView, StreamView, WaitingView } from '../../emulators/runpod/job.ts'
import type { Observation } from '../contract.ts'
import { observe } from './observe.ts'
import { healthSchema, jobSchema, type WireHealth, type WireJob } from './wire.ts'

/**
 * The types of `runpod-sdk` against what the emulator answers and what the adapter reads. In two places the types promise
 * what the vendor's reference of endpoint operations does not show, and the emulator follows the reference: a cancel's
 * answer has no times, and a stream is a list, not a tuple of one. Statuses are `string` there: the words of an end are in
 * the client's code, the others in the vendor's page on job states.
 */
test('what the emulator answers fits the published types', () => {
  expectTypeOf<JobView>().toExtend<EndpointOutput>()
  expectTypeOf<Required<JobView>>().toExtend<EndpointCompletedOutput>()
  expectTypeOf<WaitingView>().toExtend<EndpointIncompleteOutput>()
  expectTypeOf<CancelView>().toExtend<Omit<CancelOutput, 'executionTime' | 'delayTime'>>()
  expectTypeOf<StreamView['status']>().toExtend<EndpointStreamOutput['status']>()
  expectTypeOf<HealthView>().toExtend<HealthCheck>()
  expectTypeOf<PurgeView>().toExtend<PurgeQueueOutput>()
})

test('the adapter reads every value of the published types', () => {
  expectTypeOf<EndpointOutput>().toExtend<WireJob>()
  expectTypeOf<CancelOutput>().toExtend<WireJob>()
  expectTypeOf<HealthCheck>().toExtend<WireHealth>()
  const duration = fc.nat()
  const incomplete: fc.Arbitrary<EndpointIncompleteOutput> = fc.record(
    { id: fc.uuid(), status: fc.constantFrom(...words), delayTime: duration },
    { requiredKeys: ['id', 'status'] },
  )
  const completed: fc.Arbitrary<EndpointCompletedOutput> = fc.record({
    id: fc.uuid(),
    status: fc.constantFrom(...words),
    output: fc.jsonValue(),
    executionTime: duration,
    delayTime: duration,
  })
  const health: fc.Arbitrary<HealthCheck> = fc.record({
    jobs: fc.record({
      completed: duration,
      failed: duration,
      inProgress: duration,
      inQueue: duration,
      retried: duration,
    }),
    workers: fc.record({
      idle: duration,
      initializing: duration,
      ready: duration,
      running: duration,
      throttled: duration,
    }),
  })
  fc.assert(fc.property(fc.oneof(incomplete, completed), job => void expect(jobSchema.parse(job)).toEqual(job)))
  fc.assert(fc.property(health, answer => void expect(healthSchema.parse(answer)).toEqual(answer)))
})

/** Every word of the vendor's, and what it means to us. */
const meanings: { readonly [word in JobView['status'] | 'RUNNING']: Observation['status'] } = {
  IN_QUEUE: 'queued',
  IN_PROGRESS: 'running',
  RUNNING: 'running',
  COMPLETED: 'succeeded',
  FAILED: 'failed',
  CANCELLED: 'canceled',
  TIMED_OUT: 'failed',
}
const words = Object.keys(meanings)
const ends: readonly string[] = ['succeeded', 'failed', 'canceled']

test.each(Object.entries(meanings))(
  '%s is %s, and an end for the client exactly when it is one for us',
  async (word, meaning) => {
    const answer = { id: 'job-1', status: word }
    expect(observe(jobSchema.parse(answer), null).status).toBe(meaning)
    vi.stubGlobal('fetch', async () => Response.json(answer))
    const seen = await runpodSdk('key', { baseUrl: 'https://runpod.test/v2' }).endpoint('ep')?.status('job-1')
    vi.unstubAllGlobals()
    expect(seen).toMatchObject({ completed: ends.includes(meaning) })
  },
)

test('the client knows no word of an end that we do not', () => {
  const source = readFileSync(fileURLToPath(import.meta.resolve('runpod-sdk')), 'utf8')
  const listed = /isCompleted = [^[]*\[([^\]]*)\]/.exec(source)?.[1] ?? ''
  const known = [...listed.matchAll(/"(\w+)"/g)].map(([, word]) => word)
  expect(known.length).toBeGreaterThan(3)
  expect(known.filter(word => !words.includes(word ?? ''))).toEqual([])
})
