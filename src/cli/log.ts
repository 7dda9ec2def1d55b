import type { LogLevel } from '../config/load-config.ts'
import type { Log } from '../engine/contract.ts'
import type { Output } from './io.ts'

const levels: readonly LogLevel[] = ['info', 'warn', 'error', 'silent']

/** Log lines from `least` on: JSON for programs, words for a terminal. */
export function createLog(output: Output, least: LogLevel): Log {
  return (level, message, fields = {}) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return
    const line =
      output.isTTY === true
        ? [
            `${level}: ${message}`,
            ...Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`),
          ].join(' ')
        : JSON.stringify({ at: new Date().toISOString(), level, message, ...fields })
    output.write(`${line}\n`)
  }
}
