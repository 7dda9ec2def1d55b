import type { Clock, Random } from '../core/clock.ts'
import { createAwsEmulator } from '../emulators/aws/index.ts'
import { createBasetenEmulator } from '../emulators/baseten/index.ts'
import { createCogEmulator } from '../emulators/cog/index.ts'
import type { Emulator, Work } from '../emulators/contract.ts'
import type { FaultRule } from '../emulators/faults.ts'
import { createKoyebEmulator } from '../emulators/koyeb/index.ts'
import { createModalEmulator, grpcOverFetch } from '../emulators/modal/index.ts'
import { createReplicateEmulator } from '../emulators/replicate/index.ts'
import { createRunpodEmulator } from '../emulators/runpod/index.ts'
import { createFixedWork } from '../emulators/works.ts'
import { ecs } from '../providers/aws/ecs/index.ts'
import { lambda } from '../providers/aws/lambda/index.ts'
import { sagemaker } from '../providers/aws/sagemaker/index.ts'
import { baseten } from '../providers/baseten/index.ts'
import { cog } from '../providers/cog/index.ts'
import type { Provider } from '../providers/contract.ts'
import { koyeb } from '../providers/koyeb/index.ts'
import { modal } from '../providers/modal/index.ts'
import { replicate } from '../providers/replicate/index.ts'
import { runpod } from '../providers/runpod/index.ts'

/** A vendor's emulator with the real adapter for it. */
export interface Vendor {
  readonly emulator: Emulator
  /** The adapter of a process that reaches the vendor by this `fetch`. */
  connect(fetch: typeof globalThis.fetch): Provider
  readonly target: object
  /** Most attempts at the same time. Default 8. */
  readonly concurrency?: number
  /** Somebody restarts its machine, with all that runs there. Absent where the vendor sees to that itself. */
  mend?(): void
}

export interface VendorSetup {
  readonly clock: Clock
  readonly random: Random
  readonly faults: readonly FaultRule[]
  /** Reaches the gateway. */
  readonly send: typeof globalThis.fetch
}

/** A kind of provider, and one of its ways to run. */
export interface VendorEntry {
  /** Whose faults of the catalogue it has. */
  readonly kind: string
  /** How often it is chosen, beside the others: what costs more processor time is chosen less. */
  readonly share: number
  /** Where a run lives on the connection that started it. */
  readonly held?: true
  /** Loads what its adapter loads at its first call, which would take real time in the middle of the simulated one. */
  readonly load?: () => Promise<unknown>
  open(setup: VendorSetup & { readonly work: Work }): Vendor
}

const names = [
  ...(['replicate', 'runpod', 'cog', 'cog-held', 'koyeb', 'koyeb-held', 'baseten', 'baseten-held'] as const),
  ...(['modal', 'modal-web', 'ecs', 'lambda', 'sagemaker'] as const),
]
export type VendorName = (typeof names)[number]
export const vendorNames: readonly VendorName[] = names

/** By name; each is at `https://<name>.test`. In every second simulation its worker is our kit, where it can be another's. */
const vendors: { readonly [name in VendorName]: VendorEntry } = {
  replicate: {
    kind: 'replicate',
    share: 3,
    open(setup) {
      // Its allowance is for a pace of minutes; here thousands of starts share a few.
      const emulator = createReplicateEmulator({ ...setup, createsPerMinute: 6_000, readsPerMinute: 60_000 })
      const connect = () => replicate({ token: 'simulated', baseUrl: 'https://replicate.test/v1' })
      // Runs are found again by the kit's own input where the model takes it, else by their webhook's address.
      return { emulator, connect, target: { model: 'test/text', hardware: 'gpu-l40s', kit: isKit(setup) } }
    },
  },
  runpod: {
    kind: 'runpod',
    share: 3,
    open(setup) {
      // As many workers as places: with fewer, whatever holds one keeps everybody else in the queue.
      const emulator = createRunpodEmulator({ ...setup, maxWorkers: 8 })
      const connect = () => runpod({ apiKey: 'simulated', baseUrl: 'https://runpod.test/v2' })
      // Runs whose start was lost are known again by the kit's hello, else by the webhook of their end only.
      return { emulator, connect, target: { endpoint: 'text', hardware: 'l40s', kit: isKit(setup) } }
    },
  },
  cog: { kind: 'cog', share: 3, open: setup => openCog(setup, 'webhook') },
  'cog-held': { kind: 'cog', share: 2, held: true, open: setup => openCog(setup, 'held') },
  koyeb: { kind: 'koyeb', share: 3, held: true, open: setup => openKoyeb(setup, 'webhook') },
  'koyeb-held': { kind: 'koyeb', share: 1, held: true, open: setup => openKoyeb(setup, 'held') },
  baseten: { kind: 'baseten', share: 3, open: setup => openBaseten(setup, 'async') },
  'baseten-held': { kind: 'baseten', share: 2, held: true, open: setup => openBaseten(setup, 'held') },
  modal: {
    kind: 'modal',
    share: 2,
    load: () => import('modal'),
    open(setup) {
      const emulator = createModalEmulator(setup)
      // The SDK speaks gRPC, which needs sockets: its calls take the process's own way all the same.
      const connect = (fetch: typeof globalThis.fetch) =>
        modal({ tokenId: 'ak', tokenSecret: 'as', grpcMiddleware: [grpcOverFetch(fetch, 'https://modal.test')] })
      return { emulator, connect, target: { app: 'text', function: 'predict', hardware: 'l4', kit: isKit(setup) } }
    },
  },
  'modal-web': {
    kind: 'modal',
    share: 2,
    held: true,
    open(setup) {
      const target = { url: 'https://modal-web.test/web/text', pricePerSecond: 0.0002, kit: isKit(setup) }
      return { emulator: createModalEmulator(setup), connect: () => modal({ mode: 'web' }), target }
    },
  },
  ecs: {
    kind: 'ecs',
    share: 0.15,
    load: () => Promise.all([import('@aws-sdk/client-ecs'), loadBucket()]),
    open(setup) {
      const bucket = isKit(setup) ? { bucket: 'predictions' } : {}
      const options = { ...accessTo('ecs'), ...bucket, cluster: 'gpu' }
      const target = { taskDefinition: 'text:1', capacityProvider: 'gpu-asg', gpus: 1, hardware: 'g6e.xlarge' }
      return { emulator: createAwsEmulator(setup), connect: () => ecs(options), target }
    },
  },
  lambda: {
    kind: 'lambda',
    share: 0.15,
    load: () => Promise.all([import('@aws-sdk/client-lambda'), loadBucket()]),
    open(setup) {
      const options = { ...accessTo('lambda'), bucket: 'predictions' }
      const target = { function: 'text:live', memoryMb: 1024 }
      return { emulator: createAwsEmulator(setup), connect: () => lambda(options), target }
    },
  },
  sagemaker: {
    kind: 'sagemaker',
    share: 0.15,
    load: () => Promise.all([import('@aws-sdk/client-sagemaker-runtime'), loadSagemaker(), loadBucket()]),
    open(setup) {
      const options = { ...accessTo('sagemaker'), bucket: 'predictions' }
      const target = { endpoint: 'text', kit: isKit(setup), pricePerSecond: 0.0004 }
      return { emulator: createAwsEmulator(setup), connect: () => sagemaker(options), target }
    },
  },
}

/**
 * Alone, or two that fail over to each other, in order of preference: drawn by their shares. Where connections end with
 * the request, none that needs one for a whole run.
 */
export function chooseVendors(random: Random, serverless: boolean): readonly VendorName[] {
  const choice = vendorNames.filter(name => !(serverless && vendors[name].held))
  const first = draw(random, choice)
  const isAlone = random() < 0.5
  const others = choice.filter(name => name !== first)
  return isAlone ? [first] : [first, draw(random, others)]
}

function draw(random: Random, choice: readonly VendorName[]): VendorName {
  const [first = 'replicate', ...rest] = choice
  let left = random() * choice.reduce((sum, name) => sum + vendors[name].share, 0)
  for (const name of choice) {
    left -= vendors[name].share
    if (left < 0) return name
  }
  return rest.at(-1) ?? first
}

/** The kind whose faults a vendor has. */
export function kindOf(name: VendorName): string {
  return vendors[name].kind
}

/** Opens a vendor; what its adapter needs is loaded then. */
export async function openVendor(name: VendorName, setup: VendorSetup): Promise<Vendor> {
  const { load, open } = vendors[name]
  await load?.()
  return open({ ...setup, work: createWork(setup.clock) })
}

type Setup = VendorSetup & { readonly work: Work }

function openCog(setup: Setup, mode: 'webhook' | 'held'): Vendor {
  const version = setup.random() < 0.5 ? 'coglet' : 'python'
  const slots = setup.random() < 0.5 ? 1 : 4
  const emulator = createCogEmulator({ ...setup, version, slots, pricePerSecond: 0.0002 })
  const baseUrl = mode === 'held' ? 'https://cog-held.test' : 'https://cog.test'
  return {
    emulator,
    connect: () => cog({ baseUrl, mode }),
    target: { pricePerSecond: 0.0002, kit: isKit(setup) },
    // Some forget to say how many places there are.
    concurrency: setup.random() < 0.8 ? slots : slots + 2,
    mend: emulator.replace,
  }
}

function openKoyeb(setup: Setup, mode: 'webhook' | 'held'): Vendor {
  const whileWaking = ([404, 503, 'hold'] as const)[Math.floor(setup.random() * 3)] ?? 503
  const emulator = createKoyebEmulator({ ...setup, whileWaking, slots: 4 })
  const baseUrl = mode === 'held' ? 'https://koyeb-held.test' : 'https://koyeb.test'
  return {
    emulator,
    connect: () => koyeb({ baseUrl, mode }),
    target: { hardware: 'gpu-nvidia-l4', kit: isKit(setup) },
    concurrency: 4,
    mend: emulator.redeploy,
  }
}

function openBaseten(setup: Setup, mode: 'async' | 'held'): Vendor {
  const webhookSecrets = ['whsec_simulated']
  const emulator = createBasetenEmulator({ ...setup, webhookSecrets, maxReplicas: 8 })
  const baseUrl = mode === 'held' ? 'https://baseten-held.test' : 'https://baseten.test'
  return {
    emulator,
    connect: () => baseten({ apiKey: 'simulated', mode, baseUrl, webhookSecrets }),
    target: { model: 'abcd1234', hardware: 'l4', kit: isKit(setup) },
  }
}

function isKit({ random }: VendorSetup): boolean {
  return random() < 0.5
}

function accessTo(name: string) {
  const credentials = { accessKeyId: 'AKIASIMULATED', secretAccessKey: 'simulated' }
  return { region: 'us-east-1', credentials, endpoint: `https://${name}.test` }
}

function loadBucket(): Promise<unknown> {
  return Promise.all([import('@aws-sdk/client-s3'), import('@aws-sdk/s3-request-presigner')])
}

function loadSagemaker(): Promise<unknown> {
  return import('@aws-sdk/client-sagemaker')
}

function createWork(clock: Clock): Work {
  const bytes = new TextEncoder().encode('done')
  return createFixedWork({ clock, durationMs: 6_000, steps: 4, name: 'text.txt', mediaType: 'text/plain', bytes })
}
