/** Nobody is asked to wait longer than this: a nonsensical value must not close a deployment for days. */
export const longestRetryAfterMs: number = 60 * 60_000

/** Characters of a body that are looked through: whoever asks to wait says so in the first lines. */
const mostRead = 10_000

/**
 * How long a vendor asks us to wait, in milliseconds, or undefined when it does not say. Reads whole seconds, fractions
 * and HTTP dates from `Retry-After`, then `retry_after` (seconds) and "resets in ~5s" from the body. A date is compared
 * with the answer's own `Date` header, so that no clock of ours is involved; without one it says nothing.
 */
export function retryAfterMs(headers: Headers, body: string = ''): number | undefined {
  return bounded(fromHeader(headers) ?? fromBody(body.slice(0, mostRead)))
}

function fromHeader(headers: Headers): number | undefined {
  const value = headers.get('retry-after')?.trim()
  if (value === undefined || value === '') return undefined
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000
  const then = Date.parse(value)
  const now = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(then - now) ? undefined : then - now
}

function fromBody(body: string): number | undefined {
  const field = /"retry_after"\s*:\s*"?(\d+(?:\.\d+)?)/.exec(body)
  if (field?.[1] !== undefined) return Number(field[1]) * 1000
  const hint =
    /(?:resets?|retry|try again)\s+(?:in|after)\s+(?:~\s*)?(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|sec|m|min)/i.exec(body)
  if (hint?.[1] === undefined || hint[2] === undefined) return undefined
  const unit = hint[2].toLowerCase()
  const factor = unit.startsWith('ms') || unit.startsWith('mil') ? 1 : unit.startsWith('m') ? 60_000 : 1000
  return Number(hint[1]) * factor
}

function bounded(ms: number | undefined): number | undefined {
  if (ms === undefined) return undefined
  return Math.min(Math.max(0, Math.ceil(ms)), longestRetryAfterMs)
}
