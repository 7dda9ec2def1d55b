import { seconds } from './draft.ts'
import type { Policy } from './policy.ts'
import { enoughSamples, type Measured } from './statistics.ts'

/** How long nothing may change before an attempt counts as stalled, and where the number comes from. */
export interface StallLimit {
  readonly ms: number
  /** In words, for the attempt's account. */
  readonly from: string
}

/**
 * The stall limit of a deployment: `stallFactor` x the median of what its runs take, within the bounds that policy
 * states; policy's own `stallMs` until enough runs have finished. Where runs are `silent` nothing is expected to change
 * before their end, so that until then only the limit of the whole run says anything.
 */
export function stallLimit(policy: Policy, measured: Measured | null, silent: boolean = false): StallLimit {
  const run = measured?.run ?? null
  if (silent && (run === null || run.samples < enoughSamples))
    return { ms: policy.runMs, from: 'the whole run, which shows no progress there' }
  if (run === null || run.samples < enoughSamples)
    return { ms: policy.stallMs, from: `policy's ${seconds(policy.stallMs)}` }
  const learned = policy.stallFactor * run.p50
  const ms = Math.round(Math.min(policy.stallMaxMs, Math.max(policy.stallMinMs, learned)))
  const bound = ms === Math.round(learned) ? '' : `, bounded to ${seconds(ms)}`
  return { ms, from: `${policy.stallFactor} x the median run of ${seconds(run.p50)} (${run.samples} runs)${bound}` }
}
