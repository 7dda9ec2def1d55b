import { type ParseArgsConfig, parseArgs } from 'node:util'
import { suggest } from '../config/refuse-config.ts'
import type { Io } from './io.ts'

/** One command. Its module is loaded when it is called, and loads what is heavy only when it runs. */
export interface Command {
  /** What `--help` prints. */
  readonly usage: string
  /** Answers the exit code: 0 done, 1 failed, 130 interrupted. Throws `UsageError` for arguments that make no sense. */
  run(args: readonly string[], io: Io): Promise<number>
}

/** The caller wrote something that no command understands; ends as exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** `parseArgs`, strict, whose complaints are one sentence with the nearest right word. */
export function parseOptions<const T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T; strict: true; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const unknown = /^Unknown option '(-[^']*)'/.exec(message)?.[1]
    if (unknown === undefined) throw new UsageError(explainValue(message))
    throw new UsageError(
      `Unknown option "${unknown}".${suggest(
        unknown,
        Object.keys(options).map(name => `--${name}`),
      )}`,
    )
  }
}

/** Node's words about an option's value, shorter, and without the option's whole pattern. */
function explainValue(message: string): string {
  const [, option, trouble] =
    /^Option '(?:-\w, )?(--[\w-]+)[^']*' (argument missing|argument is ambiguous)/.exec(message) ?? []
  if (option === undefined) return message.split('\n')[0] ?? message
  return trouble === 'argument missing'
    ? `${option} needs a value.`
    : `${option} needs a value; one that begins with "-" is written ${option}=-...`
}

/** Exactly one positional argument. */
export function onlyArgument(positionals: readonly string[], what: string): string {
  const [first, second] = positionals
  if (first === undefined) throw new UsageError(`${what} is missing.`)
  if (second !== undefined) throw new UsageError(`"${second}" is one argument too many.`)
  return first
}

/** No positional arguments. */
export function noArguments(positionals: readonly string[]): void {
  if (positionals[0] !== undefined) throw new UsageError(`"${positionals[0]}" is one argument too many.`)
}

/** A whole number within bounds, or undefined where the option was not given. */
export function readWholeNumber(
  option: string,
  text: string | undefined,
  { from, to }: { readonly from: number; readonly to: number },
): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= from && value <= to) return value
  throw new UsageError(`${option} takes a whole number from ${from} to ${to}, not "${text}".`)
}
