import { createFailure, SurefootError } from '../core/failure.ts'

/** Ends with one sentence about the config; whoever wrote it has to act. */
export function refuseConfig(message: string, cause?: unknown): never {
  const failure = createFailure('input_invalid', message, {
    fault: 'config',
    advice: 'Correct surefoot.config.ts or the environment variable and start again.',
  })
  throw new SurefootError(failure, cause === undefined ? {} : { cause })
}

/** `"sharp"; there are: relief, sharp` for a name that is not among the names; the nearest one first, as a question. */
export function suggest(name: string, names: readonly string[]): string {
  return `${guess(name, names)} There are: ${names.join(', ') || 'none'}.`
}

/** ` Did you mean "sharp"?`; empty where no name is near. */
export function guess(name: string, names: readonly string[]): string {
  const nearest = names
    .map(candidate => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(2, Math.floor(name.length / 3)))
    .toSorted((a, b) => a.distance - b.distance)[0]?.candidate
  return nearest === undefined ? '' : ` Did you mean "${nearest}"?`
}

/** Insertions, deletions and replacements between two short words. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}
