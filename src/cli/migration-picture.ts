import { describeBeginning } from '../core/migration.ts'
import type { MigrationJson, MigrationSideJson } from '../http/migration-shapes.ts'
import { formatDuration, formatTable } from './format.ts'
import { type Io, paint } from './io.ts'

const barCells = 24
const none = 'no data'

/** Where a migration stands, for people: the way with what is behind it, both deployments, and what the next step waits for. */
export function drawMigration(io: Pick<Io, 'env' | 'stdout'>, migration: MigrationJson): string {
  const { model, plan, from, to, paused, configured } = migration
  const title = paint(io, io.stdout, 'bold', `${model}  ${plan.from} -> ${plan.to}`)
  const all = from.attempts + to.attempts
  const held = paused ? '  paused: nothing is judged' : ''
  return [
    `${title}${held}\n\n  ${drawWay(migration)}\n  ${drawShare(io, migration)}\n\n`,
    formatTable([
      ['DEPLOYMENT', 'PLANNED', 'ATTEMPTS', 'SUCCEEDED', 'TIME p50', 'p95', 'USD/IMAGE'],
      rowOf(from, all, 'latest attempts'),
      rowOf(to, all, migration.stage === 'rolled_back' ? 'in its last stage' : 'since the stage began'),
    ]),
    '\n',
    formatTable([...rowsOf(migration)]),
    ...(configured
      ? []
      : ['\nThe config of this gateway has another plan; whoever starts with a plan begins it anew.\n']),
    `\n${paint(io, io.stdout, 'bold', 'History')}\n`,
    formatTable(migration.history.map(({ at, what, why }) => [toSecond(at), what, why])),
  ].join('')
}

/** `[x] shadow - [x] 5 % - [>] 25 % - [ ] 100 %`: behind it, here, to come. */
function drawWay({ plan, stage, step }: MigrationJson): string {
  const shadows = plan.shadow.runs > 0 ? ['shadow'] : []
  const here = { shadow: 0, step: shadows.length + (step ?? 0), done: Number.POSITIVE_INFINITY, rolled_back: -1 }[stage]
  const stops = [...shadows, ...plan.steps.map(percent => `${percent} %`)]
  const way = stops.map((stop, index) =>
    index < here ? `[x] ${stop}` : index === here ? `[>] ${stop}` : `[ ] ${stop}`,
  )
  return [...way, ...(stage === 'rolled_back' ? ['(rolled back)'] : [])].join(' - ')
}

function drawShare(io: Pick<Io, 'env' | 'stdout'>, { to, since }: MigrationJson): string {
  const cells = to.percent === 0 ? 0 : Math.max(1, Math.round((barCells * to.percent) / 100))
  const rest = paint(io, io.stdout, 'dim', '░'.repeat(barCells - cells))
  return `${'█'.repeat(cells)}${rest}  ${to.percent} % are to begin at ${to.deployment}, since ${toSecond(since)} UTC`
}

/** `all`: attempts at both since the stage began. */
function rowOf({ deployment, percent, attempts, measured }: MigrationSideJson, all: number, basis: string): string[] {
  const { success, won, samples, total, cost_per_image: cost } = measured
  const interval =
    success === null
      ? none
      : `${won}/${samples} (${Math.round(success.low * 100)}-${Math.round(success.high * 100)} %), ${basis}`
  return [
    deployment,
    `${percent} %`,
    all === 0 ? none : `${attempts} (${Math.round((attempts / all) * 100)} %)`,
    interval,
    total === null ? none : formatDuration(total.p50 * 1_000),
    total === null ? none : formatDuration(total.p95 * 1_000),
    cost === null ? none : String(Number(cost.toPrecision(3))),
  ]
}

function rowsOf({ plan, pairs, verdict, stage, from, to }: MigrationJson): string[][] {
  const rows: string[][] = [
    ['Attempts', 'since the stage began, where they were: first choices, failovers, pinned ones and shadow runs'],
    ...labelled('Out', [from, to].flatMap(describeOut)),
  ]
  if (pairs.compared > 0) rows.push(['Pairs', describePairs(pairs)])
  const odd = pairs.latest.find(({ differences }) => differences !== null && differences.length > 0)
  if (odd !== undefined)
    rows.push(['', `prediction ${odd.prediction}, shadow run ${odd.shadow}: ${odd.differences?.join(', ')}`])
  rows.push(...labelled('Limits', limitsOf(plan)))
  const next: { readonly [kind in typeof verdict.kind]: readonly string[] } = {
    stay: verdict.missing,
    up: ['the next step, within seconds'],
    back: [`the roll-back, within seconds: ${verdict.why}`],
  }
  rows.push(...labelled('Waits for', next[verdict.kind]))
  if (next[verdict.kind].length > 0) return rows
  if (stage === 'done')
    rows.push(['Next', `take "migration" out of the config, with ${plan.to} first on the route or alone on it`])
  else if (stage === 'rolled_back')
    rows.push([
      'Next',
      `mend what the history names, then: surefoot migrate resume. It begins anew, ${describeBeginning(plan)}`,
    ])
  return rows
}

/** That a deployment is out by its breaker, and until when; empty where it is not. */
export function describeOut({ deployment, out }: MigrationSideJson): readonly string[] {
  return out === null
    ? []
    : [`${deployment} gets no prediction until ${toSecond(out.until)} UTC, whatever is planned: ${out.why}`]
}

function describePairs({
  compared,
  both,
  only_from,
  only_to,
  neither,
  differ,
  seconds,
}: MigrationJson['pairs']): string {
  const times =
    seconds === null
      ? ''
      : `; median ${formatDuration(seconds.from * 1_000)} old, ${formatDuration(seconds.to * 1_000)} new`
  return `${compared} compared: both ${both}, only old ${only_from}, only new ${only_to}, neither ${neither}; ${differ} of ${both} outputs differ${times}`
}

function labelled(label: string, lines: readonly string[]): string[][] {
  return lines.map((line, index) => [index === 0 ? label : '', line])
}

function limitsOf({ limits }: MigrationJson['plan']): string[] {
  const { success, slower, dearer, seconds, cost, differ } = limits
  return [
    success === 'no-worse' ? 'success no worse than the old one' : `success at least ${success * 100} %`,
    ...(slower === null ? [] : [`median time at most ${slower} times the old one`]),
    ...(seconds === null ? [] : [`95 % within ${seconds} s`]),
    ...(dearer === null ? [] : [`an image at most ${dearer} times as dear`]),
    ...(cost === null ? [] : [`an image at most ${cost} USD`]),
    differ === 0 ? 'no pair of outputs differs' : `at most ${differ * 100} % of the pairs of outputs differ`,
  ]
}

/** `2026-11-24 12:00:00` of an ISO time. */
export function toSecond(time: string): string {
  return time.slice(0, 19).replace('T', ' ')
}
