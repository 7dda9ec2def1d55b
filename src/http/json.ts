import { refuse } from '../core/failure.ts'

/** What is large in an honest body is a few data URIs. Two million small values take everything else's time for ten seconds. */
const mostValues = 100_000
/** What is nested deeper could be read, but never be written again: `JSON.stringify` recurses. */
const deepest = 100

/** `JSON.parse` for text from outside: fails with `input_too_large` (413) for too many values, `input_invalid` for too deep a nesting. */
export function parseJson(text: string): unknown {
  checkStructure(text)
  return JSON.parse(text)
}

/** Counts what opens and separates values outside of strings; whether it is JSON at all, the parser finds out. */
function checkStructure(text: string): void {
  let values = 1
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        at = endOfString(text, at + 1)
        break
      case '{':
      case '[':
        values++
        depth++
        if (depth > deepest) refuse('input_invalid', `The JSON is nested deeper than ${deepest} levels.`)
        break
      case '}':
      case ']':
        depth--
        break
      case ',':
        values++
        break
    }
    if (values > mostValues)
      refuse('input_too_large', `The JSON has more than ${mostValues.toLocaleString('en')} values.`)
  }
}

/** Where a string ends that begins at `from`: at the first quote with an even number of backslashes before it. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text[end - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return end
  }
  return text.length
}
