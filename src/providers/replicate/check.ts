import { SurefootError } from '../../core/failure.ts'
import type { Finding, Io } from '../contract.ts'
import { isMissing, isSuccess, type VendorApi } from '../vendor-api.ts'
import type { ReplicateTarget } from './options.ts'
import { accountSchema } from './wire.ts'

/** Asks whose the token is, and for what the target names. Source: the vendor's HTTP reference; none of it starts anything. */
export async function check(target: ReplicateTarget, api: VendorApi, io: Io): Promise<readonly Finding[]> {
  const { username } = await api.get('/account', accountSchema, io)
  const whose: Finding = { level: 'ok', message: `Replicate: the token is that of ${username}.`, advice: null }
  const place = placeOf(target)
  if (place === null) {
    const message = 'Replicate: a version that is named by its 64 digits alone cannot be looked up.'
    return [whose, { level: 'ok', message, advice: 'Write owner/name:version to have it looked up.' }]
  }
  const answer = await api.ask({ method: 'GET', path: place.path }, io)
  if (isMissing(answer)) {
    const message = `Replicate: there is no ${place.what}, or this account may not see it.`
    return [whose, { level: 'problem', message, advice: "Correct the deployment's target." }]
  }
  if (!isSuccess(answer)) throw new SurefootError(api.failureOf(answer))
  return [whose, { level: 'ok', message: `Replicate: there is a ${place.what}.`, advice: null }]
}

function placeOf(target: ReplicateTarget): { readonly path: string; readonly what: string } | null {
  if ('model' in target) return { path: `/models/${target.model}`, what: `model ${target.model}` }
  if ('deployment' in target)
    return { path: `/deployments/${target.deployment}`, what: `deployment ${target.deployment}` }
  const [model = '', version] = target.version.split(':')
  if (version === undefined) return null
  return { path: `/models/${model}/versions/${version}`, what: `version ${version.slice(0, 8)} of ${model}` }
}
