import { expect, test } from 'vitest'
import { checkAgreement } from './test-agreement.ts'

test('every route answers as the OpenAPI document says, to ten thousands of right and wrong requests, and never 500', async () => {
  const { asked, operations } = await checkAgreement(1_500)
  expect(asked).toBeGreaterThanOrEqual(operations * 1_500)
})
