import { expect, it } from 'vitest'
import type { LogFormat } from '../config/log-level.ts'
import { createLog } from './log.ts'

function written(isTTY: boolean, format?: LogFormat): string {
  const lines: string[] = []
  const log = createLog({ isTTY, write: text => lines.push(text) }, 'warn', format)
  log('info', 'Not this.')
  log('warn', 'An attempt failed.', { prediction: 'p1', code: 'stalled' })
  return lines.join('')
}

const text = 'warn: An attempt failed. prediction="p1" code="stalled"\n'
const json =
  /^\{"time":"[\d-]+T[\d:.]+Z","level":"warn","message":"An attempt failed\.","prediction":"p1","code":"stalled"\}\n$/

it('writes text on a terminal and JSON elsewhere, or what it is told', () => {
  expect([written(true), written(false, 'text')]).toEqual([text, text])
  expect(written(false)).toMatch(json)
  expect(written(true, 'json')).toMatch(json)
})
