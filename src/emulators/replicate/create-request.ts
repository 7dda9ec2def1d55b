import type { EventName } from './run.ts'

/** What a create request asks for, or why it is refused. */
export type CreateRequest =
  | {
      readonly ok: true
      readonly input: { readonly [field: string]: unknown }
      readonly model: string
      readonly version: string
      readonly webhook: string | null
      readonly events: readonly EventName[] | null
      /** From `Prefer: wait`; null answers at once. */
      readonly waitMs: number | null
      /** From `Cancel-After`. */
      readonly cancelAfterMs: number | null
    }
  | { readonly ok: false; readonly status: number; readonly detail: string; readonly title?: string }

const allowed = ['version', 'input', 'webhook', 'webhook_events_filter', 'stream']
const events = ['start', 'output', 'logs', 'completed']
const waitPattern = /^wait(?:=([1-9]|[1-5][0-9]|60))?$/

/** Checks a create request as the vendor's published schema does: no unknown keys, an object as input, https webhooks. */
export function parseCreate(
  body: unknown,
  headers: Headers,
  named: { model: string; version: string } | null,
): CreateRequest {
  if (!isObject(body)) return invalid('The request body must be a JSON object.')
  const stray = Object.keys(body).find(key => !allowed.includes(key))
  if (stray !== undefined) return invalid(`- Additional property ${stray} is not allowed`)
  if (!isObject(body.input)) return invalid('- input: must be an object')

  const target = named ?? versionOf(body.version)
  if (target === null)
    return {
      ok: false,
      status: 422,
      title: 'Invalid version or not permitted',
      detail: 'Invalid version or not permitted',
    }

  const webhook = body.webhook ?? null
  if (webhook !== null && !isWebhook(webhook)) return invalid('- webhook: must be an HTTPS URL')
  const filter = body.webhook_events_filter ?? null
  if (filter !== null && !(Array.isArray(filter) && filter.every(each => events.includes(each))))
    return invalid(`- webhook_events_filter: must be a list of ${events.join(', ')}`)

  const prefer = headers.get('prefer')
  const wait = prefer === null ? null : waitPattern.exec(prefer)
  if (prefer !== null && wait === null) return invalid('- Prefer: must be wait or wait=n with n from 1 to 60')
  const cancelAfter = headers.get('cancel-after')
  const cancelAfterMs = cancelAfter === null ? null : parseDuration(cancelAfter)
  if (cancelAfter !== null && cancelAfterMs === null) return invalid('- Cancel-After: is not a duration')

  return {
    ok: true,
    ...target,
    input: body.input,
    webhook,
    events: filter,
    waitMs: wait == null ? null : Number(wait[1] ?? 60) * 1000,
    cancelAfterMs,
  }
}

/** `1m`, `90s`, `1h30m`; plain numbers are seconds. The vendor shows only whole minutes; the rest is lenience. */
export function parseDuration(text: string): number | null {
  const match = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text.trim())
  if (match === null || text.trim() === '') return null
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map(part => Number(part ?? 0))
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
}

function versionOf(version: unknown): { model: string; version: string } | null {
  const match = /^(?:([\w.-]+\/[\w.-]+))?(?::?([0-9a-f]{64}))?$/.exec(typeof version === 'string' ? version : '')
  const [, model, hex] = match ?? []
  if (model === undefined && hex === undefined) return null
  return { model: model ?? 'emulated/model', version: hex ?? 'hidden' }
}

/** The vendor takes https only; on this machine http is let through, so that an app can be built offline. */
function isWebhook(url: unknown): url is string {
  if (typeof url !== 'string' || !URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(detail: string): CreateRequest {
  return { ok: false, status: 422, title: 'Input validation failed', detail }
}
