import { expect, test } from 'vitest'
import { sharp } from '../models/sharp.ts'
import { judgeServerless } from './judge-serverless.ts'
import { createDeployment, type Differences } from './test-support.ts'

function judged(differences: Differences, { turnMs = 8_000, hasBucket = true } = {}): string[] {
  return judgeServerless(createDeployment(differences), sharp, { turnMs, hasBucket }).map(
    ({ level, code, message }) => `${level} ${code}: ${message}`,
  )
}

test('what a worker uploads passes no request', () => {
  const outputs = 'ok serverless: Its worker uploads the output: however large, it passes no request.'
  expect(judged({ target: { kit: true } })).toEqual([outputs])
})

test('what comes by URL comes in pieces into a bucket, and whole where there is none', () => {
  expect(judged({})[0]).toMatch(
    /^ok serverless: Outputs by URL come in pieces, .* others come whole within one request of 8 seconds: up to some 80\.0 MB\.$/,
  )
  expect(judged({}, { hasBucket: false })).toEqual([
    'ok serverless: Outputs come whole within one request of 8 seconds: up to some 80.0 MB.',
  ])
})

test.each([
  ['than a request has time for', 6_000, { outputForms: ['data'], inlineOutputBytes: null }, '60.0'],
  ['than an answer there carries', 60_000, { outputForms: ['data'], inlineOutputBytes: 7_500_000 }, '7.5'],
  ['by URL than a request has time for', 6_000, { outputForms: ['url'] }, '60.0'],
] as const)('an output that is larger %s is warned of', (_, turnMs, limits, most) => {
  expect(judged({ limits }, { turnMs, hasBucket: false })).toEqual([
    `warning serverless: An output of surefoot/sharp has 66.1 MB, and here it must come whole within one request of ${turnMs / 1_000} seconds: up to some ${most} MB.`,
  ])
})

test('a run that lives on its connection cannot live here', () => {
  expect(judged({ limits: { heldStart: true }, target: { kit: true } })).toEqual([
    'problem serverless: A run there lives on its connection, and here no request lives longer than 8 seconds.',
  ])
})
