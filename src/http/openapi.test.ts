import { expect, test } from 'vitest'
import { checkAgreement } from './test-agreement.ts'

test('every route answers as the OpenAPI document says, to right and to wrong requests, and never 500', async () => {
  const { asked, operations } = await checkAgreement(60)
  expect(asked).toBeGreaterThanOrEqual(operations * 40)
})
