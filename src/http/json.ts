import { refuse } from '../core/failure.ts'
import { findExcess, type JsonLimits } from '../core/json-structure.ts'

/** What is large in an honest body is a few data URIs. Two million small values take everything else's time for ten seconds. */
const limits: JsonLimits = { depth: 100, values: 100_000 }

/** `JSON.parse` for text from outside: fails with `input_too_large` (413) for too many values, `input_invalid` for too deep a nesting. */
export function parseJson(text: string): unknown {
  const excess = findExcess(text, limits)
  if (excess === 'depth') refuse('input_invalid', `The JSON is nested deeper than ${limits.depth} levels.`)
  if (excess === 'values')
    refuse('input_too_large', `The JSON has more than ${limits.values.toLocaleString('en')} values.`)
  return JSON.parse(text)
}
