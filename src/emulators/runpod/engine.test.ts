import { expect, test } from 'vitest'
import { runpod } from '../../providers/runpod/index.ts'
import { type End, good, predict as predictAt, refusals } from '../../testing/test-prediction.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { createRunpodEmulator } from './index.ts'

interface Place {
  /** The handler is our kit: hello, upload by signed link. Default true. */
  readonly kit?: boolean
  readonly reachable?: boolean
}

function predict(faults: readonly string[], { kit = true, reachable = true }: Place = {}): Promise<End> {
  return predictAt(faults, {
    emulator: createRunpodEmulator,
    provider: () => runpod({ apiKey: 'k', baseUrl: 'https://runpod.test/v2' }),
    target: { endpoint: 'abc123', hardware: 'l40s', kit },
    reachable,
  })
}

/** What the caller or the configuration must change first: one look, no second try at the same place. */
const final = new Map<FaultName, string>([
  ['create-400', 'input_invalid'],
  ...refusals,
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
])
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  // A cold start counts as queue here, and this one is longer than the policy's five minutes for that.
  'boot-slow',
  ...(['queue-forever', 'boot-forever', 'crash-loop', 'scaled-down', 'timed-out', 'stall'] as const),
  ...(['worker-killed', 'cuda-poisoned', 'model-error', 'upload-error'] as const),
]
/** What also costs a kit's output, which nobody downloads. */
const twiceWithKit: readonly FaultName[] = [...twice, 'output-short', 'output-corrupt']
/** What costs the output of a stranger's handler, which comes by its bucket's URL. */
const twiceWithout: readonly FaultName[] = [
  ...twiceWithKit,
  ...(['status-404-later', 'empty-output', 'output-path', 'output-expired'] as const),
  ...(['output-truncated', 'output-hang'] as const),
]

test.each(faultsAt('runpod'))(
  '%s, once, with our kit: the prediction ends well, with as few runs as can be',
  async name => {
    const code = final.get(name)
    if (code !== undefined) expect(await predict([`${name}*1`])).toMatchObject({ ...good, status: 'failed', code })
    else expect(await predict([`${name}*1`])).toEqual({ ...good, submits: twiceWithKit.includes(name) ? 2 : 1 })
  },
)

test.each(faultsAt('runpod').filter(name => !final.has(name)))("%s, once, with a stranger's handler", async name => {
  const submits = twiceWithout.includes(name) ? 2 : 1
  expect(await predict([`${name}*1`], { kit: false })).toEqual({ ...good, submits })
})

test('a lost start is one run: the hello gives its id, and where that is lost, the webhook of its end', async () => {
  expect(await predict(['accept-then-reset'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['accept-then-reset', 'hello-lost'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['accept-then-reset', 'webhook-lost'])).toEqual({ ...good, submits: 1 })
})

test("a lost start of a stranger's handler whose webhook is lost too is a second run, not an endless wait", async () => {
  expect(await predict(['accept-then-reset*1', 'webhook-lost*1'], { kit: false })).toEqual({ ...good, submits: 2 })
})

test('a result that a late progress update overwrote comes by the webhook; without it the upload is found', async () => {
  expect(await predict(['progress-late'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['progress-late*1', 'webhook-lost*1'])).toEqual({ ...good, submits: 1 })
})

test('a kit that cannot reach us is refused before any money is spent', async () => {
  const end = await predict([], { reachable: false })
  expect(end).toEqual({ ...good, status: 'failed', code: 'no_route_for_bytes', submits: 0 })
})

test.each([
  ['stall', 'stalled', 3],
  ['crash-loop', 'queue_timeout', 3],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await predict([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})

test('many faults at once: one output, few runs', async () => {
  const plan = ['create-504', 'status-503', 'status-429@date', 'progress-restart', 'run-twice', 'webhook-duplicate']
  expect(await predict(plan)).toEqual({ ...good, submits: 1 })
})
