import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { rules } from './mutations/index.ts'

const root = join(import.meta.dirname, '..')
const all = rules.flatMap(({ number, mutations }) => mutations.map(mutation => ({ rule: number, ...mutation })))

it('there are several ways to break each of the eight rules', () => {
  expect(rules.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  for (const { mutations } of rules) expect(mutations.length).toBeGreaterThan(2)
})

it.each(all)('rule $rule: what $file says is there to be changed: $find', ({ file, find, replace }) => {
  const text = readFileSync(join(root, file), 'utf8')
  expect(text.split(find)).toHaveLength(2)
  expect(replace).not.toBe(find)
})
