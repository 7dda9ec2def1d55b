import { type Scope, scopes } from '../core/token.ts'
import type { CreateTokenBody, TokenJson } from '../http/token-shapes.ts'
import type { Client } from './client.ts'
import { type Command, noArguments, onlyArgument, parseOptions, readWholeNumber, UsageError } from './command.ts'
import { connect, connectToExisting } from './connection.ts'
import { formatBytes, formatTable } from './format.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot token create --name NAME [OPTIONS]
       surefoot token list [OPTIONS]
       surefoot token revoke ID [OPTIONS]

Tokens for callers of the gateway. Once there is one, every request needs one, and other machines may be served (--host).
A secret is printed once, when it is made, and kept nowhere.

  --name NAME          Whose it is, for people
  --scopes LIST        Of predict, read and admin, with commas (default predict,read)
  --expires TIME       Its life: 12h, 30d (default for ever)
  --rate N/min         Requests a minute, at each gateway process
  --concurrency N      Predictions at a time
  --budget USD/day     What its predictions of a UTC day may cost at worst
  --file-bytes SIZE    Of one file: 5MB (default 100MB, more is never taken)
  --stored-bytes SIZE  Of all files that it keeps at once: 2GB
  --json               As JSON
${placeUsage}`

const options = {
  ...placeOptions,
  name: { type: 'string' },
  scopes: { type: 'string' },
  expires: { type: 'string' },
  rate: { type: 'string' },
  concurrency: { type: 'string' },
  budget: { type: 'string' },
  'file-bytes': { type: 'string' },
  'stored-bytes': { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

const createOptions = [
  ...(['name', 'scopes', 'expires', 'rate', 'concurrency', 'budget', 'file-bytes', 'stored-bytes'] as const),
]

type Values = ReturnType<typeof parseOptions<typeof options>>['values']

/** `surefoot token`: who may call. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const [verb, ...rest] = positionals
    const work = prepare(io, verb, rest, values)
    const config = await loadSettings(io, values)
    const log = createLog(io.stderr, config.logLevel)
    const connection = await (verb === 'create' ? connect({ config, log }) : connectToExisting({ config, log }))
    try {
      await work(connection.client)
      return 0
    } finally {
      await connection.close()
    }
  },
}

/** Reads all arguments before anything is opened. */
function prepare(
  io: Io,
  verb: string | undefined,
  rest: readonly string[],
  values: Values,
): (client: Client) => Promise<void> {
  if (verb === 'create') {
    noArguments(rest)
    const body = readToken(values)
    return async client => sayNew(io, await client.createToken(body), values.json)
  }
  for (const option of createOptions)
    if (values[option] !== undefined) throw new UsageError(`--${option} belongs to surefoot token create.`)
  if (verb === 'list') {
    noArguments(rest)
    return async client => sayAll(io, await client.tokens(), values.json)
  }
  if (verb === 'revoke') {
    const id = onlyArgument(rest, 'The id of a token')
    return async client => {
      await client.revokeToken(id)
      say(io.stdout, values.json ? JSON.stringify({ id, revoked: true }) : `Token ${id} is revoked.`)
    }
  }
  throw new UsageError(`surefoot token ${verb ?? ''}: say create, list or revoke.`.replace(' :', ':'))
}

function readToken(values: Values): CreateTokenBody {
  const { name, scopes: list, expires, rate, concurrency, budget } = values
  const { 'file-bytes': file, 'stored-bytes': stored } = values
  if (name === undefined || name.trim() === '') throw new UsageError('--name is missing: whose token is it?')
  const most = readWholeNumber('--concurrency', concurrency, { from: 1, to: 1_000_000 })
  return {
    name,
    ...(list !== undefined && { scopes: list.split(',').map(readScope) }),
    ...(expires !== undefined && { expires_in: readSeconds(expires) }),
    ...(rate !== undefined && { requests_per_minute: readPer('--rate', rate, 'min', /^\d{1,6}$/) }),
    ...(most !== undefined && { concurrency: most }),
    ...(budget !== undefined && { budget_per_day: readPer('--budget', budget, 'day', /^\d{1,7}(\.\d{1,6})?$/) }),
    ...(file !== undefined && { file_bytes: readBytes('--file-bytes', file) }),
    ...(stored !== undefined && { stored_bytes: readBytes('--stored-bytes', stored) }),
  }
}

function readScope(text: string): Scope {
  const scope = scopes.find(candidate => candidate === text.trim())
  if (scope === undefined)
    throw new UsageError(`--scopes: there is no scope "${text}". There are: ${scopes.join(', ')}.`)
  return scope
}

const unitSeconds: { readonly [unit: string]: number } = { m: 60, h: 3_600, d: 86_400 }

function readSeconds(text: string): number {
  const [, count = '', unit = ''] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? []
  const seconds = Number(count) * (unitSeconds[unit] ?? Number.NaN)
  if (seconds > 0 && seconds <= 3_650 * 86_400) return seconds
  throw new UsageError(`--expires takes a time such as 90m, 12h or 30d, at most 3650d, not "${text}".`)
}

const unitBytes: { readonly [unit: string]: number } = { kB: 1e3, MB: 1e6, GB: 1e9 }

/** `5MB`; a megabyte has a million bytes. */
function readBytes(option: string, text: string): number {
  const [, count = '', unit = ''] = /^([1-9]\d{0,5})(kB|MB|GB)$/.exec(text) ?? []
  const bytes = Number(count) * (unitBytes[unit] ?? Number.NaN)
  if (bytes > 0) return bytes
  throw new UsageError(`${option} takes a size such as 500kB, 5MB or 2GB, not "${text}".`)
}

/** `60/min`; the unit may be left out. */
function readPer(option: string, text: string, unit: string, number: RegExp): number {
  const [amount = '', per = unit, ...rest] = text.split('/')
  if (number.test(amount) && per === unit && rest.length === 0 && (option === '--budget' || Number(amount) > 0))
    return Number(amount)
  throw new UsageError(`${option} takes a number such as 5/${unit}, not "${text}".`)
}

function sayNew(io: Io, { secret, ...token }: TokenJson & { readonly secret: string }, json: boolean): void {
  say(io.stdout, json ? JSON.stringify({ ...token, secret }) : secret)
  if (json) return
  say(io.stderr, `Token ${token.id} of ${token.name}: ${describe(token)}. Its secret is not shown again.`)
  say(io.stderr, 'Every request to the gateway needs a token now.')
}

function sayAll(io: Io, tokens: readonly TokenJson[], json: boolean): void {
  if (json) say(io.stdout, JSON.stringify(tokens))
  else if (tokens.length === 0) say(io.stdout, 'There are no tokens; only this machine is served.')
  else io.stdout.write(formatTable([['ID', 'NAME', 'STATE', 'LAST USED (UTC)', ''], ...tokens.map(toRow)]))
}

function toRow(token: TokenJson): readonly string[] {
  const used = token.last_used_at?.slice(0, 16).replace('T', ' ') ?? 'never'
  return [token.id, token.name, token.state, used, describe(token)]
}

function describe(token: TokenJson): string {
  const { scopes, expires_at, requests_per_minute, concurrency, budget_per_day, file_bytes, stored_bytes } = token
  return [
    `may ${scopes.join(', ')}`,
    ...(expires_at === null ? [] : [`until ${expires_at.slice(0, 16).replace('T', ' ')} UTC`]),
    ...(requests_per_minute === null ? [] : [`${requests_per_minute} requests a minute`]),
    ...(concurrency === null ? [] : [`${concurrency} predictions at a time`]),
    ...(budget_per_day === null ? [] : [`${budget_per_day} USD a day`]),
    ...(file_bytes === null ? [] : [`${formatBytes(file_bytes)} a file`]),
    ...(stored_bytes === null ? [] : [`${formatBytes(stored_bytes)} of files at once`]),
  ].join('; ')
}
