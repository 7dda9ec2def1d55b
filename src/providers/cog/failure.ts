import { createFailure, type Failure, type FailureCode } from '../../core/failure.ts'
import type { Io } from '../contract.ts'
import { type Answer, vendorWords } from '../http.ts'
import { failureOfKit } from '../kit.ts'
import { toSentence, type VendorApi } from '../vendor-api.ts'
import { healthSchema, invalidSchema, refusalSchema, type WireHealth } from './wire.ts'

/** Patterns over a failed run's error text, first match wins. */
const causes: readonly (readonly [RegExp, FailureCode])[] = [
  // Without a schema beside it, coglet takes any input, and fails the run.
  [/^Input validation error\b/, 'input_invalid'],
  // 0.16 guesses whenever its worker is gone; it is right where the kernel has killed it.
  [/unknown reason.*exitcode -9\b/, 'out_of_memory'],
  [/unknown reason.*exitcode/, 'worker_lost'],
  [/out of memory|OutOfMemoryError|\bMemoryError\b|cannot allocate|CUBLAS_STATUS_ALLOC_FAILED/i, 'out_of_memory'],
  [/no CUDA GPUs are available|Found no NVIDIA driver/i, 'no_gpu'],
  // The first two are the server's own; a CUDA context that is broken stays broken: the worker is lost, not the model wrong.
  [/worker (crashed|died)|failed to send request|illegal memory access|unspecified launch failure/i, 'worker_lost'],
  // Since 0.23.1 an output that could not be uploaded fails the run, which itself was good.
  [/(failed|error|could not).{0,40}\bupload/i, 'output_lost'],
]

/** Why a run ended as `failed`, from its error text. `server` begins the message. */
export function failureOfRun(error: unknown, server: string): Failure {
  const text = typeof error === 'string' ? error : error == null ? '' : JSON.stringify(error)
  const words = vendorWords(text.replace(/^(?:Prediction failed: )+/, ''))
  const told = failureOfKit(words, server)
  if (told !== null) return told
  const code = causes.find(([pattern]) => pattern.test(words))?.[1]
  if (code !== undefined) return createFailure(code, toSentence(`${server}: ${words}`))
  return createFailure(
    'model_error',
    words === '' ? 'The model failed without saying why.' : toSentence(`The model failed: ${words}`),
  )
}

/**
 * How long to stay away from a server that is busy, and from one that is setting up. As a rate limit's pause it spends
 * none of the policy's attempts, and twenty of the longer one outlast the ten minutes that a boot may take.
 */
const pauseMs = { busy: 5_000, setup: 30_000 } as const

/** True for a 409 or 503 in the server's own words: it started nothing. In anybody else's it proves nothing. */
export function isServersRefusal({ status, json }: Answer): boolean {
  return (status === 409 || status === 503) && refusalSchema.safeParse(json).success
}

/** What a refusal means. The server says the same when it is busy, sets up or is broken for good; its health tells. */
export async function failureOfRefusal(answer: Answer, api: VendorApi, io: Io): Promise<Failure> {
  const invalid = invalidSchema.safeParse(answer.json)
  if (answer.status === 422 && invalid.success) {
    const words = invalid.data.detail.map(({ loc, msg }) => `${loc.filter(part => part !== 'body').join('.')}: ${msg}`)
    return createFailure(
      'input_invalid',
      toSentence(`${api.vendor.name} answered 422: ${vendorWords(words.join('; '))}`),
    )
  }
  const failure = api.failureOf(answer)
  if (!isServersRefusal(answer)) return failure
  const health = await api.get('/health-check', healthSchema, io).catch(() => null)
  return (health === null ? null : failureOfHealth(health, api.vendor.name)) ?? waitFor('busy', failure.message)
}

/** Why a server in this state takes no run; null when it may take one. */
export function failureOfHealth({ status, user_healthcheck_error: why }: WireHealth, server: string): Failure | null {
  switch (status) {
    case 'STARTING':
      return waitFor('setup', `${server}: the model is setting up.`)
    case 'SETUP_FAILED':
    case 'DEFUNCT':
      return createFailure('boot_timeout', `${server}: the server is ${status} and will run nothing any more.`, {
        advice: "Read the container's start-up logs, and restart it.",
      })
    case 'UNHEALTHY': {
      const words = why === undefined ? '' : `: ${vendorWords(why)}`
      // After its worker crashed a coglet server refuses everything for good; nothing brings the worker back.
      return createFailure('no_capacity', toSentence(`${server}: the server takes no run and is UNHEALTHY${words}`), {
        advice: 'Restart the container: a worker that crashed does not come back by itself.',
      })
    }
    default:
      return null
  }
}

/** Nothing is wrong, it is only not the time: the same place is asked again later. */
export function waitFor(what: keyof typeof pauseMs, message: string): Failure {
  const advice = {
    busy: "Set the deployment's concurrency to the server's slots (1 by default), or add a deployment.",
    setup: 'Nothing to do unless it takes longer than the model needs to load.',
  }
  return createFailure('rate_limited', message, { advice: advice[what], retryAfterMs: pauseMs[what] })
}
