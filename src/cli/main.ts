import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { suggest } from '../config/refuse-config.ts'
import { SurefootError } from '../core/failure.ts'
import { type Command, UsageError } from './command.ts'
import { type Io, paint, say } from './io.ts'

const commands: { readonly [name: string]: () => Promise<{ readonly command: Command }> } = {
  serve: () => import('./serve.ts'),
  worker: () => import('./worker.ts'),
  predict: () => import('./predict.ts'),
  convert: () => import('./convert.ts'),
  compare: () => import('./compare.ts'),
  migrate: () => import('./migrate.ts'),
  list: () => import('./list.ts'),
  show: () => import('./show.ts'),
  status: () => import('./status.ts'),
  token: () => import('./token.ts'),
  webhooks: () => import('./webhooks.ts'),
  warm: () => import('./warm.ts'),
  doctor: () => import('./doctor.ts'),
  emulate: () => import('./emulate.ts'),
  kit: () => import('./kit.ts'),
}

const help = `Usage: surefoot COMMAND [OPTIONS]

  serve               Serve the HTTP API and the Studio page on this machine
  worker              Drive predictions beside other processes on one database
  predict PHOTO       Turn a photo into a 3D Gaussian splat
  convert PLY FILE    Turn a splat into another format: SOG, SPZ, compressed PLY, a page to share
  compare PHOTO       Run a photo at several providers, side by side
  migrate [MODEL]     How far a model has moved from one deployment to another
  list                Predictions, newest first
  show ID             What was tried for a prediction, and why
  status [ID]         Who serves the data folder and what runs; or one prediction in a line
  token COMMAND       Tokens for callers: create, list, revoke
  webhooks            How webhooks to callers fare; send again what could not be delivered
  warm MODEL          Have a worker ready before somebody waits for one
  doctor [PROVIDER]   What is wrong with the config, a provider or this machine, and what to do next
  emulate PROVIDER    A provider's API on this machine, with faults on demand
  kit PROVIDER        A folder to push: the worker's side of Surefoot, packed for a provider
  help [COMMAND]      This text, or a command's options

Exit codes: 0 done, 1 failed (one sentence says why), 2 not understood, 130 interrupted.
`

/** Told where it is so: this module is TypeScript in a clone only. */
const cloneHelp = import.meta.url.endsWith('.ts') ? '\nIn a clone "npm start --" stands for surefoot.\n' : ''

/**
 * The command line as a function: arguments without node and script, the world as `io`; answers the exit code. Whatever
 * goes wrong ends as one sentence on `io.stderr`; only faults of our own show a stack.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name = 'help', ...args] = argv
  try {
    if (name === '--version' || name === '-v' || name === 'version') {
      say(io.stdout, await readVersion())
      return 0
    }
    if (name === 'help' || name === '--help' || name === '-h') {
      io.stdout.write(args[0] === undefined ? help + cloneHelp : (await loadCommand(args[0])).usage)
      return 0
    }
    const command = await loadCommand(name)
    if (args.includes('--help') || args.includes('-h')) {
      io.stdout.write(command.usage)
      return 0
    }
    return await command.run(args, io)
  } catch (error) {
    say(io.stderr, `${paint(io, io.stderr, 'red', 'surefoot:')} ${explain(error)}`)
    return error instanceof UsageError ? 2 : 1
  }
}

async function loadCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load === undefined) throw new UsageError(`There is no command "${name}".${suggest(name, Object.keys(commands))}`)
  return (await load()).command
}

function explain(error: unknown): string {
  if (error instanceof UsageError) return error.message
  if (!SurefootError.is(error)) return `This is a fault of Surefoot; please report it.\n${inspect(error)}`
  const { message, advice } = error.failure
  return `${message} ${advice}`
}

async function readVersion(): Promise<string> {
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
