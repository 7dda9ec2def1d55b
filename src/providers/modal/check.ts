import type { Finding, Intent, Io } from '../contract.ts'
import { judgeRunLimit, ok, problem, warning } from '../finding.ts'
import type { ModalFunctionTarget } from './options.ts'
import { findFunction, type StartTools } from './start.ts'
import type { WireFunctionData } from './wire.ts'

/**
 * Looks a function up and judges how it was deployed, as far as Modal tells: the message has a place for it, and that it is
 * filled for functions which are looked up by name is not documented. Fails like `findFunction`.
 */
export async function check(
  target: ModalFunctionTarget,
  tools: Pick<StartTools, 'rpc' | 'environment'>,
  io: Io,
  intent: Intent,
): Promise<readonly Finding[]> {
  const { data } = await findFunction(tools, target, io)
  const name = `${target.app}/${target.function}`
  const where = target.environment ?? tools.environment
  const there = `Modal: there is a function ${name}${where === undefined ? '' : ` in the environment ${where}`}.`
  return [ok('modal-function', there), ...judgeTimeout(data, intent), ...judgeContainers(data)]
}

function judgeTimeout(data: WireFunctionData | undefined, intent: Intent): Finding[] {
  const advice = 'Deploy the function with timeout= as long as the policy lets a run take.'
  const seconds = data?.timeoutSecs
  if (seconds === undefined) {
    const message = 'Modal: how long the function may run is not told; without timeout= it is 300 s.'
    return [ok('modal-timeout', message, advice)]
  }
  const found = judgeRunLimit('modal-timeout', intent, {
    endsAfterMs: seconds * 1000,
    words: 'Modal',
    advice,
  })
  return found.length > 0 ? found : [ok('modal-timeout', `Modal: the function may run for ${seconds} s.`)]
}

function judgeContainers(data: WireFunctionData | undefined): Finding[] {
  const { minContainers: min, maxContainers: max } = data?.autoscalerSettings ?? {}
  if (max === 0)
    return [problem('modal-containers', 'Modal: the function may have no container at all.', 'Raise max_containers.')]
  if (min === undefined || min === 0) return []
  const message = `Modal: ${min} containers are kept and paid for around the clock, which no cost here shows.`
  return [warning('modal-containers', message, 'Lower min_containers to 0, unless nobody may wait for a cold start.')]
}
