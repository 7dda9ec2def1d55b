/** What a caller asks for beside the model. */
export interface RunRequest {
  readonly input: { readonly [field: string]: unknown }
  readonly webhook: string | null
  /** 0 is the highest. */
  readonly priority: number
  /** It is dropped when no replica took it within this time. */
  readonly queueMs: number
  /** Executions after which a failure is final. */
  readonly maxAttempts: number
  readonly initialDelayMs: number
  readonly maxDelayMs: number
}

/** What an `async_predict` body asks for, or why it is refused. Bounds and defaults: the vendor's OpenAPI file. */
export function parseRequest(text: string): RunRequest | { readonly refused: string } {
  const body = parseObject(text)
  if (body === null) return { refused: 'request body must be valid JSON' }
  const { model_input: input, webhook_endpoint: webhook = null, priority = 0 } = body
  const { max_time_in_queue_seconds: queueSeconds = 600, inference_retry_config: retry = {} } = body
  if (!isObject(input)) return { refused: 'model_input is required' }
  if (webhook !== null && !isWebhook(webhook)) return { refused: 'webhook_endpoint must be an https URL' }
  if (!isWithin(priority, 0, 2)) return { refused: 'priority must be 0 to 2' }
  if (!isWithin(queueSeconds, 10, 259_200)) return { refused: 'max_time_in_queue_seconds must be 10 to 259200' }
  if (!isObject(retry)) return { refused: 'inference_retry_config must be an object' }
  const { max_attempts: maxAttempts = 3, initial_delay_ms: initial = 1_000, max_delay_ms: max = 5_000 } = retry
  if (!isWithin(maxAttempts, 1, 10) || !isWithin(initial, 0, 10_000) || !isWithin(max, 0, 60_000))
    return { refused: 'inference_retry_config is out of bounds' }
  return {
    input,
    webhook,
    priority,
    queueMs: queueSeconds * 1000,
    maxAttempts,
    initialDelayMs: initial,
    maxDelayMs: max,
  }
}

/** What a `predict` body asks for: the body is the input, and nothing is tried again for its caller. */
export function parsePredict(text: string): RunRequest | { readonly refused: string } {
  const input = parseObject(text)
  if (input === null) return { refused: 'request body must be valid JSON' }
  const none = { webhook: null, priority: 0, maxAttempts: 1, initialDelayMs: 0, maxDelayMs: 0 }
  return { input, queueMs: Infinity, ...none }
}

function isWebhook(value: unknown): value is string {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, hostname } = new URL(value)
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
}

function isWithin(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && Number(value) >= min && Number(value) <= max
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
