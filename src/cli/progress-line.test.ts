import { expect, test } from 'vitest'
import type { PredictionJson } from '../http/shapes.ts'
import { createProgressLine } from './progress-line.ts'

function setup(isTTY: boolean) {
  const written: string[] = []
  return { written, line: createProgressLine({ isTTY, write: text => written.push(text) }) }
}

/** As much of a prediction as the line looks at. */
function at(stage: string | null, fraction: number | null): PredictionJson {
  const progress = stage === null ? null : { stage, fraction }
  return { status: 'processing', surefoot: { progress, deployment: 'relief@local' } } as PredictionJson
}

test('elsewhere than on a terminal it writes a line for each stage and each quarter', () => {
  const { written, line } = setup(false)
  for (const [stage, fraction] of [
    [null, null],
    ['depth', 0.1],
    ['depth', 0.3],
    ['depth', 0.4],
    ['write', null],
  ] as const)
    line.show(at(stage, fraction))
  line.end()
  expect(written).toEqual([
    'relief@local: processing\n',
    'relief@local: depth 10 %\n',
    'relief@local: depth 40 %\n',
    'relief@local: write\n',
  ])
})

test('on a terminal it rewrites one line, and clears it at the end', () => {
  const { written, line } = setup(true)
  line.show(at('depth', 0.5))
  line.end()
  const clear = '\r\u001b[2K'
  expect(written).toEqual([expect.stringMatching(/relief@local: depth 50 % {2}0\.\d s$/), clear])
  expect(written[0]?.startsWith(clear)).toBe(true)
})
