import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { refuse, SurefootError } from '../core/failure.ts'
import { budgetDayOf } from '../core/money.ts'
import { type Attempt, isTerminal, type PredictionRecord } from '../core/prediction.ts'
import { isOpen } from '../core/schedule.ts'
import { quantile } from '../core/statistics.ts'
import { estimateWarmUp, estimateWindow, type WarmPrices } from '../core/warm-cost.ts'
import { isWarmUp, warmUpId, warmUpOwner } from '../core/warm-up.ts'
import type { FileStore } from '../files/contract.ts'
import type { Model } from '../models/contract.ts'
import type { Warming, Warmth } from '../providers/contract.ts'
import type { Store, StoredPrediction } from '../store/contract.ts'
import type {
  CreateRequest,
  Deployment,
  DeploymentReport,
  MigrationReport,
  Route,
  Warmer,
  WarmPlan,
  WarmUp,
} from './contract.ts'
import { removeFile } from './inputs.ts'
import { localTimeOf } from './local-time.ts'
import { deploymentsOf } from './routes.ts'
import { createLimit } from './timeout.ts'
import { firstChoices, movingChoices } from './warm-choices.ts'
import { warmPhoto } from './warm-photo.ts'

export interface WarmDependencies {
  readonly store: Pick<Store, 'list' | 'get' | 'recentAttempts' | 'deleteFile'>
  readonly files: FileStore
  readonly routes: ReadonlyMap<string, Route>
  readonly clock: Clock
  readonly fetch: typeof globalThis.fetch
  /** By the store's clock. */
  readonly now: () => number
  readonly report: () => Promise<readonly DeploymentReport[]>
  readonly migrations: () => Promise<readonly Pick<MigrationReport, 'model' | 'from' | 'to'>[]>
  /** Stores a prediction under this id and begins it; the one that is there already, where somebody else was first. */
  readonly create: (request: CreateRequest, id: string) => Promise<StoredPrediction>
}

/** A deployment that can be kept warm, with its model. */
export interface Warmable {
  readonly deployment: Deployment
  readonly route: Route
  readonly warmth: Warmth
}

/** What the loop that keeps deployments warm needs besides the front's verbs. */
export interface WarmRuns extends Warmer {
  /** Calls what brings or keeps a worker without a run. Throws `SurefootError` when that cannot be asked. */
  call(deployment: Deployment): Promise<Warming | null>
  /** The newest warm-ups by runs, newest first. */
  earlier(deployment: string): Promise<readonly PredictionRecord[]>
  /**
   * Begins the run that follows these. Its id follows from the newest one's, so that of several processes which see the same
   * the store lets one begin it.
   */
  begin(place: Pick<Warmable, 'deployment' | 'route'>, earlier: readonly PredictionRecord[]): Promise<PredictionRecord>
}

/** So many earlier warm-ups tell how the next one stands. */
const remembered = 12
/** A day of warm-ups every half minute. */
const mostPerDay = 2_880

export function createWarmer(dependencies: WarmDependencies): WarmRuns {
  const { store, files, routes, clock, fetch, now, report, migrations, create } = dependencies

  function find(name: string): { readonly deployment: Deployment; readonly route: Route } {
    for (const route of routes.values()) {
      const deployment = deploymentsOf(route).find(candidate => candidate.name === name)
      if (deployment !== undefined) return { deployment, route }
    }
    return refuse('input_invalid', `There is no deployment ${name} here.`, { status: 404 })
  }

  async function call({ name, provider, target }: Deployment): Promise<Warming | null> {
    if (provider.warm === undefined) return null
    const limit = createLimit(clock, provider.limits.callTimeoutMs, `Warming ${name}`)
    return await provider.warm(target, { fetch, signal: limit.signal }).finally(limit.done)
  }

  async function earlier(deployment: string): Promise<readonly PredictionRecord[]> {
    const stored = await store.list({ owner: warmUpOwner(deployment), limit: remembered })
    return stored.map(({ record }) => record)
  }

  async function begin(
    { deployment, route }: Pick<Warmable, 'deployment' | 'route'>,
    before: readonly PredictionRecord[],
  ): Promise<PredictionRecord> {
    await tidy(before)
    const id = createHash('sha256')
      .update(`${deployment.name} ${before[0]?.id ?? ''}`)
      .digest('hex')
      .slice(0, 32)
    const request: CreateRequest = {
      model: route.model.name,
      owner: warmUpOwner(deployment.name),
      source: 'api',
      input: inputFor(route.model),
      files: {},
      cancelAfterMs: null,
      webhook: null,
      deployments: [deployment.name],
    }
    return (await create(request, warmUpId(id))).record
  }

  /** Nobody wants what warm-ups made, and one may be as large as any output. */
  async function tidy(records: readonly PredictionRecord[]): Promise<void> {
    for (const { settledAt, output, input, files: given } of records) {
      if (settledAt === null) continue
      if (output !== null) await files.remove(output.key)
      for (const field of Object.keys(given)) {
        const id = /^\/v1\/files\/(.+)$/.exec(String(input[field]))?.[1]
        if (id !== undefined) await removeFile({ store, files }, id)
      }
    }
  }

  async function warm(name: string, { run }: { readonly run: boolean }): Promise<WarmUp> {
    const { deployment, route } = find(name)
    const warmth = deployment.provider.warmth?.(deployment.target)
    if (warmth === undefined)
      return says(name, 'never', `${name}: no worker has to be woken there, or none stays, so nothing can be warmed.`)
    const before = await earlier(name)
    const [last] = before
    if (last !== undefined && !isTerminal(last.status)) return toWarmUp(last, name)
    const used = await usedAt(name, warmth)
    if (used !== null) return says(name, 'ready', used)
    try {
      const told = await call(deployment)
      if (told !== null && (told.state !== 'cold' || !run)) return says(name, told.state, told.message)
    } catch (error) {
      if (!SurefootError.is(error)) throw error
      return says(name, 'failed', error.failure.message, error.failure.advice)
    }
    if (!run) return says(name, 'cold', `${name}: only a run brings a worker there.`)
    const breaker = (await report()).find(entry => entry.name === name)?.breaker
    if (breaker !== undefined && breaker.state !== 'closed')
      return says(name, 'failed', `Nothing was started on ${name}. ${breaker.why}`, 'Mend that first, then try again.')
    return toWarmUp(await begin({ deployment, route }, before), name)
  }

  /** In words, why a worker is there although nobody was asked: it works, or has just worked. */
  async function usedAt(name: string, { idleMs, idleBy }: Warmth): Promise<string | null> {
    const facts = await store.recentAttempts(name, remembered)
    if (facts.some(({ runningAt, endedAt }) => runningAt !== null && endedAt === null))
      return `${name}: a run is at work there.`
    const won = Math.max(...facts.map(({ state, endedAt }) => (state === 'won' ? (endedAt ?? 0) : 0)))
    const ago = now() - won
    if (idleMs === null || ago >= idleMs) return null
    const who = idleBy === 'target' ? 'as the target says' : "by the vendor's default"
    return `${name}: a run ended ${Math.round(ago / 1000)} s ago, and a worker stays for ${idleMs / 1000} s there, ${who}.`
  }

  async function plan(model: string): Promise<readonly WarmPlan[]> {
    const route = routes.get(model) ?? refuse('input_invalid', `There is no model ${model} here.`, { status: 404 })
    const reports = new Map((await report()).map(entry => [entry.name, entry]))
    const moving = (await migrations()).find(migration => migration.model === model)
    const choices = moving === undefined ? firstChoices(route, reports) : movingChoices(moving)
    const plans = await Promise.all(
      deploymentsOf(route).map(deployment => planOf(deployment, reports.get(deployment.name), choices)),
    )
    return plans.toSorted((a, b) => Number(b.choice !== null) - Number(a.choice !== null))
  }

  async function planOf(
    { name, provider, target, keepWarm }: Deployment,
    known: DeploymentReport | undefined,
    choices: ReadonlyMap<string, string>,
  ): Promise<WarmPlan> {
    const warmth = provider.warmth?.(target)
    const attempts = await attemptsToday(name)
    const prices: WarmPrices | null = warmth === undefined ? null : { ...warmth, ...measuredPrices(known, attempts) }
    const window =
      keepWarm === undefined || prices === null
        ? null
        : {
            ...keepWarm,
            isOpen: isOpen(keepWarm.window, localTimeOf(now(), keepWarm.timeZone)),
            estimate: estimateWindow(keepWarm.window, keepWarm.everyMs, prices),
          }
    return {
      deployment: name,
      by: warmth?.wokenBy ?? null,
      choice: choices.get(name) ?? null,
      billed: known?.billed ?? true,
      bills: warmth?.bills ?? [],
      estimate: prices === null ? null : estimateWarmUp(prices),
      keepWarm: window,
      today: spentOnAll(attempts),
      failure: await lastFailure(name),
    }
  }

  async function lastFailure(name: string): Promise<string | null> {
    const [last] = await store.list({ owner: warmUpOwner(name), limit: 1 })
    return last?.record.failure?.message ?? null
  }

  /** Of warm-ups since midnight UTC, those that were sent. */
  async function attemptsToday(name: string): Promise<readonly Attempt[]> {
    const query = { owner: warmUpOwner(name), createdAfter: budgetDayOf(now()), limit: mostPerDay }
    const attempts = (await store.list(query)).flatMap(({ record }) => record.attempts)
    return attempts.filter(({ submittedAt }) => submittedAt !== null)
  }

  return {
    call,
    earlier,
    begin,
    warm,
    plan,
    async look(id) {
      const record = isWarmUp(id) ? ((await store.get(id))?.record ?? null) : null
      return record === null ? null : toWarmUp(record, record.route?.[0] ?? '')
    },
  }
}

function spentOnAll(attempts: readonly Attempt[]): WarmPlan['today'] {
  return {
    runs: attempts.length,
    cost: attempts.reduce((sum, { cost }) => sum + (cost?.amount ?? 0), 0),
    unpriced: attempts.filter(({ cost }) => cost === null).length,
  }
}

/** What was measured of a deployment, as far as it is a price's: today's warm-ups tell best how long one runs. */
function measuredPrices(
  known: Pick<DeploymentReport, 'pricePerSecond' | 'measured'> | undefined,
  warmUps: readonly Attempt[],
): Pick<WarmPrices, 'pricePerSecond' | 'bootMs' | 'runMs'> {
  const runs = warmUps.flatMap(({ state, runningAt, collectingAt }) =>
    state === 'won' && runningAt !== null && collectingAt !== null ? collectingAt - runningAt : [],
  )
  return {
    pricePerSecond: known?.pricePerSecond ?? null,
    bootMs: known?.measured.boot?.p50 ?? null,
    runMs: runs.length > 0 ? quantile(runs, 0.5) : (known?.measured.run?.p50 ?? null),
  }
}

/** The least that the model takes; refuses with `input_invalid` where that is more than a photo. */
function inputFor(model: Model): CreateRequest['input'] {
  const photos = Object.entries(model.fileFields).flatMap(([field, { required }]) =>
    required ? [[field, warmPhoto]] : [],
  )
  return Object.fromEntries(photos)
}

function says(deployment: string, state: WarmUp['state'], message: string, advice: string | null = null): WarmUp {
  return { deployment, state, message, advice, run: null }
}

function toWarmUp(run: PredictionRecord, deployment: string): WarmUp {
  const { status, failure, attempts, createdAt } = run
  if (failure !== null) return { deployment, state: 'failed', message: failure.message, advice: failure.advice, run }
  const at = attempts.at(-1)?.runningAt ?? null
  const isThere = at !== null || status === 'succeeded'
  if (!isThere && isTerminal(status))
    return { deployment, state: 'failed', message: `It was ${status}.`, advice: null, run }
  if (!isThere)
    return { deployment, state: 'waking', message: `${deployment}: a small run waits for a worker.`, advice: null, run }
  const after = at === null ? '' : ` after ${((at - createdAt) / 1000).toFixed(1)} s`
  return { deployment, state: 'ready', message: `${deployment}: a worker was there${after}.`, advice: null, run }
}
