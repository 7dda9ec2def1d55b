import type { Progress } from '../core/prediction.ts'

/** A tqdm bar: an optional name, a percentage, the bar, and where given how many of how many. */
const bar = /^\s*(?:([^|%]{1,80}?):\s+)?(\d{1,3})%\s*\|[^|]*\|(?:\s*(\d+)\/(\d+))?/

/** The last progress bar in a model's logs, searched from the end; null without one. */
export function progressOf(logs: string): Progress | null {
  // Bars redraw themselves with carriage returns; a long log need not be read whole for its last line.
  const lines = logs.slice(-64_000).split(/[\r\n]+/)
  for (let index = lines.length - 1; index >= 0; index--) {
    const match = bar.exec((lines[index] ?? '').slice(0, 400))
    if (match === null) continue
    const [, name, percent, done, total] = match
    const exact = Number(total) > 0 ? Number(done) / Number(total) : Number(percent) / 100
    return { stage: name?.trim() ?? null, fraction: Math.min(1, exact) }
  }
  return null
}
