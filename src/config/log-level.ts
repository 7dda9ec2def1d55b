import type { Log } from '../engine/contract.ts'

/** From all to nothing. */
export const logLevels = ['info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Words for people, or one JSON object a line for programs. */
export const logFormats = ['text', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

/** Whether a line of this level is logged where `least` is the least level that is. */
export function isLogged(level: Parameters<Log>[0], least: LogLevel): boolean {
  return logLevels.indexOf(level) >= logLevels.indexOf(least)
}

/** The log of an app, which has no other: the console, from `least` on. */
export function createConsoleLog(least: LogLevel): Log {
  return (level, message, fields) => {
    if (isLogged(level, least)) console[level](`surefoot: ${message}`, fields ?? '')
  }
}
