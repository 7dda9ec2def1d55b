import { expect, it } from 'vitest'
import {
  createFailure,
  type FailureCode,
  type Fault,
  failureCodes,
  invariant,
  isSureRefusal,
  refuse,
  retryAdvice,
  SurefootError,
} from './failure.ts'

function thrownBy(work: () => void): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
}

it('every code names its fault, a way out, and where trying again may help', () => {
  const faults = new Set(failureCodes.map(code => createFailure(code, '').fault))
  expect(faults).toEqual(new Set(['user', 'model', 'provider', 'config', 'policy', 'surefoot']))
  expect(failureCodes.filter(code => !/^[A-Z].+\.$/.test(createFailure(code, '').advice))).toEqual([])
  expect(failureCodes.filter(code => !['never', 'same', 'other'].includes(retryAdvice(code)))).toEqual([])
})

it('what the user or the policy must change is never tried again, what the configuration must change only elsewhere', () => {
  const advice = failureCodes.map(code => [createFailure(code, '').fault, retryAdvice(code)] as const)
  expect(advice.filter(([fault, retry]) => (fault === 'user' || fault === 'policy') && retry !== 'never')).toEqual([])
  expect(advice.filter(([fault, retry]) => fault === 'config' && retry === 'same')).toEqual([])
})

it('a failure takes fault and advice from the list unless more is known', () => {
  expect(createFailure('stalled', 'No change.')).toEqual({
    code: 'stalled',
    message: 'No change.',
    fault: 'provider',
    advice: "The run stopped making progress and was given up; look at the worker's logs.",
  })
  expect(
    createFailure('rate_limited', 'Slow down.', { fault: 'config', advice: 'Ask for more.', retryAfterMs: 0 }),
  ).toEqual({
    code: 'rate_limited',
    message: 'Slow down.',
    fault: 'config',
    advice: 'Ask for more.',
    retryAfterMs: 0,
  })
})

it('a refusal carries its failure, the status that fits, and what caused it', () => {
  const cause = new Error('disk')
  const error = thrownBy(() => refuse('storage_full', 'No room.', { status: 507, cause }))
  expect(SurefootError.is(error) && [error.failure.code, error.message, error.status, error.cause]).toEqual([
    'storage_full',
    'No room.',
    507,
    cause,
  ])
})

it('an error of another copy of the package is recognised, another error is not', () => {
  const foreign = Object.assign(new Error('x'), { [Symbol.for('surefoot.SurefootError')]: true })
  expect([foreign, new Error('x'), 'x', null, undefined].map(SurefootError.is)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ])
})

it('a broken assumption is reported as a fault of ours', () => {
  const error = thrownBy(() => invariant(false, 'two is odd'))
  expect(SurefootError.is(error) && [error.failure.code, error.failure.fault, error.message]).toEqual([
    'internal',
    'surefoot',
    'Broken invariant: two is odd',
  ])
  expect(thrownBy(() => invariant(true, 'two is even'))).toBeUndefined()
})

const failed = (code: FailureCode, status?: number, fault?: Fault) =>
  new SurefootError(
    createFailure(code, 'x', fault === undefined ? {} : { fault }),
    status === undefined ? {} : { status },
  )

it.each<[string, unknown, boolean]>([
  ['an input that was refused', failed('input_invalid'), true],
  ['a policy that was not kept', failed('budget_exceeded'), true],
  ['a limit of the caller', failed('rate_limited', 429, 'user'), true],
  ['a missing model', failed('deployment_missing', 404), true],
  ['a full disk', failed('storage_full', 507), true],
  ['a database that is away', failed('internal', 503, 'config'), false],
  ['a fault of ours, whatever its status', failed('internal', 409, 'user'), false],
  ['a bucket that is away', failed('provider_unreachable', 503), false],
  ['a provider without a status', failed('provider_unreachable'), false],
  ['any other error', new Error('connection reset'), false],
])('%s says whether nothing was stored, surely', (_, error, isSure) => {
  expect(isSureRefusal(error)).toBe(isSure)
})
