import type { AttemptJson, FailureJson, PredictionJson } from '../http/shapes.ts'
import type { Finding, ProviderLimits } from '../providers/contract.ts'
import { duration, megabytes, ok, problem, usd, warning } from './finding.ts'

/** What one run at a deployment left behind. */
export interface Probe {
  readonly prediction: Pick<PredictionJson, 'status' | 'metrics' | 'surefoot'>
  readonly attempts: readonly AttemptJson[]
}

/** What came of a probe, in one sentence out of the prediction's own account, and what to do next. */
export function judgeProbe(
  { prediction, attempts }: Probe,
  limits: Pick<ProviderLimits, 'inlineOutputBytes'>,
): Finding {
  const { failure, output, cost } = prediction.surefoot
  const last = attempts.at(-1)
  const price = cost === null || cost.amount === 0 ? '' : `; it cost ${usd(cost.amount)} USD`
  const again = attempts.length > 1 ? ` It was tried ${attempts.length} times.` : ''
  if (output !== null) {
    const took = duration((prediction.metrics.total_time ?? 0) * 1000)
    const stages = stagesOf(last)
    const seen = stages === '' ? '' : ` (${stages})`
    const words = `A photo went there and its output came back, ${megabytes(output.bytes)} in ${took}${seen}${price}.`
    const before = attempts.flatMap(({ failure }) => (failure === null ? [] : `${failure.code}: ${failure.message}`))
    if (before.length === 0) return ok('probe', words)
    return warning(
      'probe',
      `${words}${again} Before that: ${before.join(' ')}`,
      'Run it again to see how often that is so.',
    )
  }
  const cause = last?.failure ?? failure
  if (cause === null) {
    return warning('probe', `The probe was ended before it was done (${prediction.status})${price}.`, 'Run it again.')
  }
  const words = `${howFar(last, cause)}${price}. ${cause.code}: ${cause.message}${again}`
  return problem('probe', words, adviceFor(cause, limits))
}

/** Less is what polls happened to see, not what the provider did. */
const leastStageMs = 50

/** `queued 0.3 s, booted 2 s, ran 41 s`; stages that nobody saw, or for a moment only, are left out. */
function stagesOf(attempt: AttemptJson | undefined): string {
  if (attempt === undefined) return ''
  const words = [
    ['queued', attempt.queued_at],
    ['booted', attempt.booting_at],
    ['ran', attempt.running_at],
    ['collected', attempt.collecting_at],
  ] as const
  const seen = words.flatMap(([word, at]) => (at === null ? [] : [{ word, at: Date.parse(at) }]))
  const end = attempt.ended_at === null ? null : Date.parse(attempt.ended_at)
  return seen
    .flatMap(({ word, at }, index) => {
      const ms = (seen[index + 1]?.at ?? end ?? at) - at
      return ms < leastStageMs ? [] : `${word} ${duration(ms)}`
    })
    .join(', ')
}

/** What a failure proves to have gone well before it, whatever polls saw in between. */
const lastGood: readonly (readonly [string, readonly FailureJson['code'][]])[] = [
  ['The run finished on its worker, but its output is not here', ['output_lost', 'output_too_large', 'output_invalid']],
  [
    'A worker took the run and did not finish it',
    ['model_error', 'out_of_memory', 'no_gpu', 'worker_lost', 'stalled', 'run_timeout'],
  ],
  ['The start was taken, and its worker did not become ready', ['boot_timeout']],
  ['The start was taken, and no worker took the run', ['queue_timeout']],
  ['The start was sent, and its answer was lost', ['start_unknown']],
]

/** The last thing that is known to have gone well, and what did not. */
function howFar(attempt: AttemptJson | undefined, { code }: FailureJson): string {
  if (attempt === undefined || attempt.submitted_at === null) return 'Nothing was started'
  const stages = stagesOf(attempt)
  const there = attempt.word === null ? '' : `; there: ${attempt.word}`
  const seen = stages === '' ? '' : ` (${stages}${there})`
  const wasTaken = [attempt.queued_at, attempt.booting_at, attempt.running_at].some(time => time !== null)
  const known = lastGood.find(([, codes]) => codes.includes(code))?.[0]
  return `${known ?? (wasTaken ? 'The start was taken, and the run did not end well' : 'The start was refused')}${seen}`
}

function adviceFor(
  { code, advice }: FailureJson,
  { inlineOutputBytes }: Pick<ProviderLimits, 'inlineOutputBytes'>,
): string {
  if (inlineOutputBytes === null || (code !== 'output_lost' && code !== 'output_too_large')) return advice
  return `An answer there carries ${megabytes(inlineOutputBytes)} at most: switch kit upload on (kit: true in the target and a public URL), or let the worker answer with a URL.`
}
