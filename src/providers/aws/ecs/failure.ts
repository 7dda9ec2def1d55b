import { createFailure, type Failure, type FailureCode } from '../../../core/failure.ts'
import { vendorWords } from '../../http.ts'
import { toSentence } from '../../vendor-api.ts'
import type { WireContainer, WireFailure, WireTask } from './wire.ts'

/** Reasons in `failures[]`, which come with 200. Source: the guide's page on API failure reasons. */
const refusals: readonly (readonly [RegExp, FailureCode])[] = [
  [/^(RESOURCE|AGENT\b|CAPACITY|INSUFFICIENT)|capacity is unavailable|no container instance|limit/i, 'no_capacity'],
  [/^(MISSING|INACTIVE|ATTRIBUTE|LOCATION|InvalidParameter|MemberOf)/i, 'deployment_missing'],
]

/** Why `RunTask` placed nothing, for one entry of its `failures[]`. */
export function failureOfPlacement({ reason = '', detail = '' }: WireFailure): Failure {
  const text = vendorWords([reason, detail].filter(each => each !== '').join(': '))
  const code = refusals.find(([pattern]) => pattern.test(text))?.[1] ?? 'provider_error'
  return createFailure(code, toSentence(`Amazon ECS placed no task${text === '' ? '' : `: ${text}`}`))
}

/** Reasons of tasks that never started. Source: the guide's pages on stopped tasks; texts vary, so few words are looked at. */
const starts: readonly (readonly [RegExp, FailureCode])[] = [
  [
    /CannotPull\w*.*(not found|does not exist|manifest|denied|AccessDenied|credentials|authorization)/i,
    'deployment_missing',
  ],
  [/CannotPull/i, 'provider_error'],
  [/secret|ssm|execution role|AccessDenied/i, 'deployment_missing'],
  [/capacity|RESOURCE:|unable to place|no container instance|insufficient/i, 'no_capacity'],
  [/timeout waiting|timed out|did not become|provisioning/i, 'boot_timeout'],
  [/CannotStartContainer|CannotCreateContainer/i, 'deployment_missing'],
]

/** Words of an end that the machine met, not the work. */
const taken = /spot|host .*(terminat|retir)|instance .*(terminat|retir|stopped)|infrastructure/i

/** Why a task that did not succeed was stopped, apart from what its kit says. `main`: the kit's container. */
export function failureOfTask({ stopCode, stoppedReason = '' }: WireTask, main: WireContainer | undefined): Failure {
  const text = vendorWords([stoppedReason, main?.reason ?? ''].filter(each => each !== '').join(' / '))
  const told = text === '' ? '' : `: ${text}`
  const why = (code: FailureCode, what: string) => createFailure(code, toSentence(`Amazon ECS ${what}${told}`))
  if (
    ['SpotInterruption', 'TerminationNotice', 'InfrastructureHealth'].includes(stopCode ?? '') ||
    taken.test(stoppedReason)
  )
    return why('worker_lost', `took the machine away (${stopCode ?? 'no stop code'})`)
  if (stopCode === 'TaskFailedToStart')
    return why(starts.find(([pattern]) => pattern.test(text))?.[1] ?? 'provider_error', 'could not start the task')
  const exitCode = main?.exitCode
  if (exitCode === 137 || /OutOfMemory/i.test(text))
    return why('out_of_memory', 'saw the container killed (exit code 137)')
  if (exitCode === undefined) return why('worker_lost', 'lost sight of the container; it has no exit code')
  return why('model_error', `saw the container end with exit code ${exitCode}`)
}
