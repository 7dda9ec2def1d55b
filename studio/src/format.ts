import type { Prediction, Status } from './api.ts'

/** `0:07`, `12:30`, `1:02:03`. Negative spans (two clocks that differ) read as zero. */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const two = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** `840 ms`, `3.2 s`, `48 s`, `4 min 5 s`: how long something took. */
export function formatSpan(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** Decimal units, as download dialogs show them: `812 B`, `66.1 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = bytes / 1000
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${value < 99.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

export function formatCount(count: number): string {
  return count.toLocaleString('en')
}

export function formatPercent(fraction: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, fraction)) * 100)} %`
}

/** `$0.0124`; `about` when it comes from a price table. */
export function formatCost(cost: { amount: number; currency: string; estimated: boolean }): string {
  const digits = cost.amount < 1 ? 4 : 2
  const amount = cost.amount.toLocaleString('en', {
    style: 'currency',
    currency: cost.currency,
    minimumFractionDigits: 2,
    maximumFractionDigits: digits,
  })
  return cost.estimated ? `about ${amount}` : amount
}

/** `$0`, `$0.00047`, `$1.25`: amounts far below a cent keep three figures. */
export function formatMoney(dollars: number): string {
  if (dollars === 0) return '$0'
  return dollars < 0.01 ? `$${Number(dollars.toPrecision(3))}` : `$${Number(dollars.toFixed(dollars < 1 ? 3 : 2))}`
}

/** `just now`, `5 min ago`, `3 h ago`, then the date. */
export function formatAgo(at: number, now: number): string {
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`
  return new Date(at).toLocaleDateString('en', { day: 'numeric', month: 'short', year: 'numeric' })
}

const statusWords: Record<Status, string> = {
  starting: 'Waiting to start',
  processing: 'Working',
  succeeded: 'Ready',
  failed: 'Failed',
  canceled: 'Canceled',
  aborted: 'Canceled before it started',
}

export function formatStatus(status: Status): string {
  return statusWords[status] ?? status
}

/** Stages that Surefoot and its own engines name. */
const stageWords: Record<string, string> = {
  queued: 'In the queue',
  booting: 'Starting a worker',
  running: 'Working',
  collect: 'Fetching the result',
  decode: 'Reading the photo',
  depth: 'Estimating depth',
  layers: 'Placing splats',
  write: 'Writing the scene',
}

/** Where the work is, as the server says it; without a stage of its own, the status in words. */
export function formatStage(prediction: Prediction): string {
  const stage = prediction.surefoot.progress?.stage
  if (!stage) return formatStatus(prediction.status)
  return stageWords[stage] ?? capitalize(stage.replaceAll(/[_-]+/g, ' '))
}

/** Messages of the API begin with a field's name; on a page they are sentences. */
export function capitalize(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const faultWords: Record<string, string> = {
  user: 'The cause is in what was sent.',
  model: 'The cause is in the model.',
  provider: 'The cause is at the provider that ran it.',
  config: 'The cause is in how this gateway is set up.',
  policy: 'A limit of this gateway was reached.',
  surefoot: 'The cause is in Surefoot itself.',
}

/** Whose fault a failure is, as a sentence. */
export function formatFault(fault: string): string {
  return faultWords[fault] ?? ''
}

/** File name at the end of an address, decoded; `photo` where there is none. */
export function fileName(address: string | null): string {
  if (!address || address.startsWith('data:') || address.startsWith('blob:')) return 'photo'
  const last = address.split(/[?#]/, 1)[0]?.split('/').pop() ?? ''
  try {
    return decodeURIComponent(last) || 'photo'
  } catch {
    return last || 'photo'
  }
}
