import { expect, it } from 'vitest'
import { localPolicy } from './policy.ts'

it.each(['unknownMs', 'bootMs', 'stallMs', 'lastStageMs'] as const)(
  'leaves time for a third attempt on this machine when two in turn have used up their %s',
  limit => {
    expect(2 * localPolicy[limit]).toBeLessThanOrEqual(localPolicy.deadlineMs / 2)
  },
)
