/**
 * A file's name from outside as it is kept: its last 100 characters, because types are told by the end, without anything
 * that a path, a link, a header, a database or a terminal could trip over; `file` where nothing is left. Half a surrogate
 * pair is such a thing: it has no form in a URL, and one prediction with it would take the whole list along.
 */
export function toFileName(text: string): string {
  const name = text
    .normalize()
    // Control and format characters (bidirectional overrides among them), separators, and what Windows refuses.
    .replace(/[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|]/gu, '_')
  return (
    [...name]
      .slice(-100)
      .join('')
      .replace(/^[.\s]+|[.\s]+$/g, '') || 'file'
  )
}
