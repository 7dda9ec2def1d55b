import { createFailure } from '../core/failure.ts'
import type { AttemptJson, FailureJson, PredictionJson } from '../http/shapes.ts'
import type { Finding, ProviderLimits } from '../providers/contract.ts'
import { duration, megabytes, ok, problem, usd, warning } from './finding.ts'

/** What one run at a deployment left behind. */
export interface Probe {
  readonly prediction: Pick<PredictionJson, 'status' | 'metrics' | 'completed_at' | 'surefoot'>
  readonly attempts: readonly AttemptJson[]
}

/** How an output comes back from there: see `ProviderLimits`. */
export interface Ways extends Pick<ProviderLimits, 'inlineOutputBytes' | 'needsCallback'> {
  /** What an output usually has. Default: nobody has said. */
  readonly usualBytes?: number
}

/** What came of a probe, in one sentence out of the prediction's own account, and what to do next. */
export function judgeProbe({ prediction, attempts }: Probe, ways: Ways): Finding {
  const { failure, output, cost } = prediction.surefoot
  const last = attempts.at(-1)
  const price = cost === null || cost.amount === 0 ? '' : `; it cost ${usd(cost.amount)} USD`
  const total = duration((prediction.metrics.total_time ?? 0) * 1000)
  const again = attempts.length > 1 ? ` It was tried ${attempts.length} times within ${total}.` : ''
  if (output !== null) {
    const stages = stagesOf(last, prediction.completed_at)
    const seen = stages === '' ? '' : ` (${stages})`
    const words = `A photo went there and its output came back, ${megabytes(output.bytes)} in ${total}${seen}${price}.`
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
  const words = `${howFar(last, cause, prediction.completed_at)}${price}. ${cause.code}: ${cause.message}${again}`
  return problem('probe', words, adviceFor(cause, last, ways))
}

/** Less is what polls happened to see, not what the provider did. */
const leastStageMs = 50

/** `queued 0.3 s, booted 2 s, ran 41 s`; stages that nobody saw, or for a moment only, are left out. */
function stagesOf(attempt: AttemptJson | undefined, endedAt: string | null): string {
  if (attempt === undefined) return ''
  const words = [
    ['queued', attempt.queued_at],
    ['booted', attempt.booting_at],
    ['ran', attempt.running_at],
    ['collected', attempt.collecting_at],
  ] as const
  const seen = words.flatMap(([word, at]) => (at === null ? [] : [{ word, at: Date.parse(at) }]))
  const ended = attempt.ended_at ?? endedAt
  const end = ended === null ? null : Date.parse(ended)
  return seen
    .flatMap(({ word, at }, index) => {
      const ms = (seen[index + 1]?.at ?? end ?? at) - at
      return ms < leastStageMs ? [] : `${word} ${duration(ms)}`
    })
    .join(', ')
}

/** What a failure proves to have gone well before it, whatever polls saw in between; each with the second of its end. */
const lastGood: readonly (readonly [(at: string) => string, readonly FailureJson['code'][]])[] = [
  [
    at => `The run finished on its worker at ${at}, but its output is not here`,
    ['output_lost', 'output_too_large', 'output_invalid'],
  ],
  [
    at => `A worker took the run and had not finished it at ${at}`,
    ['model_error', 'out_of_memory', 'no_gpu', 'worker_lost', 'stalled', 'run_timeout'],
  ],
  [at => `The start was taken, and its worker was not ready at ${at}`, ['boot_timeout']],
  [at => `The start was taken, and no worker had taken the run at ${at}`, ['queue_timeout']],
  [at => `The start was sent, its answer was lost, and nothing was heard of it until ${at}`, ['start_unknown']],
]

/** These say that a worker was waited for only where the start was taken; a server that refuses it may give them, too. */
const ofTaken: readonly FailureJson['code'][] = ['boot_timeout', 'queue_timeout']

/** The last thing that is known to have gone well, what did not, and at which second after the start was sent. */
function howFar(attempt: AttemptJson | undefined, { code }: FailureJson, endedAt: string | null): string {
  if (attempt === undefined || attempt.submitted_at === null) return 'Nothing was started'
  const stages = stagesOf(attempt, endedAt)
  const there = attempt.word === null ? '' : `; there: ${attempt.word}`
  const seen = stages === '' ? '' : ` (${stages}${there})`
  const end = attempt.collecting_at ?? attempt.ended_at ?? endedAt ?? attempt.submitted_at
  const at = duration(Math.max(0, Date.parse(end) - Date.parse(attempt.submitted_at)))
  const wasTaken = [attempt.queued_at, attempt.booting_at, attempt.running_at].some(time => time !== null)
  const known = lastGood.find(([, codes]) => codes.includes(code) && (wasTaken || !ofTaken.includes(code)))?.[0]
  const words = known?.(at) ?? (wasTaken ? `The start was taken, and the run failed at ${at}` : 'The start was refused')
  return `${words}${seen}`
}

const upload = 'switch kit upload on (kit: true in the target and a public URL), or let the worker answer with a URL.'

/**
 * An output of which not even a reference came back was too large for the answer, where it usually is; a run that shows
 * nothing any more may have ended, where ends are told by webhook only.
 */
function adviceFor(
  { code, advice }: FailureJson,
  attempt: AttemptJson | undefined,
  { inlineOutputBytes, needsCallback, usualBytes }: Ways,
): string {
  if (code === 'stalled' && needsCallback === true)
    return `${advice} Its end is told by webhook only: see that the public URL can be reached from there.`
  if (inlineOutputBytes === null || (code !== 'output_lost' && code !== 'output_too_large')) return advice
  if (code === 'output_lost' && attempt?.collecting_at !== null) return advice
  const carries = megabytes(inlineOutputBytes)
  if (usualBytes === undefined)
    return `${advice} If it had more than the ${carries} that an answer there carries: ${upload}`
  if (usualBytes <= inlineOutputBytes) return advice
  // What the provider knows of the cause comes first.
  const own = advice === createFailure(code, '').advice ? '' : `${advice} `
  return `${own}The output usually has ${megabytes(usualBytes)}, and an answer there carries ${carries} at most: ${upload}`
}
