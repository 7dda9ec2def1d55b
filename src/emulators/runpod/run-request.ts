import type { JobRequest } from './job.ts'

const day = 24 * 60 * 60_000

/** What a `/run` or `/runsync` body asks for, or why it is refused. Bounds and defaults: the vendor's page on sending requests. */
export function parseRun(text: string): JobRequest | { readonly refused: string } {
  const body = parse(text)
  if (!isObject(body)) return { refused: 'json is invalid' }
  if (!isObject(body.input)) return { refused: 'input is required and must be an object' }
  const webhook = body.webhook ?? null
  if (webhook !== null && !(typeof webhook === 'string' && URL.canParse(webhook)))
    return { refused: 'webhook must be a URL' }
  const policy = body.policy ?? {}
  if (!isObject(policy)) return { refused: 'policy must be an object' }
  const { executionTimeout = 600_000, ttl = day, lowPriority = false } = policy
  if (!isWithin(executionTimeout, 5_000)) return { refused: 'policy.executionTimeout must be 5 s to 7 days in ms' }
  if (!isWithin(ttl, 10_000)) return { refused: 'policy.ttl must be 10 s to 7 days in ms' }
  return {
    input: body.input,
    webhook,
    executionTimeoutMs: executionTimeout,
    ttlMs: ttl,
    lowPriority: lowPriority === true,
  }
}

function isWithin(value: unknown, min: number): value is number {
  return typeof value === 'number' && value >= min && value <= 7 * day
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
