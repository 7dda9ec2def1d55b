import type { MouseEvent } from 'react'

/** Clicks with a modifier belong to the browser: a new tab, a download. */
export function isPlainClick(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
}
