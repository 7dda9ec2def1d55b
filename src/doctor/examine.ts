import { basename } from 'node:path'
import { bucketUrl } from '../config/bucket-url.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { Deployment, Route } from '../engine/contract.ts'
import { checkS3 } from '../files/check-s3.ts'
import type { Intent } from '../providers/contract.ts'
import { askProvider } from './ask-provider.ts'
import { inspectDataFolder } from './data-folder.ts'
import { inspectDatabase } from './database.ts'
import { about, ok, type Reported, warning } from './finding.ts'
import { judgeClock, watchClocks } from './judge-clock.ts'
import { judgePolicy } from './judge-policy.ts'
import { judgePrice } from './judge-price.ts'
import { judgeServerless } from './judge-serverless.ts'
import { judgeWarm } from './judge-warm.ts'
import { judgeWays } from './judge-ways.ts'
import { inspectPublicUrl } from './public-url.ts'

/** A deployment with the route of its model. */
export interface Placed {
  readonly deployment: Deployment
  readonly route: Route
}

export interface ExamineOptions {
  /** What is looked at; see `placesOf`. */
  readonly places: readonly Placed[]
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  /** Unguessable: what providers that can be searched are searched for. */
  readonly marker: string
  /** See `Intent`. */
  readonly mayWrite: boolean
}

/** Every deployment that some route can use, once each, those of the routes first. */
export function placesOf({ routes }: Pick<LoadedConfig, 'routes'>): Placed[] {
  const places = new Map<string, Placed>()
  for (const route of routes.values())
    for (const deployment of [...route.deployments, ...(route.pinnable?.deployments ?? [])])
      if (!places.has(deployment.name)) places.set(deployment.name, { deployment, route })
  return [...places.values()]
}

/** Everything that can be found out about a configuration without spending anything. */
export async function examine(config: LoadedConfig, options: ExamineOptions): Promise<Reported[]> {
  const { places, now, marker } = options
  const { publicUrl, bucket, serverless } = config
  const watch = watchClocks(options.fetch, now)
  const ask = ({ deployment, route }: Placed) =>
    askProvider(deployment, {
      fetch: watch.fetch,
      now: now(),
      marker: { attemptId: marker, secret: marker },
      intent: intentOf(route, options.mayWrite),
    })
  const { mayWrite } = options
  const [folder, database, storage, asked] = await Promise.all([
    inspectDataFolder(config.dataDirectory, options.fetch),
    config.database === null ? [] : inspectDatabase(config.database, now),
    bucket === null ? [] : checkS3(bucket, { fetch: watch.fetch, mayWrite, marker, pages: pagesOf(config) }),
    Promise.all(places.map(ask)),
  ])
  const routes = new Set(places.map(({ route }) => route))
  return [
    ...about('config', [judgeConfig(config)]),
    ...about('data folder', folder.findings),
    ...about('database', database),
    ...about('bucket', storage),
    ...about('public URL', await inspectPublicUrl(publicUrl, folder.gateway, options.fetch, largest(routes))),
    ...about('clock', judgeClock(watch.offBy)),
    ...places.flatMap(({ deployment, route }, index) =>
      about(deployment.name, [
        ...(asked[index] ?? []),
        ...judgeWays(deployment, route.model, publicUrl, bucketUrl(bucket, publicUrl)),
        ...(serverless === null
          ? []
          : judgeServerless(deployment, route.model, { ...serverless, hasBucket: bucket !== null })),
        ...judgePrice(deployment, (route.pinnable ?? route).policy, now()),
        ...judgeWarm(deployment, (route.pinnable ?? route).policy),
      ]),
    ),
    ...[...routes].flatMap(route => about(route.model.name, judgePolicy(route, publicUrl))),
    ...unusedProviders(config),
  ]
}

function intentOf({ pinnable, policy, model }: Route, mayWrite: boolean): Intent {
  const { queueMs, bootMs, runMs, deadlineMs } = pinnable?.policy ?? policy
  const { properties } = model.inputSchema
  return { queueMs, bootMs, runMs, deadlineMs, fields: Object.keys(properties ?? {}), mayWrite }
}

function largest(routes: ReadonlySet<Route>): number | null {
  const bytes = [...routes].flatMap(({ model }) => model.output.usualBytes ?? [])
  return bytes.length === 0 ? null : Math.max(...bytes)
}

function judgeConfig({ path, routes }: LoadedConfig) {
  if (path === null)
    return ok(
      'config',
      'There is no config file: reliefs are made on this machine.',
      'surefoot.config.ts names providers.',
    )
  return ok('config', `${basename(path)} is read: ${[...routes.keys()].join(', ')}.`)
}

function unusedProviders(config: LoadedConfig): Reported[] {
  const used = new Set(placesOf(config).map(({ deployment }) => deployment.providerName))
  return Object.entries(config.providers)
    .filter(([name, { limits }]) => !used.has(name) && !limits.thisHostOnly)
    .flatMap(([name]) =>
      about(name, [
        warning(
          'provider-unused',
          'No model can run there.',
          'Name a deployment of this provider, and a route for its model under models.',
        ),
      ]),
    )
}

/** Origins of pages that may use the gateway. */
function pagesOf({ publicUrl, corsOrigins }: LoadedConfig): readonly string[] {
  return [...new Set([...(publicUrl === null ? [] : [new URL(publicUrl).origin]), ...corsOrigins])]
}
