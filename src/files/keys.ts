import { refuse } from '../core/failure.ts'

/** Longest key, in characters; S3 takes 1,024. */
const longestKey = 512
/** Longest segment: what a file name may have on common file systems. */
const longestSegment = 255

/**
 * Refuses (`input_invalid`) whatever is not a key of the file store: segments of `[A-Za-z0-9._-]` joined by `/`. That leaves
 * no room for absolute paths, drive letters, backslashes, NUL or empty segments; `.` and `..` are refused by name.
 */
export function checkKey(key: string): void {
  const fine =
    key.length <= longestKey &&
    /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(key) &&
    key.split('/').every(segment => segment !== '.' && segment !== '..' && segment.length <= longestSegment)
  if (!fine) refuse('input_invalid', `Not a key of the file store: ${JSON.stringify(key.slice(0, 100))}.`)
}
