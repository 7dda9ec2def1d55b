import type { Finding, Intent, Io } from '../contract.ts'
import { judgeRunLimit, ok, problem, warning } from '../finding.ts'
import { inputSchemaOf, judgeInput, judgeKit } from '../input-schema.ts'
import { isMissing, type VendorApi } from '../vendor-api.ts'
import { markerKey } from './inputs.ts'
import type { ReplicateTarget } from './options.ts'
import { accountSchema, placeSchema, type WirePlace } from './wire.ts'

const correct = "Correct the deployment's target."
/** Source: replicate.com/docs/topics/predictions/lifecycle. */
const longestRunMs = 30 * 60_000

/**
 * Asks whose the token is, and for what the target names: an official model, a version, a deployment, with its input and its
 * instances. None of it starts anything. Source: the vendor's HTTP reference and the types of its client.
 */
export async function check(
  target: ReplicateTarget,
  api: VendorApi,
  io: Io,
  intent: Intent,
): Promise<readonly Finding[]> {
  const { username } = await api.get('/account', accountSchema, io)
  const findings = [
    ok('replicate-token', `Replicate: the token belongs to the account "${username}".`),
    ...judgeRunLimit('replicate-run-limit', intent, {
      endsAfterMs: longestRunMs,
      words: 'Replicate',
      advice: 'Set runMs to at most 30 minutes, or have Replicate raise the limit for the account.',
    }),
  ]
  const place = placeOf(target)
  if (place === null) {
    const message = 'Replicate: a version that is named by its 64 digits alone cannot be looked up.'
    return [...findings, ok('replicate-target', message, 'Write owner/name:version to have it looked up.')]
  }
  const answer = await api.ask({ method: 'GET', path: place.path }, io)
  if (isMissing(answer)) {
    const message = `Replicate: there is no ${place.what}, or this account may not see it.`
    return [...findings, problem('replicate-target', message, correct)]
  }
  const told = api.read(answer, placeSchema)
  return [...findings, ...judgePlace(told, place.what, target), ...judgeFields(told, target, intent)]
}

function judgePlace(told: WirePlace, what: string, target: ReplicateTarget): Finding[] {
  if ('model' in target && told.is_official === false) {
    const message = `Replicate: the model ${target.model} is not an official one, so it runs by a version only.`
    return [problem('replicate-target', message, 'Name one in the target instead: version: "owner/name:64 digits".')]
  }
  return [ok('replicate-target', `Replicate: there is a ${what}.`), ...judgeInstances(told, target)]
}

function judgeInstances({ current_release: release }: WirePlace, { hardware }: ReplicateTarget): Finding[] {
  const settings = release?.configuration
  if (settings === undefined) return []
  const { min_instances: min, max_instances: max } = settings
  const words = `Replicate: the deployment has ${min ?? '?'} to ${max ?? '?'} instances of ${settings.hardware ?? '?'}`
  const findings: Finding[] = []
  if (max === 0)
    findings.push(problem('replicate-instances', `${words}, so nothing runs.`, 'Raise its maximum of instances.'))
  if (min !== undefined && min > 0)
    findings.push(
      warning(
        'replicate-instances',
        `${words}: ${min} of them are paid for around the clock, which no cost here shows.`,
        'Lower its minimum to 0, unless nobody may wait for a cold start.',
      ),
    )
  if (hardware !== undefined && settings.hardware !== undefined && hardware !== settings.hardware)
    findings.push(
      warning(
        'replicate-hardware',
        `${words}, and the target is priced as ${hardware}.`,
        'Correct hardware in the target.',
      ),
    )
  return findings.length > 0 ? findings : [ok('replicate-instances', `${words}.`)]
}

function judgeFields(told: WirePlace, { inputs, kit }: ReplicateTarget, intent: Intent): Finding[] {
  const openapi = told.openapi_schema ?? told.latest_version?.openapi_schema
  const schema = inputSchemaOf(openapi)
  return [
    ...judgeInput('replicate-input', 'Replicate', schema, intent, inputs),
    ...judgeKit('replicate-kit', 'Replicate', schema, markerKey, kit === true),
  ]
}

function placeOf(target: ReplicateTarget): { readonly path: string; readonly what: string } | null {
  if ('model' in target) return { path: `/models/${target.model}`, what: `model ${target.model}` }
  if ('deployment' in target)
    return { path: `/deployments/${target.deployment}`, what: `deployment ${target.deployment}` }
  const [model = '', version] = target.version.split(':')
  if (version === undefined) return null
  return { path: `/models/${model}/versions/${version}`, what: `version ${version.slice(0, 8)} of ${model}` }
}
