import { refuse, SurefootError } from '../../core/failure.ts'
import type { Io, Warming } from '../contract.ts'
import { isMissing, isSuccess, type VendorApi } from '../vendor-api.ts'
import { isAway, settingsPath } from './check.ts'
import { type BasetenTarget, placeOf } from './options.ts'
import { deploymentSchema, environmentSchema, type WireDeployment } from './wire.ts'

/**
 * Wakes a deployment that is scaled to zero, unless a replica is there. How many there are, the management API tells, which
 * a key that may call models only may not ask: then it is not known when one is there. Sources: docs.baseten.co, inference API
 * (`POST .../wake`, 202) and management API (`GET /v1/models/...`).
 */
export async function wake(
  target: BasetenTarget,
  { api, management }: { readonly api: VendorApi; readonly management: VendorApi },
  io: Io,
): Promise<Warming> {
  const deployment = await deploymentOf(target, management, io)
  const replicas = deployment?.active_replica_count ?? 0
  if (deployment !== null && isAway(deployment))
    return refuse('deployment_missing', `Baseten: the deployment is ${deployment.status}, and takes no request.`)
  if (replicas > 0) return { state: 'ready', message: `Baseten: a replica is up (active: ${replicas}).` }
  const answer = await api.ask({ method: 'POST', path: `${placeOf(target)}/wake` }, io)
  if (!isSuccess(answer)) throw new SurefootError(api.failureOf(answer))
  if (deployment?.active_replica_count === undefined)
    return { state: 'asked', message: 'Baseten: a replica was asked for; this key may not read when it is up.' }
  return { state: 'waking', message: `Baseten: a replica was asked for (the deployment is ${deployment.status}).` }
}

/** Null where it may not be read. */
async function deploymentOf(target: BasetenTarget, management: VendorApi, io: Io): Promise<WireDeployment | null> {
  const answer = await management.ask({ method: 'GET', path: settingsPath(target) }, io)
  if (answer.status === 401 || answer.status === 403 || isMissing(answer)) return null
  const environment = environmentSchema.safeParse(answer.json).data?.current_deployment
  return environment ?? management.read(answer, deploymentSchema)
}
