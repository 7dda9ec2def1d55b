import type { Random } from '../core/clock.ts'
import { refuse } from '../core/failure.ts'
import { type CatalogueEntry, type FaultName, faultCatalogue, faultsAt, fraction } from '../emulators/catalogue.ts'
import { asFetch } from '../emulators/contract.ts'
import type { FaultRule } from '../emulators/faults.ts'
import type { Download } from '../files/contract.ts'
import { attemptOfWebhook, type Front } from './simulation-front.ts'
import { deploy, type Site, type SiteSetup } from './simulation-sites.ts'
import { type VendorName, vendors } from './simulation-vendors.ts'

/** A vendor's emulator behind the real adapter. */
export interface EmulatedSite extends Site {
  /** Reaches the vendor. */
  readonly fetch: typeof globalThis.fetch
}

/** The real adapter on the emulated vendor, with a mix of the vendor's faults that the seed decides. */
export function createEmulatedSite(name: VendorName, setup: SiteSetup & Pick<Front, 'send'>): EmulatedSite {
  const { random, weather } = setup
  const vendor = vendors[name]({ ...setup, faults: weather.faults ? mixFaults(name, random) : [] })
  const { emulator, provider, target } = vendor
  const reach = asFetch(emulator)
  /** Runs that the vendor does not know by its last word on them: nobody can follow those. */
  const denied = new Set<string>()
  const live = new Set(vendor.live)
  return {
    deployment: deploy(name, provider, target),
    async fetch(input, init) {
      const response = await reach(input, init)
      const id = urlOf(input).split('/').at(-1) ?? ''
      if (response.status === 404) denied.add(id)
      else if (response.ok) denied.delete(id)
      return response
    },
    paidStarts: () => emulator.state().submits,
    async running() {
      const runs = emulator.state().ledger.filter(({ id, status }) => live.has(status) && !denied.has(id))
      const webhooks = await Promise.all(runs.map(({ id }) => vendor.webhookOf(id)))
      return webhooks.flatMap(url => (url === null ? [] : (attemptOfWebhook(url) ?? [])))
    },
    calm: () => emulator.setFaults([]),
    close: emulator.close,
  }
}

/** The only network there is: it reaches the sites by the names of their deployments' providers. */
export function createNetwork(sites: readonly EmulatedSite[]): { fetch: typeof globalThis.fetch; download: Download } {
  const byHost = new Map(sites.map(site => [`${site.deployment.providerName}.test`, site]))
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { host } = new URL(urlOf(input))
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

function urlOf(input: Parameters<typeof globalThis.fetch>[0]): string {
  return input instanceof Request ? input.url : String(input)
}

/** About every third fault of the catalogue, each rare: some runs meet several, many meet none. */
function mixFaults(name: VendorName, random: Random): FaultRule[] {
  return faultsAt(name)
    .filter(() => random() < 0.3)
    .map(fault => ({
      name: fault,
      parameter: chooseParameter(fault, random),
      probability: random() * 0.06,
      after: 0,
      times: null,
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
