import type { Random } from '../core/clock.ts'
import { refuse } from '../core/failure.ts'
import type { Json } from '../core/json.ts'
import { type CatalogueEntry, type FaultName, faultCatalogue, faultsAt, fraction } from '../emulators/catalogue.ts'
import { asFetch, type LedgerEntry } from '../emulators/contract.ts'
import type { FaultRule } from '../emulators/faults.ts'
import type { Download } from '../files/contract.ts'
import type { Provider } from '../providers/contract.ts'
import type { RunAtVendor } from './rules.ts'
import { attemptOfWebhook, type Front } from './simulation-front.ts'
import { deploy, type Site, type SiteSetup } from './simulation-sites.ts'
import { kindOf, openVendor, type VendorName } from './simulation-vendors.ts'

/** A vendor's emulator behind the real adapter. */
export interface EmulatedSite extends Site {
  readonly name: VendorName
  /** Reaches the vendor. */
  readonly fetch: typeof globalThis.fetch
  /** How many starts each fault befell. */
  readonly faults: ReadonlyMap<FaultName, number>
}

/** The real adapter on the emulated vendor, with a mix of the vendor's faults that the seed decides. */
export async function createEmulatedSite(
  name: VendorName,
  setup: SiteSetup & Pick<Front, 'send'>,
): Promise<EmulatedSite> {
  const { random, weather } = setup
  const faults = new Map<FaultName, number>()
  const mix = weather.faults ? mixFaults(name, random, faults) : []
  const vendor = await openVendor(name, { ...setup, faults: mix })
  const { emulator, target, mend } = vendor
  const told = createTestimony()
  return {
    name,
    faults,
    deploy: fetch => deploy(name, told.by(vendor.connect(fetch)), target, vendor.concurrency),
    fetch: asFetch(emulator),
    runs: async () => emulator.state().ledger.map(entry => toRun(entry, told.isDenied)),
    mend: () => mend?.(),
    calm: () => emulator.setFaults([]),
    close: emulator.close,
  }
}

/** What a vendor last said of its runs: those that it denies cannot be followed by anybody. */
function createTestimony() {
  /** By handle, the newest last. */
  const words = new Map<string, boolean>()
  function note(handle: Json, denies: boolean): void {
    const key = JSON.stringify(handle)
    words.delete(key)
    words.set(key, denies)
  }
  return {
    /** The provider, whose answers are noted. */
    by(provider: Provider): Provider {
      const { poll, cancel } = provider
      return {
        ...provider,
        ...(poll && {
          async poll(handle, io) {
            const seen = await poll.call(provider, handle, io)
            note(handle, seen.status === 'gone')
            return seen
          },
        }),
        ...(cancel && {
          async cancel(handle, io) {
            const answer = await cancel.call(provider, handle, io)
            if (answer === 'ended') note(handle, true)
            return answer
          },
        }),
      }
    },
    isDenied: (id: string) => [...words].findLast(([handle]) => handle.includes(id))?.[1] ?? false,
  }
}

/** A line of the bill, with whose run it is: by its label, webhook, or the kit's part of its input, else by the wish. */
function toRun(
  { id, isRunning, input, label, webhook, amount }: LedgerEntry,
  isDenied: (id: string) => boolean,
): RunAtVendor {
  const { prompt, surefoot } = { prompt: '', surefoot: undefined, ...(input as object | null) }
  const kit = { attempt: null, ...(surefoot as object | undefined) }
  const attemptId = label ?? kit.attempt ?? (webhook === null ? null : attemptOfWebhook(webhook))
  const isLive = isRunning && !isDenied(id) && !(attemptId !== null && isDenied(attemptId))
  return { attemptId, wish: prompt, isRunning: isLive, amount }
}

/** The only network there is: it reaches the sites by the names of their deployments' providers. */
export function createNetwork(sites: readonly EmulatedSite[]): { fetch: typeof globalThis.fetch; download: Download } {
  const byHost = new Map(sites.map(site => [`${site.name}.test`, site]))
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { host } = new URL(input instanceof Request ? input.url : String(input))
    const site = byHost.get(host)
    if (site === undefined) throw new TypeError('fetch failed', { cause: new Error(`${host} does not exist`) })
    return site.fetch(input, init)
  }
  return {
    fetch,
    async download(url, { signal, maxBytes }) {
      const response = await fetch(url, { signal }).catch((cause: unknown) =>
        refuse('provider_unreachable', 'The download was cut.', { cause }),
      )
      if (!response.ok || response.body === null)
        return refuse('input_invalid', `The download answers ${response.status}.`)
      const bytes = Number(response.headers.get('content-length'))
      if (bytes > maxBytes) refuse('input_too_large', `The download has ${bytes} bytes.`)
      return { body: response.body, mediaType: response.headers.get('content-type'), bytes, name: 'text.txt' }
    },
  }
}

/** One of these and nobody is sent there for minutes: met in every simulation, they would leave the others nothing to do. */
const closing: ReadonlySet<FaultName> = new Set([
  ...([
    'create-401',
    'create-402',
    'create-403',
    'setup-failed',
    'boot-forever',
    'worker-crash',
    'deactivated',
  ] as const),
])

/** About every third fault of the catalogue, each rare: some runs meet several, many meet none. */
function mixFaults(name: VendorName, random: Random, counts: Map<FaultName, number>): FaultRule[] {
  return faultsAt(kindOf(name))
    .filter(fault => random() < (closing.has(fault) ? 0.06 : 0.3))
    .map(fault => ({
      name: fault,
      parameter: chooseParameter(fault, random),
      probability: random() * 0.06,
      after: 0,
      times: null,
      hit: () => counts.set(fault, (counts.get(fault) ?? 0) + 1),
    }))
}

/** The words that a parameter may be, where it is no number. */
const words: { readonly [fault in FaultName]?: readonly string[] } = {
  'create-422': ['version', 'token', 'input'],
  'create-429': ['seconds', 'float', 'date', 'body', 'bare'],
  'status-429': ['seconds', 'float', 'date', 'body', 'bare'],
  'create-500': ['accepted', 'refused'],
  'create-502': ['accepted', 'refused'],
  'create-503': ['accepted', 'refused'],
  'create-504': ['accepted', 'refused'],
  'create-524': ['accepted', 'refused'],
  'timed-out': ['queue', 'run'],
  'weird-status': ['live', 'end'],
  'empty-output': ['null', 'object', 'list'],
}

/** Any of the words, any fraction, any few answers; other numbers as the catalogue has them. */
function chooseParameter(fault: FaultName, random: Random): string | null {
  const { parameter }: CatalogueEntry = faultCatalogue[fault]
  const choice = words[fault]
  if (choice !== undefined) return choice[Math.floor(random() * choice.length)] ?? null
  if (parameter?.[0] === fraction) return random().toFixed(2)
  return parameter?.[0] === 'how many answers' ? String(1 + Math.floor(random() * 6)) : null
}
