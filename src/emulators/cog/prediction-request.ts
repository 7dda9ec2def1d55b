import { invalid } from './answers.ts'
import type { RunRequest } from './run.ts'

/** What a body asks for, or the answer that refuses it. A missing body and a missing input count as `{}`. */
export function parsePrediction(text: string, pathId: string | null): RunRequest | Response {
  const body = text === '' ? {} : parse(text)
  if (!isObject(body)) return invalid(['body'], 'Input should be a valid dictionary')
  const input = body.input ?? {}
  if (!isObject(input)) return invalid(['body', 'input'], 'Input should be a valid dictionary')
  const id = body.id ?? pathId
  if (id !== null && typeof id !== 'string') return invalid(['body', 'id'], 'Input should be a valid string')
  if (pathId !== null && id !== pathId)
    return invalid(['body', 'id'], 'prediction ID must match the ID supplied in the URL')
  const webhook = body.webhook ?? null
  if (webhook !== null && !(typeof webhook === 'string' && URL.canParse(webhook)))
    return invalid(['body', 'webhook'], 'Input should be a valid URL')
  const events = body.webhook_events_filter ?? null
  if (events !== null && !isStrings(events)) return invalid(['body', 'webhook_events_filter'], 'Input should be a list')
  return { id, input, webhook, events }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(each => typeof each === 'string')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
