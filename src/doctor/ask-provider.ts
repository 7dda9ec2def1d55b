import { SurefootError } from '../core/failure.ts'
import type { Deployment } from '../engine/contract.ts'
import type { Finding, Health, Intent, Io, Marker } from '../providers/contract.ts'
import { ok, problem, warning } from './finding.ts'

/** Nobody at a terminal waits longer for one answer. */
const mostPatienceMs = 20_000

/** What asking takes. */
export interface AskOptions {
  readonly fetch: typeof globalThis.fetch
  readonly now: number
  /** Of no run at all: a provider that is searched for it finds nothing. */
  readonly marker: Marker
  readonly intent: Intent
}

/**
 * Asks a deployment's provider whether it is there, takes our credentials and knows the target, by whatever harmless
 * questions it has: `check`, else a search for a run that never was, and `health`. Starts nothing; never throws.
 */
export async function askProvider({ provider, target }: Deployment, options: AskOptions): Promise<Finding[]> {
  const { fetch, now, marker, intent } = options
  const { thisHostOnly, callTimeoutMs } = provider.limits
  const findings: Finding[] = []
  // A program of this machine that loads its libraries is slower than any call; and searching would leave a folder behind.
  const patienceMs = thisHostOnly ? mostPatienceMs : Math.min(callTimeoutMs, mostPatienceMs)
  const io = (): Io => ({ fetch, signal: AbortSignal.timeout(patienceMs) })
  const search = async (): Promise<Finding[]> => {
    await provider.find?.(marker, now, io())
    return [ok('searched', 'It can be searched for runs: the credentials are accepted.')]
  }
  const questions: (() => Promise<readonly Finding[]>)[] = []
  if (provider.check !== undefined) questions.push(async () => (await provider.check?.(target, io(), intent)) ?? [])
  else if (provider.find !== undefined && !thisHostOnly) questions.push(search)
  const { health } = provider
  if (health !== undefined && !thisHostOnly) questions.push(async () => [judgeHealth(await health(target, io()))])
  for (const ask of questions) {
    const found = await ask().catch((error: unknown) => [judgeError(error)])
    // A key that is refused is refused every time.
    findings.push(...found.filter(each => !findings.some(({ message }) => message === each.message)))
  }
  if (thisHostOnly) return findings
  if (findings.length > 0) return findings
  return [warning('not-asked', 'It can be asked nothing without a run.', 'Use --probe to run a photo there.')]
}

function judgeHealth({ state, message }: Health): Finding {
  switch (state) {
    case 'ok':
      return ok('health', message)
    case 'queueing':
      return warning('health', message, 'Wait, or let it have more workers.')
    case 'unknown':
      return warning('health', message, 'Use --probe to run a photo there.')
    case 'crash-loop':
    case 'no-workers':
      return problem('health', message, "Mend it at the provider: its workers' logs say why.")
  }
}

function judgeError(error: unknown): Finding {
  if (!SurefootError.is(error))
    return problem('refused', `It could not be asked: ${String(error)}.`, 'Please report this.')
  const { code, message, advice } = error.failure
  return code === 'rate_limited' ? warning('refused', message, advice) : problem('refused', message, advice)
}
