import { createFailure, SurefootError } from './failure.ts'
import { noLimits, type TokenLimits } from './token.ts'

/** Most bytes that one file of a caller may have: what is taken at all, or less where one of its own limits is. */
export function mostBytesOf({ fileBytes, storedBytes }: TokenLimits = noLimits, most: number): number {
  return Math.min(most, fileBytes ?? most, storedBytes ?? most)
}

/** Ends as `input_too_large` (413): the file is larger than its owner may upload. */
export function refuseLarge(most: number): never {
  throw new SurefootError(createFailure('input_too_large', `A file may have ${inWords(most)} at most.`), {
    status: 413,
  })
}

/** Ends as `rate_limited` (429): there is no room for one more file among what its owner may keep. */
export function refuseFull(storedBytes: number): never {
  const message = `This caller may keep ${inWords(storedBytes)} of files at once, and has no room for this one.`
  const advice = 'Delete files that are not needed any more.'
  throw new SurefootError(createFailure('rate_limited', message, { fault: 'user', advice }), { status: 429 })
}

function inWords(bytes: number): string {
  return `${bytes.toLocaleString('en')} bytes`
}
