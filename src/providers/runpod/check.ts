import { SurefootError } from '../../core/failure.ts'
import type { Finding, Intent, Io } from '../contract.ts'
import { duration, judgeRunLimit, ok, problem, warning } from '../finding.ts'
import type { Answer } from '../http.ts'
import { isMissing, type VendorApi } from '../vendor-api.ts'
import type { RunpodTarget } from './options.ts'
import { endpointSchema, type WireEndpoint, type WireWorkers, workersSchema } from './wire.ts'

/** An idle worker is paid; longer than this after each job is more than most jobs cost. */
const longIdleSeconds = 60

/**
 * Reads the endpoint and its workers with the management API, which starts nothing. A key that is restricted to one
 * endpoint's jobs is refused there; that is no problem of a start's. Whether a key may submit at all only a start tells.
 * Source: the vendor's `api-reference-v2/openapi.json`.
 */
export async function check(
  target: RunpodTarget,
  management: VendorApi,
  io: Io,
  intent: Intent,
): Promise<readonly Finding[]> {
  const own = target.executionTimeoutMs
  const limit =
    own === undefined
      ? []
      : judgeRunLimit('runpod-run-limit', intent, {
          endsAfterMs: own,
          words: "RunPod, by the target's executionTimeoutMs,",
          advice: 'Leave executionTimeoutMs out: every job then gets the run limit of the policy.',
        })
  const path = `/v2/serverless/${encodeURIComponent(target.endpoint)}`
  const answer = await read(path, management, io)
  if (answer !== null && isMissing(answer)) {
    const message = `RunPod: there is no endpoint ${target.endpoint}, or this key may not see it.`
    return [...limit, problem('runpod-endpoint', message, "Correct the deployment's target.")]
  }
  const endpoint = endpointSchema.safeParse(answer?.json).data
  if (endpoint === undefined) {
    const message = `RunPod: the endpoint's settings cannot be read with this key (${answer?.status ?? 'no answer'}).`
    return [...limit, ok('runpod-endpoint', message, 'Look at its workers, idle timeout and type yourself.')]
  }
  const workers = workersSchema.safeParse((await read(`${path}/workers`, management, io))?.json).data
  return [...limit, ...judgeEndpoint(endpoint), ...(workers === undefined ? [] : judgeWorkers(workers))]
}

/** Starts need nothing of this API: that it is away or refuses us fails nothing. */
async function read(path: string, management: VendorApi, io: Io): Promise<Answer | null> {
  return await management.ask({ method: 'GET', path }, io).catch((error: unknown) => {
    if (SurefootError.is(error)) return null
    throw error
  })
}

function judgeEndpoint({ type, name, workers, flashboot }: WireEndpoint): Finding[] {
  const words = `RunPod: the endpoint${name === undefined ? '' : ` ${name}`}`
  if (type === 'LOAD_BALANCER')
    return [
      problem(
        'runpod-endpoint',
        `${words} balances load and has no queue: it takes no jobs.`,
        'Make an endpoint of the type Queue.',
      ),
    ]
  const { min, max, idleTimeout: idle } = workers
  const have = `${words} has ${min ?? '?'} to ${max ?? '?'} workers`
  const findings = [
    ok('runpod-endpoint', `${words} is there; flashboot: ${flashboot ?? 'not told'}.`, adviceOn(flashboot)),
  ]
  if (max === 0)
    findings.push(
      problem(
        'runpod-workers',
        `${have}: jobs wait for ever. So it is after 7 days without one.`,
        'Raise max workers.',
      ),
    )
  else if (min !== undefined && min > 0)
    findings.push(
      warning(
        'runpod-workers',
        `${have}: ${min} are paid for around the clock, which no cost here shows.`,
        'Set its active workers to 0, unless nobody may wait for a cold start.',
      ),
    )
  else findings.push(ok('runpod-workers', `${have}.`))
  if (idle !== undefined && idle > longIdleSeconds)
    findings.push(
      warning(
        'runpod-idle',
        `${words} keeps a worker for ${duration(idle * 1000)} after its last job, and that is paid beside the job.`,
        'Lower its idle timeout, unless jobs follow each other that closely.',
      ),
    )
  return findings
}

function adviceOn(flashboot: string | undefined): string | null {
  return flashboot === 'OFF' ? 'FlashBoot makes cold starts shorter and costs nothing.' : null
}

/** Also while no job waits: then health is quiet about workers that only die. */
function judgeWorkers({ summary: { unhealthy, throttled, total } }: WireWorkers): Finding[] {
  const words = `RunPod: of ${total} workers ${unhealthy} are unhealthy and ${throttled} are throttled`
  if (unhealthy > 0)
    return [
      warning(
        'runpod-crashes',
        `${words}: they start and die, and jobs for them wait as if for a free GPU.`,
        "Read the workers' logs, and mend image or start command.",
      ),
    ]
  if (throttled > 0)
    return [
      warning('runpod-capacity', `${words}: there is no free GPU of that kind.`, 'Allow more kinds or data centres.'),
    ]
  return []
}
