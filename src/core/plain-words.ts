/**
 * Others' words as they may be shown anywhere, a terminal included: control characters and those that turn the direction of
 * text become blanks, and after `longest` characters it ends. Line breaks and tabs stay.
 */
export function toPlainWords(text: string, longest: number): string {
  const plain = text.replace(/(?![\n\t])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, ' ')
  return plain.length > longest ? `${plain.slice(0, longest - 1)}…` : plain
}
