import { describe, expect, test } from 'vitest'
import { SurefootError } from '../core/failure.ts'
import { parseJson } from './json.ts'

function codeOf(text: string): string {
  try {
    parseJson(text)
    return 'parsed'
  } catch (error) {
    return SurefootError.is(error) ? error.failure.code : String(error instanceof SyntaxError && 'syntax')
  }
}

describe('parseJson', () => {
  test.each<[string, unknown]>([
    ['plain values', { a: [1, 'b', null, { c: true }] }],
    ['structure inside strings', { '[{,': '"\\"[[[[,,,,', b: '\\' }],
    ['a large string', { image: 'x'.repeat(5_000_000) }],
    ['a string of separators', ','.repeat(200_000)],
    ['a hundred levels', JSON.parse('['.repeat(100) + ']'.repeat(100))],
    ['a hundred thousand values', Array(99_999).fill(0)],
  ])('reads %s as JSON.parse does', (_, value) => {
    expect(parseJson(JSON.stringify(value))).toEqual(value)
  })

  test.each([
    ['one level more', '['.repeat(101) + ']'.repeat(101), 'input_invalid'],
    ['a million levels', '{"a":'.repeat(1_000_000), 'input_invalid'],
    ['one value more', JSON.stringify(Array(100_000).fill(0)), 'input_too_large'],
    ['many empty objects', JSON.stringify(Array(100_000).fill({})), 'input_too_large'],
    ['what is no JSON', '{"a":', 'syntax'],
    ['a string without an end', '"\\"', 'syntax'],
  ])('refuses %s', (_, text, code) => {
    expect(codeOf(text)).toBe(code)
  })
})
