import { type Failure, refuse, SurefootError } from '../../core/failure.ts'
import { failureOfHealth, waitFor } from '../cog/failure.ts'
import { healthSchema } from '../cog/wire.ts'
import type { Io, Warming } from '../contract.ts'
import { type Answer, surelyNotSent } from '../http.ts'
import { isSuccess, type VendorApi } from '../vendor-api.ts'

/**
 * True for an answer of Koyeb's edge in place of the container's: while a service sleeps, wakes or has no healthy
 * instance. The container answers such statuses in JSON only.
 */
export function isEdges({ status, json }: Answer): boolean {
  return [404, 502, 503, 504].includes(status) && json === undefined
}

/** Nothing is wrong with a service that sleeps: the request that found it so has woken it. */
export function failureOfWaking(words: string): Failure {
  return waitFor('setup', `Koyeb: the service is waking, or has no healthy instance just now (${words}).`)
}

/**
 * Asks for the container's health, which wakes a service that sleeps and starts nothing, so that the start itself never
 * meets an edge which holds it back, drops it, or passes it on when nobody waits for it any more.
 */
export async function checkReady(api: VendorApi, io: Io): Promise<void> {
  const answer = await api.ask({ method: 'GET', path: '/health-check' }, io).catch((error: unknown) => {
    if (!SurefootError.is(error) || surelyNotSent(error.cause)) throw error
    throw new SurefootError(failureOfWaking('no answer'), { cause: error })
  })
  if (isEdges(answer)) throw new SurefootError(failureOfWaking(`its edge answers ${answer.status}`))
  if (!isSuccess(answer)) throw new SurefootError(api.failureOf(answer))
  const health = healthSchema.safeParse(answer.json)
  if (!health.success) return refuse('provider_error', 'Koyeb: the service is no Cog server: its health is unreadable.')
  // One that is unhealthy may still take a run; if it does not, it says so.
  const failure = health.data.status === 'UNHEALTHY' ? null : failureOfHealth(health.data, api.vendor.name)
  if (failure !== null) throw new SurefootError(failure)
}

/**
 * Wakes a service that sleeps, and keeps one that does not: any request to its public address does, and this one asks the
 * container how it is. Throws `SurefootError` where waiting would not help.
 */
export async function wake(api: VendorApi, io: Io): Promise<Warming> {
  const answer = await api.ask({ method: 'GET', path: '/health-check' }, io).catch((error: unknown) => {
    if (!SurefootError.is(error) || surelyNotSent(error.cause)) throw error
    return null
  })
  if (answer === null || isEdges(answer)) {
    const words = answer === null ? 'no answer yet' : `its edge answers ${answer.status}`
    return { state: 'waking', message: `Koyeb: the service is woken by this request (${words}).` }
  }
  const { status } = api.read(answer, healthSchema)
  if (status === 'STARTING')
    return { state: 'waking', message: 'Koyeb: the container is there, and its model sets up.' }
  if (status === 'READY' || status === 'BUSY')
    return { state: 'ready', message: `Koyeb: the container is there (${status}), and this request keeps it.` }
  const words = `Koyeb: the container is there, and its model is not well (${status}).`
  return refuse('boot_timeout', words, { advice: "Read the container's log." })
}
