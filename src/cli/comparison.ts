import type { FailureCode } from '../core/failure.ts'
import { type AttemptFact, type Measured, measure, type Spread } from '../core/statistics.ts'
import type { DeploymentJson, RecommendationJson } from '../http/provider-shapes.ts'
import { toMeasuredView } from '../http/provider-view.ts'
import type { AttemptJson } from '../http/shapes.ts'
import { formatDuration, formatTable } from './format.ts'

/** One prediction that was run for a comparison. */
export interface Trial {
  readonly deployment: string
  readonly photo: string
  /** 1, 2, 3, ... */
  readonly run: number
  /** Null when it was refused before it began. */
  readonly id: string | null
  readonly status: string
  /** From its creation to its end. */
  readonly seconds: number | null
  readonly failure: { readonly code: FailureCode; readonly message: string } | null
  readonly attempts: readonly AttemptJson[]
}

/** What a comparison found out. */
export interface Comparison {
  readonly model: string
  readonly deployments: readonly DeploymentJson[]
  readonly trials: readonly Trial[]
  /** Of these deployments, by all their traffic that the gateway remembers, these trials included. */
  readonly recommendation: RecommendationJson | null
}

export const comparisonFormats = ['table', 'markdown', 'csv', 'json'] as const
export type ComparisonFormat = (typeof comparisonFormats)[number]

const headings = [
  'DEPLOYMENT',
  'RUNS',
  'ATTEMPTS',
  'TIME p50',
  'p95',
  'QUEUE',
  'BOOT',
  'RUN',
  'COLLECT',
  'USD/IMAGE',
  'DECLARED',
  'STALLS',
]
const none = 'no data'

/** The comparison as text, ready to be written. */
export function formatComparison(comparison: Comparison, format: ComparisonFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(toJson(comparison))}\n`
    case 'csv':
      return toCsv(comparison)
    case 'markdown':
      return `${toMarkdown([headings, ...rowsOf(comparison)])}\n${wordsOf(comparison.recommendation, '- ')}`
    case 'table':
      return `${formatTable([headings, ...rowsOf(comparison)])}\n${wordsOf(comparison.recommendation, '  ')}`
  }
}

/** What the trials of one deployment say of it: every attempt counts, whether the prediction got its output or not. */
export function measureTrials(trials: readonly Trial[], deployment: string): Measured {
  return measure(
    trials.filter(trial => trial.deployment === deployment).flatMap(({ attempts }) => attempts.map(toFact)),
  )
}

function toFact(attempt: AttemptJson): AttemptFact {
  const at = (time: string | null) => (time === null ? null : Date.parse(time))
  return {
    deployment: attempt.deployment,
    state: attempt.state,
    failure: attempt.failure?.code ?? null,
    plannedAt: Date.parse(attempt.planned_at),
    submittedAt: at(attempt.submitted_at),
    bootingAt: at(attempt.booting_at),
    runningAt: at(attempt.running_at),
    collectingAt: at(attempt.collecting_at),
    endedAt: at(attempt.ended_at),
    restarts: attempt.restarts,
    closedUntil: null,
    cost: attempt.cost?.amount ?? null,
  }
}

function rowsOf({ deployments, trials }: Comparison): string[][] {
  return deployments.map(({ name, price }) => {
    const measured = measureTrials(trials, name)
    const { samples, won, success, total, costPerSuccess, unpriced, stalls } = measured
    const own = trials.filter(({ deployment }) => deployment === name)
    return [
      name,
      own.length === 0 ? none : `${own.filter(({ status }) => status === 'succeeded').length}/${own.length}`,
      success === null ? none : `${won}/${samples} (${percent(success.low)}-${percent(success.high)} %)`,
      total === null ? none : formatDuration(total.p50),
      total === null ? none : formatDuration(total.p95),
      ...[measured.queue, measured.boot, measured.run, measured.collect].map(stageCell),
      costPerSuccess === null ? none : `${dollars(costPerSuccess)}${unpriced > 0 ? ` (+${unpriced} unknown)` : ''}`,
      price === null ? 'unknown' : `${price.per_second}/s${price.as_of === null ? '' : ` (${price.as_of})`}`,
      own.length === 0 ? none : String(stalls),
    ]
  })
}

function stageCell(spread: Spread | null): string {
  return spread === null ? none : formatDuration(spread.p50)
}

function percent(share: number): number {
  return Math.round(share * 100)
}

function dollars(amount: number): string {
  return String(Number(amount.toPrecision(3)))
}

function wordsOf(recommendation: RecommendationJson | null, indent: string): string {
  if (recommendation === null) return ''
  const { deployment, prefer, reasons, assumptions } = recommendation
  const head =
    deployment === null ? `For ${prefer} nothing can be recommended:` : `Recommended for ${prefer}: ${deployment}`
  const lines = [...reasons, ...assumptions.map(assumption => `Assumed: ${assumption}`)]
  // Markdown wants an empty line before a list.
  return [head, ...(indent === '- ' ? [''] : []), ...lines.map(line => indent + line), ''].join('\n')
}

function toMarkdown(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows.map(row => `| ${row.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`)
  return [head, `|${' --- |'.repeat(headings.length)}`, ...body, ''].join('\n')
}

const stages = ['total', 'queue', 'boot', 'run', 'collect'] as const

function toCsv({ deployments, trials }: Comparison): string {
  const head = [
    ...[
      'deployment',
      'model',
      'trials',
      'succeeded',
      'attempts',
      'attempts_won',
      'success_rate',
      'success_low',
      'success_high',
    ],
    ...stages.flatMap(stage => ['p50', 'p95', 'p99'].map(share => `${stage}_${share}_s`)),
    ...['cost_per_image_usd', 'unpriced_attempts', 'price_per_second_usd', 'price_as_of', 'stalls', 'restarts'],
  ]
  const rows = deployments.map(({ name, model, price }) => {
    const measured = measureTrials(trials, name)
    const { samples, won, success, costPerSuccess, unpriced, stalls, restarts } = measured
    const own = trials.filter(({ deployment }) => deployment === name)
    const times = stages.flatMap(stage => {
      const spread = measured[stage]
      return [spread?.p50, spread?.p95, spread?.p99].map(value => (value === undefined ? null : value / 1000))
    })
    const succeeded = own.filter(({ status }) => status === 'succeeded').length
    return [
      ...[name, model, own.length, succeeded, samples, won, success?.rate, success?.low, success?.high],
      ...times,
      ...[costPerSuccess, unpriced, price?.per_second, price?.as_of, stalls, restarts],
    ]
  })
  return [head, ...rows].map(row => `${row.map(toCell).join(',')}\r\n`).join('')
}

/** RFC 4180. */
function toCell(value: string | number | null | undefined): string {
  const text = value == null ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function toJson({ model, deployments, trials, recommendation }: Comparison): object {
  return {
    model,
    deployments: deployments.map(({ name, provider, kind, price, breaker }) => ({
      ...{ name, provider, kind, price, breaker },
      measured: toMeasuredView(measureTrials(trials, name)),
    })),
    trials,
    recommendation,
  }
}
