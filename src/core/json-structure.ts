/** How much JSON text may hold before it is parsed. */
export interface JsonLimits {
  /** Arrays and objects inside each other. What is deeper can be read, but never be written again: `JSON.stringify` recurses. */
  readonly depth: number
  /** Values altogether: small ones take a hundred times their bytes in memory. */
  readonly values: number
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c]
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d]

/**
 * Which limit JSON text exceeds; null for none. Counts what opens and separates values outside of strings, and stops at
 * the first that is too many; whether it is JSON at all, a parser finds out.
 */
export function findExcess(
  text: string,
  { depth: mostDepth, values: mostValues }: JsonLimits,
): keyof JsonLimits | null {
  let values = 1
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = endOfString(text, at + 1)
        break
      case openBrace:
      case openBracket:
        values++
        depth++
        if (depth > mostDepth) return 'depth'
        break
      case closeBrace:
      case closeBracket:
        depth--
        break
      case comma:
        values++
        break
    }
    if (values > mostValues) return 'values'
  }
  return null
}

/** Where a string ends that begins at `from`: at the first quote with an even number of backslashes before it. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === backslash) backslashes++
    if (backslashes % 2 === 0) return end
  }
  return text.length
}
