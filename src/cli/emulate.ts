import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guess, suggest } from '../config/refuse-config.ts'
import { refuse, SurefootError } from '../core/failure.ts'
import type { CatalogueEntry, Emulator, FaultRule, ServedEmulator } from '../emulators/index.ts'
import { type Command, onlyArgument, parseOptions, readWholeNumber, UsageError } from './command.ts'
import { formatTable } from './format.ts'
import { aborted, watchInterrupts } from './interrupts.ts'
import { type Io, paint, say } from './io.ts'

const usage = `Usage: surefoot emulate PROVIDER [OPTIONS]

Serves the HTTP API of a provider on this machine, until Ctrl-C: replicate, runpod, baseten, modal, cog, koyeb,
ecs, lambda, sagemaker. It really does the work, and misbehaves on demand.

  --port N             Port, 0 for any free one (default 9001)
  --fault SPEC         name[@parameter][:percent%][*times], e.g. stall@0.9:20%; may be given several times
  --faults             Print all faults, or those of the provider
  --seed N             For the dice that decide which runs faults hit (default 1)
  --boot-ms N          Cold start (default 2000)
  --work NAME          relief: a photo becomes a splat; echo: the input comes back after 10 s; sdk: runpod only, jobs wait
                       for a worker of yours in RunPod's SDK (default relief)
`

const options = {
  port: { type: 'string' },
  fault: { type: 'string', multiple: true },
  faults: { type: 'boolean', default: false },
  seed: { type: 'string' },
  'boot-ms': { type: 'string' },
  work: { type: 'string', default: 'relief' },
} as const

const works = ['relief', 'echo', 'sdk']

type Emulators = typeof import('../emulators/index.ts')

/** What differs from vendor to vendor. */
interface Vendor {
  readonly title: string
  /** Where its API begins. */
  readonly path: string
  /** The lines of a config that lead to it; all but `baseUrl` is free to choose. */
  readonly provider: (baseUrl: string) => string
  readonly target: string
  /** Lines for a shell by which a real worker takes its jobs here. Absent: none can. */
  readonly workerEnvironment?: (baseUrl: string) => string
  readonly create: (
    emulators: Emulators,
    options: Parameters<Emulators['createReplicateEmulator']>[0] & Parameters<Emulators['createRunpodEmulator']>[0],
  ) => Emulator
}

const vendors: { readonly [kind: string]: Vendor } = {
  replicate: {
    title: "Replicate's API",
    path: '/v1',
    provider: baseUrl => `replicate({ token: 'anything', baseUrl: '${baseUrl}' })`,
    target: `{ model: 'surefoot/relief' }`,
    create: ({ createReplicateEmulator }, options) => createReplicateEmulator(options),
  },
  runpod: {
    title: "RunPod's API",
    path: '/v2',
    provider: baseUrl => `runpod({ apiKey: 'anything', baseUrl: '${baseUrl}' })`,
    target: `{ endpoint: 'relief' }`,
    workerEnvironment: baseUrl =>
      `export RUNPOD_WEBHOOK_GET_JOB='${baseUrl}/relief/job-take/$ID?gpu=none'
export RUNPOD_WEBHOOK_POST_OUTPUT='${baseUrl}/relief/job-done/$RUNPOD_POD_ID/$ID?gpu=none'
export RUNPOD_WEBHOOK_POST_STREAM='${baseUrl}/relief/job-stream/$RUNPOD_POD_ID/$ID?gpu=none'
export RUNPOD_WEBHOOK_PING='${baseUrl}/relief/ping/$RUNPOD_POD_ID'
export RUNPOD_POD_ID=worker1 RUNPOD_AI_API_KEY=anything
export RUNPOD_SKIP_AUTO_SYSTEM_CHECKS=true RUNPOD_SKIP_GPU_CHECK=true
`,
    create: ({ createRunpodEmulator }, options) => createRunpodEmulator(options),
  },
  baseten: {
    title: "Baseten's API",
    path: '',
    // The queue's mode needs a public URL of the gateway for the result.
    provider: baseUrl => `baseten({ apiKey: 'anything', mode: 'held', baseUrl: '${baseUrl}' })`,
    target: `{ model: 'relief' }`,
    create: ({ createBasetenEmulator }, options) => createBasetenEmulator(options),
  },
  modal: {
    title: "Modal's API",
    path: '',
    provider: baseUrl => `modal({ tokenId: 'anything', tokenSecret: 'anything', baseUrl: '${baseUrl}' })`,
    target: `{ app: 'relief', function: 'predict' }`,
    create: ({ createModalEmulator }, options) => createModalEmulator(options),
  },
  cog: {
    title: 'A Cog server',
    path: '',
    // Without a public URL of the gateway, nothing could post the end of a run.
    provider: baseUrl => `cog({ mode: 'held', baseUrl: '${baseUrl}' })`,
    target: `{}`,
    create: ({ createCogEmulator }, options) => createCogEmulator(options),
  },
  koyeb: {
    title: 'A Koyeb service with a Cog server',
    path: '',
    provider: baseUrl => `koyeb({ mode: 'held', baseUrl: '${baseUrl}' })`,
    target: `{}`,
    create: ({ createKoyebEmulator }, options) => createKoyebEmulator(options),
  },
  ecs: {
    title: "AWS's API (ECS and S3)",
    path: '',
    provider: endpoint => `ecs({ region: 'us-east-1', ${awsAccess(endpoint)} })`,
    target: `{ taskDefinition: 'relief' }`,
    create: ({ createAwsEmulator }, options) => createAwsEmulator(options),
  },
  lambda: {
    title: "AWS's API (Lambda and S3)",
    path: '',
    provider: endpoint => `lambda({ region: 'us-east-1', ${awsAccess(endpoint)} })`,
    target: `{ function: 'relief' }`,
    create: ({ createAwsEmulator }, options) => createAwsEmulator(options),
  },
  sagemaker: {
    title: "AWS's API (SageMaker's asynchronous endpoints and S3)",
    path: '',
    provider: endpoint => `sagemaker({ region: 'us-east-1', ${awsAccess(endpoint)} })`,
    target: `{ endpoint: 'relief', kit: true }`,
    create: ({ createAwsEmulator }, options) => createAwsEmulator(options),
  },
}

/** The options that all adapters for AWS share; the bucket need not exist anywhere. */
function awsAccess(endpoint: string): string {
  const credentials = `credentials: { accessKeyId: 'anything', secretAccessKey: 'anything' }`
  return `${credentials}, endpoint: '${endpoint}', bucket: 'predictions'`
}

/** `surefoot emulate`: a provider without an account. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const kinds = Object.keys(vendors)
    if (values.faults && positionals.length === 0) {
      io.stdout.write(await listFaults(null))
      return 0
    }
    const kind = onlyArgument(positionals, `The provider, ${kinds.join(' or ')},`)
    const vendor = Object.hasOwn(vendors, kind) ? vendors[kind] : undefined
    if (vendor === undefined) throw new UsageError(`There is no emulator of "${kind}".${suggest(kind, kinds)}`)
    if (values.faults) {
      io.stdout.write(await listFaults(kind))
      return 0
    }
    if (!works.includes(values.work))
      throw new UsageError(`There is no work "${values.work}".${suggest(values.work, works)}`)
    if (values.work === 'sdk' && vendor.workerEnvironment === undefined)
      throw new UsageError(`${vendor.title} takes no workers of yours: "--work sdk" is for runpod.`)
    const port = readWholeNumber('--port', values.port, { from: 0, to: 65_535 }) ?? 9001
    const seed = readWholeNumber('--seed', values.seed, { from: 0, to: 2 ** 31 - 1 }) ?? 1
    const bootMs = readWholeNumber('--boot-ms', values['boot-ms'], { from: 0, to: 3_600_000 })
    const faults = await readFaults(values.fault ?? [], kind, vendor)
    return await emulate(io, {
      kind,
      vendor,
      port,
      seed,
      faults,
      specs: values.fault ?? [],
      work: values.work,
      ...(bootMs === undefined ? {} : { bootMs }),
    })
  },
}

interface Emulation {
  readonly kind: string
  readonly vendor: Vendor
  readonly port: number
  readonly seed: number
  readonly faults: readonly FaultRule[]
  /** The same, as they were written. */
  readonly specs: readonly string[]
  readonly work: string
  readonly bootMs?: number
}

async function emulate(io: Io, emulation: Emulation): Promise<number> {
  const { vendor, port, seed, faults, work, bootMs } = emulation
  const interrupts = watchInterrupts(io)
  const directory = await mkdtemp(join(tmpdir(), 'surefoot-emulator-'))
  try {
    const emulators = await import('../emulators/index.ts')
    const { createEchoWork, createRandom, createReliefWork } = emulators
    const { systemClock: clock } = await import('../engine/clock.ts')
    const emulator = vendor.create(emulators, {
      clock,
      random: createRandom(seed),
      work: work === 'echo' ? createEchoWork({ clock }) : createReliefWork({ clock, directory }),
      faults,
      ...(work === 'sdk' ? { workers: 'outside' as const } : {}),
      ...(bootMs === undefined ? {} : { bootMs }),
    })
    const served = await serve(emulator, port)
    try {
      sayWhere(io, emulation, `${served.origin}${vendor.path}`)
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

function sayWhere(io: Io, { kind, vendor, specs, work }: Emulation, baseUrl: string): void {
  say(io.stdout, `${vendor.title} is emulated at ${paint(io, io.stdout, 'bold', baseUrl)}`)
  if (specs.length > 0) say(io.stdout, `Faults: ${specs.join(', ')}`)
  io.stdout.write(`
// surefoot.config.ts
import { defineConfig, ${kind} } from 'surefoot'

export default defineConfig({
  providers: { ${kind}: ${vendor.provider(baseUrl)} },
  deployments: { 'relief@${kind}': { target: ${vendor.target} } },
  models: { relief: { route: ['relief@${kind}'] } },
})
`)
  if (work === 'sdk')
    io.stdout.write(
      `\n# Your worker's environment: then python handler.py\n${vendor.workerEnvironment?.(baseUrl) ?? ''}`,
    )
}

async function readFaults(specs: readonly string[], kind: string, vendor: Vendor): Promise<readonly FaultRule[]> {
  const { faultNames, faultsAt, parseFault } = await import('../emulators/index.ts')
  const possible = faultsAt(kind)
  const names: readonly string[] = faultNames
  for (const spec of specs) {
    const [name = ''] = spec.split(/[@:*]/)
    if (/^[\w-]+$/.test(name) && !names.includes(name))
      throw new UsageError(
        `There is no fault "${name}".${guess(name, possible)} "surefoot emulate ${kind} --faults" lists what there is.`,
      )
  }
  try {
    const rules = specs.map(parseFault)
    const foreign = rules.find(({ name }) => !possible.includes(name))
    if (foreign !== undefined)
      throw new UsageError(
        `${vendor.title} has no fault "${foreign.name}"; "surefoot emulate ${kind} --faults" lists them.`,
      )
    return rules
  } catch (error) {
    throw SurefootError.is(error) ? new UsageError(error.message) : error
  }
}

async function listFaults(kind: string | null): Promise<string> {
  const { faultCatalogue, faultNames, faultsAt } = await import('../emulators/index.ts')
  const rows = (kind === null ? faultNames : faultsAt(kind)).map(name => {
    const { does, parameter }: CatalogueEntry = faultCatalogue[name]
    return [
      parameter === undefined ? name : `${name}@${parameter[1]}`,
      parameter === undefined ? does : `${does} Parameter: ${parameter[0]}.`,
    ]
  })
  return formatTable(rows)
}
