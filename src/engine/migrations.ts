import type { Clock, Random } from '../core/clock.ts'
import { createRecord } from '../core/create-record.ts'
import { refuse } from '../core/failure.ts'
import {
  actOnMigration,
  drawMigration,
  figuresSince,
  followVerdict,
  judgeMigration,
  type MigrationAction,
  type MigrationPlan,
  type MigrationState,
  percentOf,
  startMigration,
} from '../core/migration.ts'
import type { StageFacts } from '../core/migration-limits.ts'
import { summarizePairs } from '../core/migration-pairs.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import { type AttemptFact, measure } from '../core/statistics.ts'
import type { FileStore } from '../files/contract.ts'
import type { Store } from '../store/contract.ts'
import type { Deployment, Log, MigrationReport, Route } from './contract.ts'
import { startLoop } from './loop.ts'
import { createShadows, type Shadows } from './shadows.ts'

/** The traffic of models that move from one deployment to another: who is drawn where, shadow runs, and how far it is. */
export interface Migrations {
  /** The order in which an unpinned prediction's route is tried, and why; null where its model does not move. */
  order(record: Pick<PredictionRecord, 'id' | 'model'>): {
    readonly deployments: readonly Deployment[]
    readonly why: string
  } | null
  /** A prediction was created: by dice, a copy of it runs at the new deployment. Nobody waits for that, and it never fails. */
  created(record: PredictionRecord): void
  report(): Promise<readonly MigrationReport[]>
  /** What a person asks for. Throws `input_invalid` (404, 409) where there is no such migration, or it cannot be done. */
  act(model: string, action: MigrationAction): Promise<MigrationReport>
  /** Reads where each one stands, and begins those that are new or planned otherwise. */
  read(): Promise<void>
  /** Judges each one, once. */
  judge(): Promise<void>
  /** Resolves when no shadow run is being begun. */
  quiet(): Promise<void>
  /** Reads, and judges from then on. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface MigrationDependencies {
  readonly store: Pick<Store, 'migration' | 'putMigration' | 'recentAttempts' | 'list' | 'get' | 'now'>
  readonly files: Pick<FileStore, 'remove'>
  readonly routes: ReadonlyMap<string, Route>
  readonly clock: Clock
  readonly random: Random
  readonly newId: () => string
  /** Stores a fresh prediction and begins it. */
  readonly insert: (record: PredictionRecord) => Promise<unknown>
  readonly log: Log
}

/** How long after the facts a share may change, and how long one process may go by what another has changed. */
const judgeEveryMs = 5_000
/** As many attempts as the rest of the engine remembers: see `insight.ts`. */
const remembered = 200
/** So many are looked through where warm-ups are among them: five days of one every four minutes. */
const searched = 2_000

interface Moving {
  readonly model: string
  readonly route: Route
  readonly plan: MigrationPlan
  readonly shadows: Shadows
  /** As last read or written. */
  state: MigrationState | null
}

/** Nothing is read and no timer is set where no route has a migration. */
export function createMigrations(dependencies: MigrationDependencies): Migrations {
  const { store, routes, clock, random, newId, insert, log } = dependencies
  const moving = new Map<string, Moving>()
  for (const [model, route] of routes) {
    if (route.migration === undefined) continue
    const shadows = createShadows({ ...dependencies, model })
    moving.set(model, { model, route, plan: route.migration, shadows, state: null })
  }
  const underWay = new Set<Promise<unknown>>()
  let endLoop: () => Promise<void> = async () => {}

  /** What is stored, or the beginning of what is not; a plan other than the stored one begins anew where `mayReplace`. */
  async function read(entry: Moving, mayReplace: boolean): Promise<{ state: MigrationState; version: number }> {
    for (;;) {
      const stored = await store.migration(entry.model)
      if (stored !== null && (!mayReplace || isSamePlan(stored.state.plan, entry.plan))) {
        entry.state = stored.state
        return stored
      }
      const why = stored === null ? 'The configuration asks for it.' : 'The configuration has another plan: begun anew.'
      const fresh = startMigration(entry.plan, await store.now(), why)
      await store.putMigration(entry.model, { state: fresh, version: stored?.version ?? 0 })
    }
  }

  /** Warm-ups say nothing of what users get, and must not push out the few that do: else no step would ever be taken. */
  async function asked(deployment: string): Promise<readonly AttemptFact[]> {
    const isAsked = ({ warm }: AttemptFact) => warm !== true
    const recent = await store.recentAttempts(deployment, remembered)
    if (recent.every(isAsked)) return recent
    return (await store.recentAttempts(deployment, searched)).filter(isAsked).slice(0, remembered)
  }

  async function factsOf({ shadows }: Moving, state: MigrationState): Promise<StageFacts> {
    const [from, to, pairs] = await Promise.all([asked(state.plan.from), asked(state.plan.to), shadows.pairs(state)])
    return { from, to, pairs }
  }

  async function judge(entry: Moving): Promise<void> {
    const { state, version } = await read(entry, false)
    const isJudged = !state.paused && (state.stage.name === 'shadow' || state.stage.name === 'step')
    if (!isJudged) return void (await entry.shadows.pairs(state))
    const next = followVerdict(state, judgeMigration(state, await factsOf(entry, state)), await store.now())
    if (next === state || !(await store.putMigration(entry.model, { state: next, version }))) return
    entry.state = next
    const last = next.history.at(-1)
    log(next.stage.name === 'rolled_back' ? 'warn' : 'info', `Migration of ${entry.model}: ${last?.what}.`, {
      from: state.plan.from,
      to: state.plan.to,
      why: last?.why ?? '',
    })
  }

  async function readAll(): Promise<void> {
    for (const entry of moving.values()) await read(entry, true)
  }

  async function quiet(): Promise<void> {
    await Promise.all(underWay)
  }

  async function judgeAll(): Promise<void> {
    for (const entry of moving.values()) await judge(entry)
  }

  async function reportOf(entry: Moving): Promise<MigrationReport> {
    const { state } = await read(entry, false)
    const facts = await factsOf(entry, state)
    const percent = percentOf(state)
    const shown = facts.to.filter(({ plannedAt }) => plannedAt >= figuresSince(state))
    const attempts = countOf(facts, state.since)
    return {
      model: entry.model,
      state,
      verdict: judgeMigration(state, facts),
      configured: isSamePlan(state.plan, entry.plan),
      from: { name: state.plan.from, percent: 100 - percent, attempts: attempts.from, measured: measure(facts.from) },
      to: { name: state.plan.to, percent, attempts: attempts.to, measured: measure(shown) },
      pairs: facts.pairs,
      summary: summarizePairs(facts.pairs),
    }
  }

  async function copy(
    { route, shadows }: Moving,
    { plan: { to }, startedAt }: MigrationState,
    record: PredictionRecord,
  ) {
    const { deployments, policy } = route.pinnable ?? route
    // Where another process moves it to what is not configured here.
    if (!deployments.some(({ name }) => name === to)) return
    const shadow = createRecord(
      {
        id: newId(),
        model: record.model,
        modelVersion: record.modelVersion,
        owner: shadows.owner,
        source: record.source,
        input: record.input,
        files: record.files,
        route: [to],
        deadlineMs: policy.deadlineMs,
        deadlineBy: 'policy',
        webhook: null,
        shadowOf: record.id,
      },
      // Those from before are not looked for.
      Math.max(record.createdAt, startedAt),
    )
    shadows.began(shadow.id)
    await insert(shadow).catch(error => {
      shadows.failed(shadow.id)
      throw error
    })
  }

  return {
    order({ id, model }) {
      const entry = moving.get(model)
      if (entry?.state == null) return null
      const { from, to } = entry.state.plan
      const find = (name: string) => entry.route.deployments.find(deployment => deployment.name === name)
      const [old, young] = [find(from), find(to)]
      if (old === undefined || young === undefined) return null
      const others = entry.route.deployments.filter(deployment => deployment !== old && deployment !== young)
      const drawn = drawMigration(entry.state, id)
      // What is on trial, or has failed it, is tried when nothing else is left.
      if (percentOf(entry.state) === 0) return { deployments: [old, ...others, young], why: drawn.why }
      return { deployments: drawn.to ? [young, old, ...others] : [old, young, ...others], why: drawn.why }
    },
    created(record) {
      const entry = moving.get(record.model)
      if (entry?.state?.stage.name !== 'shadow' || entry.state.paused) return
      if (record.route !== null || record.shadowOf !== undefined) return
      const { shadow } = entry.state.plan
      // Rounds overlap where predictions come fast: a crowd of copies would be paid for one look at them.
      if (random() >= shadow.share || entry.shadows.open() >= shadow.runs || entry.shadows.isFull()) return
      const copying = copy(entry, entry.state, record).catch(error =>
        log('warn', 'A shadow run could not be begun.', { prediction: record.id, error: String(error) }),
      )
      underWay.add(copying)
      void copying.finally(() => underWay.delete(copying))
    },
    report: () => Promise.all([...moving.values()].map(reportOf)),
    async act(model, action) {
      const entry =
        moving.get(model) ??
        refuse('input_invalid', `No migration is configured for ${model}.`, {
          advice: 'Give the model a migration in surefoot.config.ts and start again.',
          status: 404,
        })
      for (;;) {
        const { state, version } = await read(entry, false)
        const next = actOnMigration(state, action, await store.now())
        if (typeof next === 'string')
          return refuse('input_invalid', next, { advice: 'surefoot migrate shows where it stands.', status: 409 })
        if (!(await store.putMigration(model, { state: next, version }))) continue
        entry.state = next
        log('info', `Migration of ${model}: ${action} by a person.`)
        return await reportOf(entry)
      }
    },
    read: readAll,
    judge: judgeAll,
    quiet,
    async start() {
      if (moving.size === 0) return
      await readAll()
      endLoop = startLoop(clock, judgeEveryMs, judgeAll, error =>
        log('error', 'Migrations could not be judged; tried again soon.', { error: String(error) }),
      )
    },
    async stop() {
      await endLoop()
      await quiet()
    },
  }
}

/** Attempts at both since then, or since the oldest that is remembered where a side has more: else shares would be wrong. */
function countOf({ from, to }: StageFacts, since: number): { readonly from: number; readonly to: number } {
  const oldest = (facts: readonly AttemptFact[]) =>
    facts.length < remembered ? since : Math.min(...facts.map(({ plannedAt }) => plannedAt))
  const begin = Math.max(since, oldest(from), oldest(to))
  const count = (facts: readonly AttemptFact[]) => facts.filter(({ plannedAt }) => plannedAt >= begin).length
  return { from: count(from), to: count(to) }
}

/** Both are plain JSON with their keys in the order of `resolveMigration`. */
function isSamePlan(a: MigrationPlan, b: MigrationPlan): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
