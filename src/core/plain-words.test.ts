import { expect, it } from 'vitest'
import { createFailure } from './failure.ts'
import { toPlainJson, toPlainWords } from './plain-words.ts'

it.each([
  ['Zürich: 90 % 😀', 'Zürich: 90 % 😀'],
  ['two\nlines\tand a tab', 'two\nlines\tand a tab'],
  ['\u001b[2Jcleared\u0007', ' [2Jcleared '],
  ['\u009b31mred', ' 31mred'],
  ['over\r\u0000written', 'over  written'],
  ['photo\u202egpj', 'photo gpj'],
  ['x'.repeat(21), `${'x'.repeat(19)}…`],
])('shows %j as %j', (text, plain) => {
  expect(toPlainWords(text, 20)).toBe(plain)
})

it('is what failures are said in', () => {
  expect(createFailure('model_error', '\u001b]0;owned\u0007').message).toBe(' ]0;owned ')
  expect(createFailure('model_error', 'x'.repeat(5_000)).message).toHaveLength(2_000)
})

it('writes JSON that moves no cursor and ends no line, and reads back as it was', () => {
  const every = String.fromCharCode(...Array.from({ length: 0x2100 }, (_, code) => code))
  const text = toPlainJson({ every, [every]: [every] })
  expect(text).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u200e\u200f]/u)
  expect(JSON.parse(text)).toEqual({ every, [every]: [every] })
  expect(toPlainJson(undefined)).toBe('null')
})
