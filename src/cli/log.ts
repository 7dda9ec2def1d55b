import { isLogged, type LogFormat, type LogLevel } from '../config/log-level.ts'
import { toPlainJson } from '../core/plain-words.ts'
import type { Log } from '../engine/contract.ts'
import type { Output } from './io.ts'

/**
 * Log lines from `least` on. JSON has `time` (ISO 8601, UTC), `level`, `message`, and the fields that docs/operating.md
 * names. Default format: text on a terminal, JSON elsewhere.
 */
export function createLog(output: Output, least: LogLevel, format: LogFormat | null = null): Log {
  const isText = (format ?? (output.isTTY === true ? 'text' : 'json')) === 'text'
  return (level, message, fields = {}) => {
    if (!isLogged(level, least)) return
    const line = isText
      ? [
          `${level}: ${message}`,
          ...Object.entries(fields).map(([name, value]) => `${name}=${toPlainJson(value)}`),
        ].join(' ')
      : toPlainJson({ time: new Date().toISOString(), level, message, ...fields })
    output.write(`${line}\n`)
  }
}
