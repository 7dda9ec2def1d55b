import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test("the Python kits' copy of the list is the list", () => {
  const copy = new URL('../../kits/core/surefoot_kit/failure-codes.json', import.meta.url)
  expect(readFileSync(copy, 'utf8')).toBe(readFileSync(new URL('failure-codes.json', import.meta.url), 'utf8'))
})
