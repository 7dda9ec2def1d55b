import { type AttemptDraft, seconds } from './draft.ts'
import { createFailure, type Failure } from './failure.ts'
import type { Policy } from './policy.ts'
import { type StallLimit, stallLimit } from './stall.ts'
import type { DeploymentWorld } from './world.ts'

/** A moment at which policy ends an attempt, with the failure that says which number it used. */
export interface Timer {
  readonly name: 'unknown' | 'queue' | 'boot' | 'stall' | 'lastStage' | 'restarts' | 'run' | 'collect'
  readonly at: number
  readonly failure: Failure
}

/**
 * The timers that run for an attempt in its present state. Ended and planned attempts have none, and one that is being
 * submitted only where its connection is the run.
 */
export function timersOf(attempt: AttemptDraft, policy: Policy, deployment: DeploymentWorld | undefined): Timer[] {
  switch (attempt.state) {
    case 'submitting':
      return deployment?.heldStart ? [runTimer(attempt, attempt.submittedAt, policy)] : []
    case 'unknown':
      return [unknownTimer(attempt, policy, deployment)]
    case 'queued':
      return [
        timer('queue', attempt.queuedAt, policy.queueMs, ms =>
          createFailure('queue_timeout', `No worker took the run within ${seconds(ms)}.`),
        ),
      ]
    case 'booting':
      return [
        timer('boot', attempt.bootingAt, policy.bootMs, ms =>
          createFailure('boot_timeout', `The worker was not ready within ${seconds(ms)}.`),
        ),
      ]
    case 'running':
      return [
        runTimer(attempt, attempt.runningAt, policy),
        stallTimer(attempt, policy, stallLimit(policy, deployment?.measured ?? null, isSilent(attempt, deployment))),
        ...restartLimit(attempt, policy),
      ]
    case 'collecting':
      return [
        timer('collect', attempt.collectSince ?? attempt.collectingAt, policy.collectMs, ms =>
          createFailure('output_lost', `The output could not be collected within ${seconds(ms)}.`),
        ),
      ]
    default:
      return []
  }
}

function runTimer(attempt: AttemptDraft, since: number | null, { runMs }: Policy): Timer {
  if (!showedNothing(attempt))
    return timer('run', since, runMs, ms => createFailure('run_timeout', `The run took longer than ${seconds(ms)}.`))
  return timer('run', since, runMs, ms =>
    createFailure(
      'run_timeout',
      `The run took longer than ${seconds(ms)} and never showed progress; one that hangs looks the same there.`,
      {
        advice:
          "Look at the worker's logs, or let the worker report its progress; raise the policy's run limit only where the work needs longer.",
      },
    ),
  )
}

/** Each restart shows progress, so the stall watch would let a worker that is killed at 80 % again and again work on. */
function restartLimit({ restarts, changedAt }: AttemptDraft, policy: Policy): Timer[] {
  if (restarts <= policy.restarts) return []
  const times = restarts === 1 ? 'once' : `${restarts} times`
  const why = `Its worker was lost and the run began anew ${times} (limit: ${policy.restarts}).`
  return [{ name: 'restarts', at: changedAt, failure: createFailure('worker_lost', why) }]
}

/** As long as no search got an answer nobody has looked, and money is not spent again so soon. */
const unsearchedFactor = 3

function unknownTimer(attempt: AttemptDraft, { unknownMs }: Policy, deployment: DeploymentWorld | undefined): Timer {
  const lost = 'The answer to the start was lost, and'
  if (deployment?.canFind && attempt.searchedAt == null)
    return timer('unknown', attempt.unknownSince, unsearchedFactor * unknownMs, ms =>
      createFailure('start_unknown', `${lost} every search for the run failed for ${seconds(ms)}.`),
    )
  return timer('unknown', attempt.unknownSince, unknownMs, ms =>
    createFailure('start_unknown', `${lost} the run was not found within ${seconds(ms)}.`),
  )
}

function isSilent(attempt: AttemptDraft, deployment: DeploymentWorld | undefined): boolean {
  return deployment?.silent === true && showedNothing(attempt)
}

function showedNothing({ progress, logLength }: AttemptDraft): boolean {
  return progress === null && logLength === 0
}

/** "Stuck at 90 %" has its own limit: from `lastStageFrom` on, the rest should take the shorter time. */
function stallTimer(attempt: AttemptDraft, policy: Policy, limit: StallLimit): Timer {
  const fraction = attempt.progress?.fraction ?? null
  const where = fraction === null ? 'the run' : `progress at ${Math.round(fraction * 100)} %`
  const since = Math.max(attempt.changedAt, attempt.hedgedAt ?? 0)
  if (fraction !== null && fraction >= policy.lastStageFrom && policy.lastStageMs < limit.ms) {
    return timer('lastStage', since, policy.lastStageMs, ms =>
      createFailure('stalled', `No visible change for ${seconds(ms)} with ${where} (limit of the last stage).`),
    )
  }
  return timer('stall', since, limit.ms, ms =>
    createFailure('stalled', `No visible change for ${seconds(ms)} with ${where} (limit: ${limit.from}).`),
  )
}

function timer(name: Timer['name'], since: number | null, limitMs: number, failure: (ms: number) => Failure): Timer {
  return { name, at: (since ?? 0) + limitMs, failure: failure(limitMs) }
}
