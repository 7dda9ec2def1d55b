import { type MigrationLimits, missingForStep, type StageFacts, whyBack } from './migration-limits.ts'

/** A model's way from one deployment to another, as the configuration states it, defaults filled in. */
export interface MigrationPlan {
  /** `model@provider`; both are on the model's route. */
  readonly from: string
  readonly to: string
  /** Percent of predictions whose first choice is `to`, ascending; the last is 100. */
  readonly steps: readonly number[]
  /** Before the first step: copies of predictions at `to`, for comparison only. */
  readonly shadow: {
    /** Share of predictions that are copied, 0 to 1. */
    readonly share: number
    /** Compared pairs that end the stage; 0: there is no such stage. */
    readonly runs: number
  }
  readonly limits: MigrationLimits
  /** Attempts at `to` that have ended before a step is judged to be good. */
  readonly samples: number
}

/**
 * Where a migration stands.
 *
 *   shadow ──> step 0 ──> step 1 ──> ... ──> done          each arrow: the limits hold, or a person says so
 *      └─────────┴───────────┴────> rolled_back ──> first  a limit is broken, or a person says so; back by a person only
 */
export type MigrationStage =
  | { readonly name: 'shadow' }
  | { readonly name: 'step'; readonly index: number }
  | { readonly name: 'done' }
  | { readonly name: 'rolled_back' }

/** One row for each model in the store; every process reads it and changes it by compare-and-set. Plain JSON. */
export interface MigrationState {
  /** The plan that it follows; another one in the configuration begins anew when a process starts. */
  readonly plan: MigrationPlan
  readonly stage: MigrationStage
  /** When the stage began, in milliseconds since 1970: facts count from here. */
  readonly since: number
  /** When the first stage began, the last time that it did: pairs count from here. */
  readonly startedAt: number
  /** A person holds it: nothing is judged, and the share stays. */
  readonly paused: boolean
  /** What happened, oldest first, the latest 20. */
  readonly history: readonly MigrationEvent[]
}

export interface MigrationEvent {
  readonly at: number
  /** What it led to: `shadow`, `25 %`, `done`, `rolled back`, `paused`, `resumed`. */
  readonly what: string
  /** One sentence with the numbers that decided. */
  readonly why: string
}

/** What a person may ask for. */
export type MigrationAction = (typeof migrationActions)[number]
export const migrationActions = ['pause', 'resume', 'advance', 'rollback'] as const

/** What the facts say of the present stage. */
export type MigrationVerdict =
  /** `missing`: what a step up waits for, a phrase each; empty where nothing is judged. */
  | { readonly kind: 'stay'; readonly missing: readonly string[] }
  | { readonly kind: 'up'; readonly why: string }
  | { readonly kind: 'back'; readonly why: string }

const keptHistory = 20

export function startMigration(plan: MigrationPlan, now: number, why: string): MigrationState {
  const stage: MigrationStage = plan.shadow.runs > 0 ? { name: 'shadow' } : { name: 'step', index: 0 }
  const history = [{ at: now, what: describeStage(plan, stage), why }]
  return { plan, stage, since: now, startedAt: now, paused: false, history }
}

/**
 * Judges the present stage. Back at the first limit that is surely broken, however few attempts there were; up only when
 * every limit holds on enough attempts, of which none that began before them is still open: those that hang would be left
 * out, and those are the bad ones. Pure, so every process comes to the same verdict on the same facts.
 */
export function judgeMigration(state: MigrationState, facts: StageFacts): MigrationVerdict {
  const { plan, stage } = state
  if (state.paused || stage.name === 'done' || stage.name === 'rolled_back') return { kind: 'stay', missing: [] }
  const isShadow = stage.name === 'shadow'
  const samples = isShadow ? plan.shadow.runs : plan.samples
  const scope = { plan, since: state.since, samples, pairs: isShadow ? plan.shadow.runs : null }
  const back = whyBack(scope, facts)
  if (back !== null) return { kind: 'back', why: back }
  const { missing, why } = missingForStep(scope, facts)
  return missing.length > 0 ? { kind: 'stay', missing } : { kind: 'up', why }
}

/** The state that a verdict leads to; the same one where it stays. */
export function followVerdict(state: MigrationState, verdict: MigrationVerdict, now: number): MigrationState {
  switch (verdict.kind) {
    case 'stay':
      return state
    case 'up':
      return enter(state, nextStage(state), now, verdict.why)
    case 'back':
      return enter(state, { name: 'rolled_back' }, now, verdict.why)
  }
}

/** The state that a person asks for, or a sentence that says why it cannot be had. */
export function actOnMigration(state: MigrationState, action: MigrationAction, now: number): MigrationState | string {
  const { stage, paused, plan } = state
  const isUnderWay = stage.name === 'shadow' || stage.name === 'step'
  const where =
    stage.name === 'step'
      ? `stands at ${describeStage(plan, stage)}`
      : `is ${stage.name === 'shadow' ? 'in its shadow stage' : describeStage(plan, stage)}`
  switch (action) {
    case 'pause':
      if (!isUnderWay || paused)
        return `The migration ${paused ? 'is paused already' : where}; there is nothing to pause.`
      return note({ ...state, paused: true }, now, 'paused', 'A person paused it: the share stays as it is.')
    case 'resume':
      if (stage.name === 'rolled_back') return startAgain(state, now)
      if (!paused) return `The migration ${where} and is not paused.`
      return note({ ...state, paused: false }, now, 'resumed', 'A person resumed it.')
    case 'advance':
      if (!isUnderWay) return `The migration ${where}: there is no next step.`
      return enter(state, nextStage(state), now, 'A person advanced it, whatever the limits say.')
    case 'rollback':
      if (stage.name === 'rolled_back') return 'The migration is rolled back already.'
      return enter(state, { name: 'rolled_back' }, now, 'A person rolled it back.')
  }
}

/** From the beginning, with the facts from now on. */
function startAgain(state: MigrationState, now: number): MigrationState {
  const why = `A person resumed it after the roll-back: it begins anew, ${describeBeginning(state.plan)}.`
  const fresh = startMigration(state.plan, now, why)
  return { ...fresh, history: [...state.history, ...fresh.history].slice(-keptHistory) }
}

function nextStage({ plan, stage }: MigrationState): MigrationStage {
  const index = stage.name === 'step' ? stage.index + 1 : 0
  return index < plan.steps.length ? { name: 'step', index } : { name: 'done' }
}

function enter(state: MigrationState, stage: MigrationStage, now: number, why: string): MigrationState {
  const paused = state.paused && stage.name === 'step'
  return note({ ...state, stage, since: now, paused }, now, describeStage(state.plan, stage), why)
}

function note(state: MigrationState, at: number, what: string, why: string): MigrationState {
  return { ...state, history: [...state.history, { at, what, why }].slice(-keptHistory) }
}

/** `shadow`, `25 %`, `done`, `rolled back`. */
export function describeStage(plan: MigrationPlan, stage: MigrationStage): string {
  if (stage.name === 'step') return `${plan.steps[stage.index] ?? 100} %`
  return stage.name === 'rolled_back' ? 'rolled back' : stage.name
}

/** What the first stage of a plan does with predictions: a phrase, for whoever is about to begin it. */
export function describeBeginning({ to, shadow, steps }: Pick<MigrationPlan, 'to' | 'shadow' | 'steps'>): string {
  return shadow.runs > 0
    ? `in its shadow stage: ${shadow.runs} compared pairs are wanted, and no prediction begins at ${to}`
    : `${steps[0] ?? 100} % of the predictions begin at ${to}`
}

/**
 * From when on attempts at `to` are shown: since the stage began; after a roll-back since the stage began that led there, for
 * these are the figures that a person wants to see then.
 */
export function figuresSince({ stage, since, startedAt, history }: MigrationState): number {
  if (stage.name !== 'rolled_back') return since
  const isBeginning = ({ what }: MigrationEvent) => !['paused', 'resumed', 'rolled back'].includes(what)
  return history.findLast(event => isBeginning(event))?.at ?? startedAt
}

/** Percent of predictions whose first choice is `to` now. */
export function percentOf({ plan, stage }: Pick<MigrationState, 'plan' | 'stage'>): number {
  if (stage.name === 'step') return plan.steps[stage.index] ?? 100
  return stage.name === 'done' ? 100 : 0
}

/**
 * Whether a prediction's first choice is `to`, with the reason for its account. Drawn from its id, not by dice: the same
 * at every step of it and in every process, and who is drawn at 5 % still is at 25 %.
 */
export function drawMigration(
  state: MigrationState,
  predictionId: string,
): { readonly to: boolean; readonly why: string } {
  const { plan } = state
  const percent = percentOf(state)
  if (percent === 0) {
    const reason = state.stage.name === 'shadow' ? 'is in its shadow stage' : 'is rolled back'
    return { to: false, why: `The migration to ${plan.to} ${reason}: ${plan.from} comes first.` }
  }
  const to = lotOf(predictionId) * 100 < percent
  if (percent === 100) return { to: true, why: `Drawn by the migration to ${plan.to}: 100 %.` }
  const kept = `${roundPercent(100 - percent)} % stay at ${plan.from}`
  return { to, why: `Drawn by the migration to ${plan.to}: ${to ? `${percent} %` : kept}.` }
}

/** 99.5, not 99.50000000000001. */
function roundPercent(percent: number): number {
  return Number(percent.toPrecision(6))
}

/**
 * A number in [0, 1) that an id always gives: FNV-1a, then MurmurHash3's finalizer, because FNV alone leaves ids that
 * differ in their last letters near each other. https://datatracker.ietf.org/doc/html/draft-eastlake-fnv
 */
function lotOf(id: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
