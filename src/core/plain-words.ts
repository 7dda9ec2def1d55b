/**
 * JSON on one line without any character that could move a cursor, end a line or turn the direction of text: what JSON
 * leaves as it is (DEL, C1, line and paragraph separators, bidirectional marks) is escaped. It reads back as the same.
 */
export function toPlainJson(value: unknown): string {
  return (JSON.stringify(value) ?? 'null').replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * Others' words as they may be shown anywhere, a terminal included: control characters and those that turn the direction of
 * text become blanks, and after `longest` characters it ends. Line breaks and tabs stay.
 */
export function toPlainWords(text: string, longest: number): string {
  const plain = text.replace(/(?![\n\t])\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, ' ')
  return plain.length > longest ? `${plain.slice(0, longest - 1)}…` : plain
}
