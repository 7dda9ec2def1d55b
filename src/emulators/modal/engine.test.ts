// Loaded before anything is measured: the adapter loads it with its first call, which takes no simulated time then.
import 'modal'
import { expect, test } from 'vitest'
import { modal } from '../../providers/modal/index.ts'
import { type End, good, predict as predictAt, refusals, type Setting } from '../../testing/test-prediction.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { createModalEmulator, grpcOverFetch } from './index.ts'

interface Place extends Pick<Setting, 'reachable' | 'policy' | 'durationMs'> {
  readonly mode?: 'functions' | 'web'
  /** The function is our kit: hello, upload by signed link. Default true. */
  readonly kit?: boolean
  /** How long the function lets the work take. Default 300 s. */
  readonly timeoutMs?: number
}

function predict(faults: readonly string[], place: Place = {}): Promise<End> {
  const { mode = 'functions', kit = true, timeoutMs = 300_000, ...rest } = place
  const origin = 'https://modal.test'
  return predictAt(faults, {
    emulator: parts => createModalEmulator({ ...parts, timeoutMs }),
    provider: fetch =>
      mode === 'web'
        ? modal({ mode })
        : modal({ tokenId: 'ak', tokenSecret: 'as', grpcMiddleware: [grpcOverFetch(fetch, origin)] }),
    target:
      mode === 'web' ? { url: `${origin}/web/text`, kit } : { app: 'text', function: 'predict', hardware: 'l4', kit },
    ...rest,
  })
}

/** What the caller or the configuration must change first: one look, no second try at the same place. */
const refused = new Map<FaultName, string>(refusals)
/** What a function tells of itself, and a web framework does not. */
const final = new Map<FaultName, string>([...refused, ['oom', 'out_of_memory'], ['cuda-oom', 'out_of_memory']])

/** What costs a second call, because the first one is lost; the last two spoil an upload that nobody downloads. */
const twiceWithKit: readonly FaultName[] = [
  ...(['queue-forever', 'boot-forever', 'boot-slow', 'boot-timeout', 'crash-loop', 'stall', 'worker-killed'] as const),
  ...(['cuda-poisoned', 'model-error', 'input-lost', 'interrupted', 'upload-error'] as const),
  ...(['output-short', 'output-corrupt'] as const),
]
/** Starts whose answer is lost, and nothing ever tells of them. */
const lostStarts: readonly FaultName[] = [
  ...(['accept-then-reset', 'create-500', 'create-502', 'create-504', 'create-524'] as const),
  ...(['create-html-200', 'create-error-object-200', 'create-hang'] as const),
]
/** What costs a stranger's result, which is nowhere else. */
const twiceWithout: readonly FaultName[] = [
  ...(['weird-status', 'empty-output', 'output-expired', 'output-truncated', 'output-hang'] as const),
  ...twiceWithKit,
  ...lostStarts,
]

test.each(faultsAt('modal'))('%s, once, with our kit: it ends well, with as few calls as can be', async name => {
  const code = final.get(name)
  if (code !== undefined) expect(await predict([`${name}*1`])).toMatchObject({ ...good, status: 'failed', code })
  else expect(await predict([`${name}*1`])).toEqual({ ...good, submits: twiceWithKit.includes(name) ? 2 : 1 })
})

test.each(faultsAt('modal').filter(name => !final.has(name)))("%s, once, with a stranger's function", async name => {
  const lost: readonly FaultName[] = [...twiceWithout, 'status-404-later', 'data-removed']
  expect(await predict([`${name}*1`], { kit: false })).toEqual({ ...good, submits: lost.includes(name) ? 2 : 1 })
})

/** An endpoint does not tell a cold start from work: it may take as long as the run. */
const onceAtEndpoints: readonly FaultName[] = ['boot-slow']

/** A web endpoint has no cancel: what never starts is waited for without end at Modal. */
const endless: readonly FaultName[] = ['queue-forever', 'boot-forever', 'crash-loop', 'worker-killed']

test.each(faultsAt('modal').filter(name => !refused.has(name)))(
  '%s, once, with our kit as a web endpoint',
  async name => {
    const lost = [...twiceWithKit, 'oom', 'cuda-oom'].includes(name) && !onceAtEndpoints.includes(name)
    const submits = lost ? 2 : 1
    expect(await predict([`${name}*1`], { mode: 'web' })).toEqual({
      ...good,
      submits,
      running: endless.includes(name) ? 1 : 0,
    })
  },
)

test.each([...refused])('%s, once, at a web endpoint: %s, and nothing is started', async (name, code) => {
  const end = await predict([`${name}*1`], { mode: 'web' })
  expect(end).toEqual({ ...good, status: 'failed', code, submits: 0 })
})

test.each([...twiceWithout, 'oom', 'cuda-oom'] as const)("%s, once, with a stranger's web endpoint", async name => {
  const end = await predict([`${name}*1`], { mode: 'web', kit: false })
  const submits = onceAtEndpoints.includes(name) ? 1 : 2
  expect(end).toEqual({ ...good, submits, running: endless.includes(name) ? 1 : 0 })
})

test.each(['functions', 'web'] as const)(
  '%s: a lost start is one call: the hello gives its id, and where that is lost, the upload is found',
  async mode => {
    expect(await predict(['accept-then-reset'], { mode })).toEqual({ ...good, submits: 1 })
    expect(await predict(['accept-then-reset', 'hello-lost'], { mode })).toEqual({ ...good, submits: 1 })
  },
)

test('a web endpoint that takes longer than one exchange is asked again at the place that the redirect names', async () => {
  const patient = { queueMs: 600_000, stallMs: 600_000 }
  const slow = { mode: 'web', kit: false, durationMs: 400_000, policy: patient } as const
  expect(await predict([], { ...slow, timeoutMs: 900_000 })).toEqual({ ...good, submits: 1 })
})

test.each(['functions', 'web'] as const)(
  '%s: a kit that cannot reach us is refused before any money is spent',
  async mode => {
    const end = await predict([], { mode, reachable: false })
    expect(end).toEqual({ ...good, status: 'failed', code: 'no_route_for_bytes', submits: 0 })
  },
)

test.each([
  ['stall', 'run_timeout', 3],
  ['crash-loop', 'queue_timeout', 3],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await predict([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})

test('many faults at once: one output, few calls', async () => {
  const plan = ['create-504', 'status-503', 'status-429@float', 'progress-restart']
  expect(await predict(plan)).toEqual({ ...good, submits: 1 })
})
