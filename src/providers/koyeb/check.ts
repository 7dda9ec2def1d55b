import type { Finding, Io } from '../contract.ts'
import { duration, ok, problem, warning } from '../finding.ts'
import type { VendorApi } from '../vendor-api.ts'
import type { KoyebTarget } from './options.ts'
import { deploymentSchema, serviceSchema, type WireDefinition, type WireService } from './wire.ts'

/** What Koyeb waits before a service without traffic sleeps, where nothing was set. Source: its scale-to-zero page. */
const usualSleepSeconds = 300
/** Polls come every few seconds while a run goes on; a service that sleeps sooner than this may miss some. */
const shortSleepSeconds = 60

/** Reads the definition of the deployment that is active, from Koyeb's own API: asking the service would wake it. */
export async function check(
  { hardware }: KoyebTarget,
  access: { readonly api: VendorApi; readonly service: string } | null,
  io: Io,
): Promise<readonly Finding[]> {
  if (access === null) {
    const message = 'Koyeb: nothing can be asked without waking the service, because there is no API token.'
    return [warning('koyeb-token', message, 'Set token and service in the provider, or use --probe.')]
  }
  const { api, service } = access
  const told = (await api.get(`/v1/services/${service}`, serviceSchema, io)).service
  const id = told.active_deployment_id
  if (id === undefined) {
    const message = 'Koyeb: the service has no active deployment: no request reaches a container.'
    return [problem('koyeb-deployment', message, 'Deploy it, and see why its last deployment failed.')]
  }
  const { deployment } = await api.get(`/v1/deployments/${id}`, deploymentSchema, io)
  return [...judgeDefinition(deployment.definition, hardware), ...judgeLife(told)]
}

function judgeDefinition(definition: WireDefinition, hardware: string | undefined): Finding[] {
  const { type, scalings, instance_types: types } = definition
  if (type !== undefined && type !== 'WEB')
    return [
      problem(
        'koyeb-deployment',
        `Koyeb: the service is of the type ${type}, which has no public route.`,
        'Deploy it as a web service.',
      ),
    ]
  const findings: Finding[] = [ok('koyeb-deployment', 'Koyeb: the service has an active deployment.')]
  const instance = types?.[0]?.type
  if (hardware !== undefined && instance !== undefined && hardware !== instance)
    findings.push(
      warning(
        'koyeb-hardware',
        `Koyeb: the service runs on ${instance}, and the target is priced as ${hardware}.`,
        'Correct hardware in the target.',
      ),
    )
  return [...findings, ...judgeScaling(scalings?.[0])]
}

function judgeLife({ life_cycle: life }: WireService['service']): Finding[] {
  if (!life?.delete_after_create && !life?.delete_after_sleep) return []
  const message = 'Koyeb: the service has a life cycle by which it deletes itself after a while.'
  return [warning('koyeb-life-cycle', message, 'Set delete_after_create and delete_after_sleep of the service to 0.')]
}

function judgeScaling(scaling: NonNullable<WireDefinition['scalings']>[number] | undefined): Finding[] {
  if (scaling === undefined) return []
  const { min, max, targets = [] } = scaling
  const words = `Koyeb: the service has ${min ?? '?'} to ${max ?? '?'} instances`
  if (max !== undefined && max > 1)
    return [
      problem(
        'koyeb-instances',
        `${words}: a run is known to the one that has it, and polls and cancels may reach another.`,
        'Set its maximum to 1, and use one provider for each further service.',
      ),
    ]
  if (min !== undefined && min > 0)
    return [
      warning(
        'koyeb-instances',
        `${words}: it never sleeps, and is paid for around the clock, which no cost here shows.`,
        'Set its minimum to 0, unless nobody may wait for a cold start.',
      ),
    ]
  const delay = targets.map(target => target.sleep_idle_delay).find(each => each !== undefined)
  const seconds = delay?.deep_sleep_value ?? delay?.value ?? usualSleepSeconds
  const sleeps = `${words}, and sleeps after ${duration(seconds * 1000)} without traffic`
  if (seconds < shortSleepSeconds)
    return [
      warning(
        'koyeb-sleep',
        `${sleeps}: a run whose polls fail for that long is cut off.`,
        'Raise the delay to 300 s.',
      ),
    ]
  return [ok('koyeb-sleep', `${sleeps}; polls keep it awake while a run goes on.`)]
}
