import { createFailure, SurefootError } from '../core/failure.ts'

/** Refuses for no place in particular: of what is written in code. */
const anyPlace = 'Correct the config or the environment variable and start again.'

/** Ends with one sentence about the config; whoever wrote it has to act. */
export function refuseConfig(message: string, cause?: unknown): never {
  const failure = createFailure('input_invalid', message, { fault: 'config', advice: anyPlace })
  throw new SurefootError(failure, cause === undefined ? {} : { cause })
}

/** What `work` answers; where it refuses the config, the advice names what is to be corrected. */
export async function correcting<T>(place: string, work: () => T): Promise<Awaited<T>> {
  try {
    return await work()
  } catch (error) {
    if (!SurefootError.is(error) || error.failure.advice !== anyPlace) throw error
    const failure = { ...error.failure, advice: `Correct ${place} and start again.` }
    throw new SurefootError(failure, { cause: error.cause })
  }
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
