import { expect, test } from 'vitest'
import { z } from 'zod'
import { wordsOfIssue } from './issue-words.ts'

test.each<[z.ZodType, unknown, string]>([
  [z.string(), undefined, 'is missing'],
  [z.record(z.string(), z.unknown()), undefined, 'is missing'],
  [z.record(z.string(), z.unknown()), 'x', 'must be an object'],
  [z.strictObject({}), [], 'must be an object'],
  [z.string(), 5, 'must be a text'],
  [z.number(), '5', 'must be a number'],
  [z.int(), 1.5, 'must be a whole number'],
  [z.boolean(), 'yes', 'must be true or false'],
  [z.array(z.string()), 'x', 'must be a list'],
  [z.number().max(1000), 1001, 'must be at most 1000'],
  [z.number().min(1), 0, 'must be at least 1'],
  [z.int().positive(), 0, 'must be more than 0'],
  [z.number().lt(5), 5, 'must be less than 5'],
  [z.string({ error: 'names nobody' }), 5, 'names nobody'],
  [z.number().max(3, 'is past the end'), 4, 'is past the end'],
])('%#: a value that does not fit is told in words', (schema, value, words) => {
  expect(wordsOfIssue(schema.safeParse(value).error?.issues[0])).toBe(words)
})

test('what has no words keeps those of the schema', () => {
  const issue = z.enum(['a', 'b']).safeParse('c').error?.issues[0]
  expect(wordsOfIssue(issue)).toBe(issue?.message)
  expect(wordsOfIssue(undefined)).toBe('does not fit')
})
