import type { Cost } from '../core/prediction.ts'

/** `309,524` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** `17.3 MB`; a megabyte has a million bytes. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(0)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** `0.9 s`, `75 s`, `12 min 5 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1_000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** `309,524 splats, 17.3 MB`; without a count for files in which verification counted nothing. */
export function formatOutput({ bytes, facts }: { bytes: number; facts: Readonly<Record<string, unknown>> }): string {
  const count =
    typeof facts.count === 'number' ? `${formatCount(facts.count)} ${facts.count === 1 ? 'splat' : 'splats'}, ` : ''
  return `${count}${formatBytes(bytes)}`
}

/** `0.0312 USD`, with `estimated` where it comes from a price table. */
export function formatCost({ amount, currency, estimated }: Cost): string {
  return `${amount === 0 ? '0' : amount.toFixed(4)} ${currency}${estimated ? ', estimated' : ''}`
}

/** `2026-11-24 14:05` of an ISO 8601 time, in UTC as that is. */
export function toMinute(time: string): string {
  return time.slice(0, 16).replace('T', ' ')
}

/** `depth 62 %`, `queued`; `fraction` is 0 to 1 or null where nobody knows. */
export function formatProgress(stage: string, fraction: number | null): string {
  return fraction === null ? stage : `${stage} ${Math.floor(fraction * 100)} %`
}

/** Rows as columns, each as wide as its widest cell. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows
    .map(
      row =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
