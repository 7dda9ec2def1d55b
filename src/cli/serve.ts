import type { LoadedConfig } from '../config/load-config.ts'
import type { Log } from '../engine/contract.ts'
import type { Listening, ListenOptions } from '../http/node.ts'
import { isLoopback } from '../http/safety.ts'
import type { Opened } from '../open.ts'
import { findStudio } from './assets.ts'
import { type Command, noArguments, parseOptions, UsageError } from './command.ts'
import { aborted, type Interrupts, watchInterrupts } from './interrupts.ts'
import { type Io, paint, say } from './io.ts'
import { createLog } from './log.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot serve [OPTIONS]

Serves the HTTP API and the Studio page, until Ctrl-C. What runs then is picked up on the next start. This machine needs
no token while there is none; to serve others, make one first (surefoot token create) and set --host.

  --port N             Port, 0 for any free one (default 8787, or as SUREFOOT_PORT or the config say)
  --host H             Address to listen on (default 127.0.0.1, or as SUREFOOT_HOST or the config say)
  --drain N            Seconds to serve on after the first signal, while /readyz says no (default 0)
  --sample             Where there are no predictions yet, make the first one of a bundled photo
${placeUsage}`

const options = {
  ...placeOptions,
  port: { type: 'string' },
  host: { type: 'string' },
  drain: { type: 'string', default: '0' },
  sample: { type: 'boolean', default: false },
} as const

/** `surefoot serve`: the gateway of a data folder, until a signal ends it. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    noArguments(positionals)
    const drainMs = toDrainMs(values.drain)
    const config = await loadSettings(io, values)
    const interrupts = watchInterrupts(io)
    try {
      return await Promise.race([serve(io, config, { sample: values.sample, drainMs }, interrupts), interrupts.second])
    } finally {
      interrupts.stop()
    }
  },
}

async function serve(
  io: Io,
  config: LoadedConfig,
  { sample, drainMs }: { readonly sample: boolean; readonly drainMs: number },
  { first }: Interrupts,
): Promise<number> {
  const log = createLog(io.stderr, config.logLevel, config.logFormat)
  const { openDataFolder } = await import('../open.ts')
  const opened = await openDataFolder(config, log)
  try {
    const { mintOwnerSecret } = await import('../http/secrets.ts')
    const secret = mintOwnerSecret()
    const listening = await listenOn(opened, config, log, { secret, leaving: first })
    try {
      await opened.lock.announce({ url: listening.url, pid: process.pid, startedAt: Date.now(), secret })
      sayWhere(io, listening, config)
      const sampled = sample ? saySample(io, opened, listening.url, first) : null
      await aborted(first)
      say(io.stderr, 'Stopping ...')
      await sampled
      if (drainMs > 0) await new Promise(resolve => setTimeout(resolve, drainMs))
    } finally {
      await listening.close()
    }
  } finally {
    await opened.close()
  }
  return 0
}

async function listenOn(
  opened: Opened,
  config: LoadedConfig,
  log: Log,
  { secret, leaving }: { readonly secret: string; readonly leaving: AbortSignal },
): Promise<Listening & { readonly tokensRequired: boolean }> {
  const [{ listen }, { createGateway }] = await Promise.all([import('../http/node.ts'), import('./gateway.ts')])
  const { host, port, publicUrl } = config
  const access = { tokensRequired: await opened.store.hasTokens(), ownerSecret: secret }
  const app: ListenOptions['app'] = address => createGateway(opened, config, log, { ...address, access, leaving })
  const listening = await listen({ host, port, publicUrl, tokensRequired: access.tokensRequired, app })
  return { ...listening, tokensRequired: access.tokensRequired }
}

function toDrainMs(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new UsageError(`--drain takes whole seconds, not "${text}".`)
  return Number(text) * 1_000
}

function sayWhere(
  io: Io,
  { url, tokensRequired }: Listening & { readonly tokensRequired: boolean },
  { dataDirectory, path, routes, host }: LoadedConfig,
): void {
  say(io.stdout, `Surefoot is listening on ${paint(io, io.stdout, 'bold', url)}`)
  say(io.stdout, `  Studio  ${findStudio() === null ? 'not built; npm run build makes it' : `${url}/`}`)
  for (const { model, deployments } of routes.values())
    say(io.stdout, `  Model   ${model.name} on ${deployments.map(({ name }) => name).join(', then ')}`)
  if (tokensRequired) say(io.stdout, '  Tokens  needed; surefoot token list shows them')
  say(io.stdout, `  Data    ${dataDirectory}`)
  say(io.stdout, `  Config  ${path ?? 'none'}`)
  if (!isLoopback(host))
    say(io.stderr, `${host} is reached from other machines over plain http, tokens and photos too: put TLS in front.`)
}

/** The sample is a courtesy: whatever becomes of it, the gateway serves on. */
async function saySample(io: Io, opened: Opened, url: string, signal: AbortSignal): Promise<void> {
  try {
    const { runSample } = await import('./sample.ts')
    const lines = await runSample(opened, { url, studio: findStudio() !== null, signal })
    if (lines !== null) say(io.stdout, lines)
  } catch (error) {
    if (!signal.aborted) say(io.stderr, `Sample: failed. ${error instanceof Error ? error.message : String(error)}`)
  }
}
