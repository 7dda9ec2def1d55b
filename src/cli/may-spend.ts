import { refuse } from '../core/failure.ts'
import type { Io } from './io.ts'

/** Asks whether to spend what was just said; `--yes` answers. Fails with `budget_exceeded` where nobody can be asked. */
export async function maySpend(io: Io, yes: boolean): Promise<boolean> {
  if (yes) return true
  if (io.confirm !== undefined) return await io.confirm('Go on?')
  return refuse('budget_exceeded', 'Nobody can be asked whether to spend money.', { advice: 'Use --yes.' })
}
