import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { SurefootError } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import { defaultPolicy, localPolicy, type Policy } from '../core/policy.ts'
import type { Deployment, Route } from '../engine/contract.ts'
import type { Model } from '../models/contract.ts'
import { builtInModels } from '../models/index.ts'
import type { Provider } from '../providers/contract.ts'
import { local } from '../providers/local/index.ts'
import type { Config, DeploymentConfig, ModelConfig } from './config.ts'
import { isProvider } from './parse-config.ts'
import { refuseConfig, suggest } from './refuse-config.ts'
import { resolveKeepWarm } from './resolve-keep-warm.ts'
import { resolveMigration } from './resolve-migration.ts'
import { hostWithoutProcesses, toolEnvironment } from './tool-environment.ts'

const remoteConcurrency = 4

/** What there is without any config. */
const builtInDeployments: { readonly [name: string]: DeploymentConfig } = { 'relief@local': {} }
const builtInRoutes: { readonly [model: string]: ModelConfig } = { 'surefoot/relief': { route: ['relief@local'] } }

/** Providers and routes of a config, every reference in it checked and every target read by its provider. */
export function resolveConfig(
  config: Config,
  dataDirectory: string,
  env: Readonly<Record<string, string | undefined>> = {},
): { providers: Readonly<Record<string, Provider>>; routes: ReadonlyMap<string, Route> } {
  const providers = resolveProviders(config, dataDirectory, env)
  const models = resolveModels(config)
  const deployments = new Map<string, { readonly deployment: Deployment; readonly model: Model }>()
  for (const [name, entry] of Object.entries({ ...builtInDeployments, ...config.deployments })) {
    deployments.set(name, resolveDeployment(name, entry, providers, models))
  }
  const routes = new Map<string, Route>()
  const named = new Map<string, string>()
  for (const [name, entry] of Object.entries(config.models ?? {})) {
    const model = resolveModel(models, name, `models.${name}`)
    const twice = named.get(model.name)
    if (twice !== undefined) refuseConfig(`models: "${twice}" and "${name}" are the same model.`)
    named.set(model.name, name)
    routes.set(model.name, resolveRoute(name, model, entry, deployments))
  }
  for (const [name, entry] of Object.entries(builtInRoutes)) {
    if (routes.has(name)) continue
    routes.set(name, resolveRoute(name, resolveModel(models, name, 'models'), entry, deployments))
  }
  return { providers, routes }
}

function resolveProviders(
  config: Config,
  dataDirectory: string,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, Provider> {
  const made: Record<string, Provider> = {}
  for (const [name, provider] of Object.entries(config.providers ?? {})) {
    const value: unknown = typeof provider === 'function' ? provider({ dataDirectory }) : provider
    if (!isProvider(value)) refuseConfig(`providers.${name}: the function did not return a provider.`)
    made[name] = value
  }
  const usual = () =>
    local({
      directory: join(dataDirectory, 'local'),
      environment: toolEnvironment(env),
      refusedBy: hostWithoutProcesses(env),
    })
  return { local: made.local ?? usual(), ...made }
}

function resolveDeployment(
  name: string,
  { target, concurrency, startsPerMinute, keepWarm }: DeploymentConfig,
  providers: Readonly<Record<string, Provider>>,
  models: readonly Model[],
): { deployment: Deployment; model: Model } {
  const where = `deployments.${name}`
  const [modelName = '', providerName = '', ...rest] = name.split('@')
  if (modelName === '' || providerName === '' || rest.length > 0) {
    refuseConfig(`${where}: a deployment is named model@provider, such as "relief@local".`)
  }
  const model = resolveModel(models, modelName, where)
  const provider = Object.hasOwn(providers, providerName) ? providers[providerName] : undefined
  if (provider === undefined) {
    refuseConfig(`${where}: there is no provider "${providerName}".${suggest(providerName, Object.keys(providers))}`)
  }
  const parsed = readTarget(where, provider, target, model)
  return {
    model,
    deployment: {
      name,
      providerName,
      provider,
      target: parsed,
      concurrency: concurrency ?? defaultConcurrency(provider, parsed),
      ...(startsPerMinute === undefined ? {} : { startsPerMinute }),
      ...(keepWarm === undefined
        ? {}
        : { keepWarm: resolveKeepWarm(`${where}.keepWarm`, keepWarm, provider.warmth?.(parsed)) }),
    },
  }
}

function resolveRoute(
  name: string,
  model: Model,
  entry: ModelConfig,
  deployments: ReadonlyMap<string, { readonly deployment: Deployment; readonly model: Model }>,
): Route {
  const where = `models.${name}.route`
  const route: Deployment[] = []
  for (const step of entry.route) {
    const wanted = typeof step === 'string' ? step : step.deployment
    const found = deployments.get(wanted)
    if (found === undefined) {
      refuseConfig(`${where}: there is no deployment "${wanted}".${suggest(wanted, [...deployments.keys()])}`)
    }
    if (found.model !== model) refuseConfig(`${where}: "${wanted}" runs ${found.model.name}, not ${model.name}.`)
    if (route.some(({ name }) => name === wanted)) refuseConfig(`${where}: "${wanted}" is there twice.`)
    route.push(typeof step === 'string' ? found.deployment : { ...found.deployment, weight: step.weight ?? 1 })
  }
  const spare = [...deployments.values()].filter(
    other => other.model === model && route.every(({ name }) => name !== other.deployment.name),
  )
  const all = [...route, ...spare.map(({ deployment }) => deployment)]
  const migration = resolveMigration(`models.${name}`, entry, route)
  return {
    model,
    deployments: route,
    ...(migration === null ? {} : { migration }),
    policy: resolvePolicy(route, entry),
    pinnable: { deployments: all, policy: resolvePolicy(all, entry) },
  }
}

function resolvePolicy(deployments: readonly Deployment[], entry: ModelConfig): Policy {
  const isQuick = ({ provider, target }: Deployment) =>
    provider.limits.thisHostOnly && provider.fillsHost?.(target) !== true
  const base = deployments.every(isQuick) ? localPolicy : defaultPolicy
  const given = Object.entries(entry.policy ?? {}).filter(([, value]) => value !== undefined)
  return { ...base, ...Object.fromEntries(given) }
}

/** The built-in models and the config's own, which must have names that nobody else has. */
function resolveModels({ models = {} }: Config): readonly Model[] {
  const own = Object.entries(models).flatMap(([key, { model }]) => {
    if (model === undefined) return []
    if (model.name !== key) refuseConfig(`models.${key}.model: its name is "${model.name}"; use that as the key.`)
    if (builtInModels.has(key)) refuseConfig(`models.${key}.model: that is the name of a built-in model.`)
    return [model]
  })
  return [...builtInModels.values(), ...own]
}

function resolveModel(models: readonly Model[], name: string, where: string): Model {
  const found = models.find(model => model.name === name || model.name.split('/')[1] === name)
  if (found !== undefined) return found
  const names = models.flatMap(model => [model.name.split('/')[1] ?? '', model.name])
  return refuseConfig(`${where}: there is no model "${name}".${suggest(name, names)}`)
}

function readTarget(where: string, provider: Provider, target: unknown, model: Model): JsonObject {
  try {
    return provider.parseTarget(target, model.name)
  } catch (cause) {
    return refuseConfig(`${where}.target: ${SurefootError.is(cause) ? cause.failure.message : String(cause)}`, cause)
  }
}

/** This machine also answers requests, so one of its processors stays free; elsewhere a provider's limits are its own. */
function defaultConcurrency(provider: Provider, target: JsonObject): number {
  if (provider.fillsHost?.(target) === true) return 1
  return provider.limits.thisHostOnly ? Math.max(1, availableParallelism() - 1) : remoteConcurrency
}
