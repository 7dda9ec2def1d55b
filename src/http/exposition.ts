import type { Counted, Distribution } from '../core/tally.ts'

/** One metric with all its samples, in OpenMetrics' words. */
export interface Family {
  /** Without `_total`, `_bucket` and the like; ends with the unit where there is one. */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** `seconds`, `bytes`, `usd`, `ratio`. Default: a count of things. */
  readonly unit?: string
  readonly help: string
  readonly samples: readonly (Counted | Distribution)[]
}

/** A way of writing metrics as text. */
export interface Exposition {
  readonly mediaType: string
  write(families: readonly Family[]): string
}

/** https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md (1.0) */
export const openMetrics: Exposition = {
  mediaType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  write: families => `${families.map(family => toText(family, true)).join('')}# EOF\n`,
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4): counters are known by their whole name. */
export const prometheusText: Exposition = {
  mediaType: 'text/plain; version=0.0.4; charset=utf-8',
  write: families => families.map(family => toText(family, false)).join(''),
}

/** OpenMetrics where the `Accept` header asks for it at least as much as for plain text, else Prometheus' text. */
export function chooseExposition(accept: string | undefined): Exposition {
  const wishes = (accept ?? '').split(',').map(toWish)
  const wanted = (type: string) => Math.max(0, ...wishes.map(wish => (wish.type === type ? wish.weight : 0)))
  const wish = wanted('application/openmetrics-text')
  return wish > 0 && wish >= wanted('text/plain') ? openMetrics : prometheusText
}

function toWish(entry: string): { readonly type: string; readonly weight: number } {
  const [type = '', ...parameters] = entry.split(';').map(part => part.trim().toLowerCase())
  const value = (name: string) => parameters.find(part => part.startsWith(`${name}=`))?.slice(name.length + 1)
  const weight = Number(value('q') ?? 1)
  const version = value('version')
  // Older OpenMetrics is another format; which plain text is meant does not matter.
  if (type === 'application/openmetrics-text' && version !== undefined && version !== '1.0.0')
    return { type, weight: 0 }
  return { type, weight: Number.isNaN(weight) ? 0 : weight }
}

function toText(family: Family, isOpenMetrics: boolean): string {
  const { type, unit, help } = family
  const name = isOpenMetrics ? family.name : `${family.name}${suffixOf(type)}`
  const lines = [
    `# TYPE ${name} ${type}`,
    ...(isOpenMetrics && unit !== undefined ? [`# UNIT ${name} ${unit}`] : []),
    `# HELP ${name} ${isOpenMetrics ? escapeText(help) : help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    ...family.samples.flatMap(sample => toLines(family, sample)),
  ]
  return `${lines.join('\n')}\n`
}

function toLines({ name, type }: Family, sample: Counted | Distribution): string[] {
  if ('value' in sample) return [`${name}${suffixOf(type)}${toLabels(sample.labels)} ${toNumber(sample.value)}`]
  const { labels, buckets, count, sum } = sample
  return [
    ...[...buckets, { most: Number.POSITIVE_INFINITY, count }].map(
      bucket => `${name}_bucket${toLabels({ ...labels, le: toBound(bucket.most) })} ${bucket.count}`,
    ),
    `${name}_count${toLabels(labels)} ${count}`,
    `${name}_sum${toLabels(labels)} ${toNumber(sum)}`,
  ]
}

function suffixOf(type: Family['type']): string {
  return type === 'counter' ? '_total' : ''
}

function toLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeText(value.toWellFormed())}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** Bounds are labels, compared as text: whole ones are written as `1.0`, as Go does. */
function toBound(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : toNumber(bound)
}

function toNumber(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}
