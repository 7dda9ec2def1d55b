import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suggest } from '../config/refuse-config.ts'
import { refuse, SurefootError } from '../core/failure.ts'
import type { Emulator, FaultRule, ServedEmulator } from '../emulators/index.ts'
import { type Command, onlyArgument, parseOptions, readWholeNumber, UsageError } from './command.ts'
import { formatTable } from './format.ts'
import { aborted, watchInterrupts } from './interrupts.ts'
import { type Io, paint, say } from './io.ts'

const usage = `Usage: surefoot emulate replicate [OPTIONS]

Serves Replicate's HTTP API on this machine, until Ctrl-C. It really does the work, and misbehaves on demand.

  --port N         Port, 0 for any free one (default 9001)
  --fault SPEC     name[@parameter][:percent%][*times], e.g. stall@0.9:20%; may be given several times
  --faults         Print all faults
  --seed N         For the dice that decide which runs faults hit (default 1)
  --boot-ms N      From creation to running (default 2000)
  --work NAME      relief: a photo becomes a splat; echo: the input comes back after 10 s (default relief)
`

const options = {
  port: { type: 'string' },
  fault: { type: 'string', multiple: true },
  faults: { type: 'boolean', default: false },
  seed: { type: 'string' },
  'boot-ms': { type: 'string' },
  work: { type: 'string', default: 'relief' },
} as const

const works = ['relief', 'echo']

/** `surefoot emulate`: a provider without an account. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    if (values.faults) {
      io.stdout.write(await listFaults())
      return 0
    }
    const provider = onlyArgument(positionals, 'The provider, replicate,')
    if (provider !== 'replicate')
      throw new UsageError(`There is no emulator of "${provider}".${suggest(provider, ['replicate'])}`)
    if (!works.includes(values.work))
      throw new UsageError(`There is no work "${values.work}".${suggest(values.work, works)}`)
    const port = readWholeNumber('--port', values.port, { from: 0, to: 65_535 }) ?? 9001
    const seed = readWholeNumber('--seed', values.seed, { from: 0, to: 2 ** 31 - 1 }) ?? 1
    const bootMs = readWholeNumber('--boot-ms', values['boot-ms'], { from: 0, to: 3_600_000 })
    const faults = await readFaults(values.fault ?? [])
    return await emulate(io, { port, seed, faults, work: values.work, ...(bootMs === undefined ? {} : { bootMs }) })
  },
}

interface Emulation {
  readonly port: number
  readonly seed: number
  readonly faults: readonly FaultRule[]
  readonly work: string
  readonly bootMs?: number
}

async function emulate(io: Io, { port, seed, faults, work, bootMs }: Emulation): Promise<number> {
  const interrupts = watchInterrupts(io)
  const directory = await mkdtemp(join(tmpdir(), 'surefoot-emulator-'))
  try {
    const { createEchoWork, createRandom, createReliefWork, createReplicateEmulator } = await import(
      '../emulators/index.ts'
    )
    const { systemClock: clock } = await import('../engine/clock.ts')
    const emulator = createReplicateEmulator({
      clock,
      random: createRandom(seed),
      work: work === 'echo' ? createEchoWork({ clock }) : createReliefWork({ clock, directory }),
      faults,
      ...(bootMs === undefined ? {} : { bootMs }),
    })
    const served = await serve(emulator, port)
    try {
      sayWhere(io, `${served.origin}/v1`, faults)
      await Promise.race([aborted(interrupts.first), interrupts.second])
    } finally {
      await served.close()
    }
  } finally {
    interrupts.stop()
    await rm(directory, { recursive: true, force: true })
  }
  return 0
}

async function serve(emulator: Emulator, port: number): Promise<ServedEmulator> {
  const { serveEmulator } = await import('../emulators/index.ts')
  try {
    return await serveEmulator(emulator, port)
  } catch (cause) {
    return refuse('input_invalid', `Port ${port} cannot be had: ${cause instanceof Error ? cause.message : cause}.`, {
      advice: 'Use another --port.',
      cause,
    })
  }
}

function sayWhere(io: Io, baseUrl: string, faults: readonly FaultRule[]): void {
  say(io.stdout, `Replicate's API is emulated at ${paint(io, io.stdout, 'bold', baseUrl)}`)
  if (faults.length > 0) say(io.stdout, `Faults: ${faults.map(({ name }) => name).join(', ')}`)
  io.stdout.write(`
// surefoot.config.ts
import { defineConfig, replicate } from 'surefoot'

export default defineConfig({
  providers: { replicate: replicate({ token: 'anything', baseUrl: '${baseUrl}' }) },
  deployments: { 'relief@replicate': { target: { model: 'surefoot/relief' } } },
  models: { relief: { route: ['relief@replicate'] } },
})
`)
}

async function readFaults(specs: readonly string[]): Promise<readonly FaultRule[]> {
  const { parseFault } = await import('../emulators/index.ts')
  try {
    return specs.map(parseFault)
  } catch (error) {
    throw SurefootError.is(error) ? new UsageError(error.message) : error
  }
}

async function listFaults(): Promise<string> {
  const { faultCatalogue } = await import('../emulators/index.ts')
  const rows = Object.entries(faultCatalogue).map(([name, { does, parameter }]) => [
    parameter === undefined ? name : `${name}@${parameter[1]}`,
    parameter === undefined ? does : `${does} Parameter: ${parameter[0]}.`,
  ])
  return formatTable(rows)
}
