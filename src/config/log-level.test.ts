import { expect, onTestFinished, test, vi } from 'vitest'
import { createConsoleLog, type LogLevel } from './log-level.ts'

test.each<[LogLevel, string[]]>([
  ['info', ['info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['error', ['error']],
  ['silent', []],
])('from %s on the console gets %j', (least, heard) => {
  onTestFinished(() => void vi.restoreAllMocks())
  const lines: unknown[][] = []
  const levels = ['info', 'warn', 'error'] as const
  for (const level of levels)
    vi.spyOn(console, level).mockImplementation((...line) => void lines.push([level, ...line]))
  const log = createConsoleLog(least)
  for (const level of levels) log(level, 'It happened.', { id: 'p1' })
  expect(lines).toEqual(heard.map(level => [level, 'surefoot: It happened.', { id: 'p1' }]))
})
