import type { Deployment } from '../engine/contract.ts'
import type { Model } from '../models/contract.ts'
import type { Finding } from '../providers/contract.ts'
import { megabytes, ok, problem, warning } from './finding.ts'

/** What a request is sure to take in each second, where nobody has measured more: half of what a usual link brings. */
const bytesPerSecond = 10_000_000

/**
 * How a deployment's outputs come where each request drives what runs for `turnMs` and no process outlives it: past the
 * requests (a kit's upload), in pieces over several of them (a URL, ranges, a bucket), or whole within one.
 */
export function judgeServerless(
  { provider, target }: Deployment,
  model: Model,
  { turnMs, hasBucket }: { readonly turnMs: number; readonly hasBucket: boolean },
): Finding[] {
  const { heldStart, outputForms, inlineOutputBytes } = provider.limits
  const turn = `${turnMs / 1_000} seconds`
  if (heldStart)
    return [
      problem(
        'serverless',
        `A run there lives on its connection, and here no request lives longer than ${turn}.`,
        'Use a way of that provider that queues the run, or another deployment.',
      ),
    ]
  if (target.kit === true && outputForms.includes('stored'))
    return [ok('serverless', 'Its worker uploads the output: however large, it passes no request.')]
  const inAnswers = outputForms.includes('url') ? Infinity : (inlineOutputBytes ?? Infinity)
  const fits = Math.min(bytesPerSecond * (turnMs / 1_000), inAnswers)
  const whole = `whole within one request of ${turn}: up to some ${megabytes(fits)}`
  if (hasBucket && outputForms.includes('url'))
    return [
      ok(
        'serverless',
        `Outputs by URL come in pieces, over as many requests as they take, where their server answers ranges and states a strong ETag; others come ${whole}.`,
      ),
    ]
  const { usualBytes } = model.output
  if (usualBytes !== undefined && usualBytes > fits)
    return [
      warning(
        'serverless',
        `An output of ${model.name} has ${megabytes(usualBytes)}, and here it must come ${whole}.`,
        'Use a worker that uploads (kit: true in the target), one that answers with a URL, or a gateway that stays.',
      ),
    ]
  return [ok('serverless', `Outputs come ${whole}.`)]
}
