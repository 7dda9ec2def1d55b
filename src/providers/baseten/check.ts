import { SurefootError } from '../../core/failure.ts'
import type { Finding, Intent, Io } from '../contract.ts'
import { duration, judgeRunLimit, ok, problem, warning } from '../finding.ts'
import { isMissing, type VendorApi } from '../vendor-api.ts'
import type { BasetenTarget } from './options.ts'
import { deploymentSchema, environmentSchema, type WireDeployment } from './wire.ts'

const minute = 60_000
/** Source: docs.baseten.co/inference/async and docs.baseten.co/inference/errors. */
const longestRunMs = { async: 60 * minute, held: 20 * minute } as const

/** Words that the vendor's reference has for a deployment that takes no request until somebody mends it. */
const away = /FAILED|STOPPED|INACTIVE|DEACTIVATING|DELET/
const unwell = /UNHEALTHY/

/** Whether a deployment takes no request until somebody mends it. */
export function isAway({ status }: Pick<WireDeployment, 'status'>): boolean {
  return away.test(status)
}

/**
 * Reads the deployment's settings with the management API (`GET /v1/models/...`), which wakes nothing. A key that may call
 * models only is refused there; that is no problem of a start's. Source: docs.baseten.co/reference/management-api.
 */
export async function check(
  target: BasetenTarget,
  mode: 'async' | 'held',
  management: VendorApi,
  io: Io,
  intent: Intent,
): Promise<readonly Finding[]> {
  const limits = [...judgeLimits(target, mode, intent)]
  // Starts need nothing of this API: that it is away or refuses us fails nothing.
  const answer = await management.ask({ method: 'GET', path: settingsPath(target) }, io).catch((error: unknown) => {
    if (SurefootError.is(error)) return null
    throw error
  })
  if (answer !== null && isMissing(answer)) {
    const message = 'Baseten: there is no such model or deployment, or this key may not see it.'
    return [...limits, problem('baseten-deployment', message, "Correct the deployment's target.")]
  }
  const environment = environmentSchema.safeParse(answer?.json).data?.current_deployment
  const deployment = environment ?? deploymentSchema.safeParse(answer?.json).data
  if (deployment === undefined) {
    const message = `Baseten: the deployment's settings cannot be read with this key (${answer?.status ?? 'no answer'}).`
    return [...limits, ok('baseten-deployment', message, 'Look at its replicas and their limits yourself.')]
  }
  return [...limits, judgeStatus(deployment), ...judgeReplicas(deployment)]
}

function judgeLimits({ maxQueueSeconds }: BasetenTarget, mode: 'async' | 'held', intent: Intent): Finding[] {
  const run = judgeRunLimit('baseten-run-limit', intent, {
    endsAfterMs: longestRunMs[mode],
    words: 'Baseten',
    advice: `Set runMs to at most ${duration(longestRunMs[mode])}.`,
  })
  if (maxQueueSeconds === undefined || maxQueueSeconds * 1000 >= intent.queueMs + intent.bootMs) return run
  const message = `Baseten drops a request after ${duration(maxQueueSeconds * 1000)} without a replica, and the policy waits ${duration(intent.queueMs + intent.bootMs)} for one.`
  return [...run, warning('baseten-queue', message, 'Raise maxQueueSeconds in the target, or leave it out.')]
}

function judgeStatus({ status, name }: WireDeployment): Finding {
  const words = `Baseten: the deployment${name === undefined ? '' : ` ${name}`} is ${status}`
  if (isAway({ status }))
    return problem('baseten-deployment', `${words}: it takes no request.`, 'Deploy it again, or activate it.')
  if (unwell.test(status))
    return problem('baseten-deployment', `${words}: its replicas fail.`, "Read the model's logs, then deploy it again.")
  return ok('baseten-deployment', `${words}.`)
}

function judgeReplicas({ autoscaling_settings: settings }: WireDeployment): Finding[] {
  if (settings === undefined) return []
  const { min_replica: min, max_replica: max, concurrency_target: together, scale_down_delay: idle } = settings
  const words = `Baseten: ${min ?? '?'} to ${max ?? '?'} replicas, ${together ?? '?'} ${together === 1 ? 'request' : 'requests'} at a time on each, down after ${idle ?? '?'} s`
  const findings: Finding[] = []
  if (max === 0) findings.push(problem('baseten-replicas', `${words}: nothing runs.`, 'Raise its maximum of replicas.'))
  if (min !== undefined && min > 0)
    findings.push(
      warning(
        'baseten-replicas',
        `${words}: ${min} are paid for around the clock, which no cost here shows.`,
        'Lower the minimum to 0, unless nobody may wait for a cold start.',
      ),
    )
  if (together !== undefined && together > 1)
    findings.push(
      warning(
        'baseten-concurrency',
        `${words}: requests share a GPU, or wait on a replica that is busy while others idle.`,
        'Set the concurrency target to 1, unless the model is made for more.',
      ),
    )
  return findings.length > 0 ? findings : [ok('baseten-replicas', `${words}.`)]
}

/** Where the management API tells of what a target names. */
export function settingsPath({ model, environment = 'production', deployment }: BasetenTarget): string {
  const place =
    deployment !== undefined
      ? `deployments/${deployment}`
      : environment === 'production' || environment === 'development'
        ? `deployments/${environment}`
        : `environments/${environment}`
  return `/models/${model}/${place}`
}
