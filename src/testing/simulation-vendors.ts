import type { Clock, Random } from '../core/clock.ts'
import type { Emulator } from '../emulators/contract.ts'
import type { FaultRule } from '../emulators/faults.ts'
import { createReplicateEmulator } from '../emulators/replicate/index.ts'
import { createRunpodEmulator } from '../emulators/runpod/index.ts'
import { createFixedWork } from '../emulators/works.ts'
import type { Deployment } from '../engine/contract.ts'
import type { Provider } from '../providers/contract.ts'
import { replicate } from '../providers/replicate/index.ts'
import { runpod } from '../providers/runpod/index.ts'
import { settle } from './clock.ts'

/** A vendor's emulator with the real adapter for it. */
export interface Vendor {
  readonly provider: Provider
  readonly target: Deployment['target']
  readonly emulator: Emulator
  /** The ledger's words for runs that have not ended. */
  readonly live: readonly string[]
  /** The address that a run was given for its webhooks; null where it cannot be learned. */
  webhookOf(id: string): Promise<string | null>
}

export interface VendorSetup {
  readonly clock: Clock
  readonly random: Random
  readonly faults: readonly FaultRule[]
  /** Reaches the gateway. */
  readonly send: typeof globalThis.fetch
}

export type VendorName = 'replicate' | 'runpod'

/** By name; each is at `https://<name>.test`. */
export const vendors: { readonly [name in VendorName]: (setup: VendorSetup) => Vendor } = {
  replicate(setup) {
    const emulator = createReplicateEmulator({
      ...setup,
      work: createWork(setup.clock),
      // Its allowance is for a pace of minutes; here thousands of starts share a few.
      createsPerMinute: 6_000,
      readsPerMinute: 60_000,
    })
    const provider = replicate({ token: 'simulated', baseUrl: 'https://replicate.test/v1' })
    // Runs are found again by the kit's own input where the model takes it, else by their webhook's address.
    const target = { model: 'test/text', hardware: 'gpu-l40s', kit: setup.random() < 0.5 }
    return {
      emulator,
      provider,
      target: provider.parseTarget(target),
      live: ['starting', 'processing'],
      webhookOf: id => readWebhook(emulator, id),
    }
  },
  runpod(setup) {
    // As many workers as places: with fewer, whatever holds one keeps everybody else in the queue.
    const emulator = createRunpodEmulator({ ...setup, work: createWork(setup.clock), maxWorkers: 8 })
    const provider = runpod({ apiKey: 'simulated', baseUrl: 'https://runpod.test/v2' })
    // Runs whose start was lost are known again by the kit's hello, else by the webhook of their end only.
    const target = { endpoint: 'text', hardware: 'l40s', kit: setup.random() < 0.5 }
    return {
      emulator,
      provider,
      target: provider.parseTarget(target),
      live: ['IN_QUEUE', 'IN_PROGRESS'],
      webhookOf: async id => emulator.webhookOf(id),
    }
  },
}

function createWork(clock: Clock) {
  const bytes = new TextEncoder().encode('done')
  return createFixedWork({ clock, durationMs: 6_000, steps: 4, name: 'text.txt', mediaType: 'text/plain', bytes })
}

/** What runs keeps its faults: its answers may be wrong or missing a few times. */
async function readWebhook(emulator: Emulator, id: string): Promise<string | null> {
  const url = `https://replicate.test/v1/predictions/${id}`
  for (let tries = 0; tries < 30; tries++) {
    const ending = new AbortController()
    const init = { headers: { authorization: 'Bearer simulated' }, signal: ending.signal }
    const reading = emulator.fetch(new Request(url, init)).then(answer => answer.json())
    const body: unknown = await Promise.race([reading.catch(() => null), settle()])
    ending.abort()
    if (typeof body === 'object' && body !== null && 'webhook' in body) return String(body.webhook)
  }
  return null
}
