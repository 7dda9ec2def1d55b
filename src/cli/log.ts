import { isLogged, type LogLevel } from '../config/log-level.ts'
import type { Log } from '../engine/contract.ts'
import type { Output } from './io.ts'

/** Log lines from `least` on: JSON for programs, words for a terminal. */
export function createLog(output: Output, least: LogLevel): Log {
  return (level, message, fields = {}) => {
    if (!isLogged(level, least)) return
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
