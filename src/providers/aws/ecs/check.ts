import type { Finding, Io } from '../../contract.ts'
import { ok, problem, warning } from '../../finding.ts'
import type { VendorApi } from '../../vendor-api.ts'
import { look } from '../api.ts'
import type { Ecs } from './client.ts'
import { judgeDefinition } from './judge-definition.ts'
import type { EcsTarget } from './options.ts'
import {
  capacityProvidersSchema,
  placesSchema,
  taskDefinitionSchema,
  type WireCapacityProvider,
  type WireClusterPlaces,
} from './wire-settings.ts'

/**
 * Reads the task definition, the cluster and the capacity provider. Needs the rights `ecs:DescribeTaskDefinition` and
 * `ecs:DescribeCapacityProviders`, which no start needs: where they are not given, that is said.
 */
export async function check(
  target: EcsTarget,
  cluster: string,
  { api, client }: { readonly api: VendorApi; readonly client: Ecs },
  io: Io,
): Promise<Finding[]> {
  const definition = await look(
    api,
    await client.describeTaskDefinition(target.taskDefinition, io),
    taskDefinitionSchema,
    io,
  )
  if (definition.kind === 'missing') {
    const message = `Amazon ECS: there is no task definition ${target.taskDefinition} in this region.`
    return [problem('ecs-definition', message, "Correct the deployment's target, or the region.")]
  }
  const places = await look(api, await client.describeCluster(cluster, io), placesSchema, io)
  const name = target.capacityProvider
  const provider =
    name === undefined
      ? null
      : await look(api, await client.describeCapacityProvider(name, io), capacityProvidersSchema, io)
  return [
    ...(definition.kind === 'told' ? judgeDefinition(definition.value.taskDefinition, target) : []),
    ...(places.kind === 'told' ? judgePlaces(places.value.clusters[0], cluster, target) : []),
    ...(provider?.kind === 'told' ? judgeProvider(provider.value.capacityProviders[0], name ?? '') : []),
    ...([definition, places, provider].some(each => each?.kind === 'denied') ? [rightsMissing] : []),
  ]
}

const rightsMissing = ok(
  'ecs-rights',
  'Amazon ECS: these credentials may not read all of the settings: what is not told here was not seen.',
  'Allow ecs:DescribeTaskDefinition, ecs:DescribeClusters and ecs:DescribeCapacityProviders.',
)

function judgePlaces(
  told: WireClusterPlaces | undefined,
  cluster: string,
  { fargate, capacityProvider }: EcsTarget,
): Finding[] {
  // Without a cluster there is nothing to say; its health says that.
  if (told?.capacityProviders === undefined) return []
  const wanted = fargate === undefined ? capacityProvider : fargate.spot === true ? 'FARGATE_SPOT' : 'FARGATE'
  const words = `Amazon ECS: the cluster ${cluster}`
  if (wanted !== undefined && !told.capacityProviders.includes(wanted))
    return [
      problem(
        'ecs-capacity',
        `${words} has no capacity provider ${wanted} (it has ${told.capacityProviders.join(', ') || 'none'}).`,
        'Associate it with the cluster, or correct the target.',
      ),
    ]
  const hasDefault = (told.defaultCapacityProviderStrategy?.length ?? 0) > 0
  if (wanted === undefined && !hasDefault && told.registeredContainerInstancesCount === 0)
    return [
      problem(
        'ecs-capacity',
        `${words} has neither instances nor a default capacity provider, and the target names none: a start is refused.`,
        'Name a capacityProvider in the target.',
      ),
    ]
  const isSpot = fargate?.spot === true
  return isSpot ? [spot(`${words} runs it on Fargate Spot`)] : [ok('ecs-capacity', `${words} has a place for it.`)]
}

function judgeProvider(told: WireCapacityProvider | undefined, name: string): Finding[] {
  const words = `Amazon ECS: the capacity provider ${name}`
  if (told === undefined || (told.status !== undefined && told.status !== 'ACTIVE')) {
    const message = `${words} is ${told?.status ?? 'not there'}.`
    return [problem('ecs-provider', message, 'Correct the target, or create it.')]
  }
  const findings: Finding[] = []
  const scaling = told.autoScalingGroupProvider
  if (scaling !== undefined && scaling.managedScaling?.status !== 'ENABLED')
    findings.push(
      warning(
        'ecs-provider',
        `${words} does not scale by itself: a start without a free instance is refused instead of waiting for one.`,
        'Switch managed scaling on.',
      ),
    )
  if (told.managedInstancesProvider?.instanceLaunchTemplate?.capacityOptionType === 'SPOT')
    findings.push(spot(`${words} has Spot instances`))
  return findings.length > 0 ? findings : [ok('ecs-provider', `${words} is ${told.status ?? 'there'}.`)]
}

function spot(words: string): Finding {
  const message = `${words}: they are taken away with two minutes of notice, and a run that loses its own begins anew.`
  return warning('ecs-spot', message, 'Let the route have a second attempt, or use on-demand capacity.')
}
