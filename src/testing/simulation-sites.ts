import type { Clock, Random } from '../core/clock.ts'
import { refuse } from '../core/failure.ts'
import { faultsAt } from '../emulators/catalogue.ts'
import { asFetch } from '../emulators/contract.ts'
import type { FaultRule } from '../emulators/faults.ts'
import { createReplicateEmulator } from '../emulators/replicate/index.ts'
import { createFixedWork } from '../emulators/works.ts'
import type { Deployment } from '../engine/contract.ts'
import type { Download } from '../files/contract.ts'
import type { HeardRequest, Provider } from '../providers/contract.ts'
import { replicate } from '../providers/replicate/index.ts'
import { settle } from './clock.ts'
import { createScriptedProvider, isRunning, plainScript, type Script } from './scripted-provider.ts'

/** A place of a simulation where predictions run, with what its bill would show. */
export interface Site {
  readonly deployment: Deployment
  /** Runs that were begun there, each of which is paid, whether or not anybody got to know of it. */
  paidStarts(): number
  /** Attempts whose runs still work there. */
  running(): Promise<readonly string[]>
  /** What begins from now on behaves well. */
  calm(): void
  close(): void
}

export interface SiteSetup {
  readonly clock: Clock
  readonly random: Random
  readonly weather: { readonly faults: boolean }
}

/** A provider whose runs follow scripts: slow, stuck, failing, forgotten, lost on the way. */
export function createScriptedSite(name: string, canFind: boolean, setup: SiteSetup): Site {
  const { clock, random, weather } = setup
  const pause = (ms: number) => new Promise<void>(resolve => void clock.after(ms, resolve))
  const provider = createScriptedProvider({
    clock,
    canFind,
    pollMs: 2_000,
    script: () => createScript(random, weather.faults),
    async before(verb) {
      await pause(random() * 300)
      if (verb !== 'start' && weather.faults && random() < 0.1) throw new Error('The status endpoint answers 503.')
      if (weather.faults && random() < 0.02) await pause(60_000)
    },
  })
  return {
    deployment: deploy(name, provider, {}),
    paidStarts: () => provider.runs.length,
    running: async () => provider.runs.filter(run => isRunning(run, clock.now())).map(run => run.attemptId),
    calm: () => {},
    close: () => {},
  }
}

function createScript(random: Random, faults: boolean): Script {
  const bootAt = random() * 5_000
  const runAt = bootAt + random() * 5_000
  const healthy: Script = { ...plainScript, bootAt, runAt, endAt: runAt + random() * 20_000 }
  if (!faults) return healthy
  const never = Number.POSITIVE_INFINITY
  return {
    ...healthy,
    ...(random() < 0.08 && { endAt: never, stallAt: random() }),
    ...(random() < 0.04 && { bootAt: never, runAt: never, endAt: never }),
    ...(random() < 0.05 && { end: 'failed' as const }),
    ...(random() < 0.03 && { end: 'empty' as const }),
    ...(random() < 0.03 && { end: 'gone' as const }),
    ...(random() < 0.03 && { output: 'broken' }),
    ...(random() < 0.1 && { ignoresCancel: true }),
    ...(random() < 0.1 && {
      start: random() < 0.5 ? ('lost' as const) : random() < 0.5 ? ('lost-before' as const) : ('rejected' as const),
    }),
  }
}

export interface ReplicateSite extends Site {
  /** The only network there is: it reaches the emulator. */
  readonly fetch: typeof globalThis.fetch
  readonly download: Download
}

/**
 * The real adapter on the emulated vendor, with a mix of the vendor's faults that the seed decides. `hear` gets the
 * webhooks that the vendor sends, at a process of the simulation's choice.
 */
export function createReplicateSite(
  name: string,
  setup: SiteSetup & { hear(attemptId: string, secret: string, request: HeardRequest): Promise<void> },
): ReplicateSite {
  const { clock, random, weather, hear } = setup
  const bytes = new TextEncoder().encode('done')
  const emulator = createReplicateEmulator({
    clock,
    random,
    work: createFixedWork({ clock, durationMs: 6_000, steps: 4, name: 'text.txt', mediaType: 'text/plain', bytes }),
    faults: weather.faults ? mixFaults(random) : [],
    // Its allowance is for a pace of minutes; here thousands of starts share a few.
    createsPerMinute: 6_000,
    readsPerMinute: 60_000,
    async send(input, init) {
      const request = new Request(input, init)
      const { attemptId, secret } = readWebhook(request.url)
      try {
        await hear(attemptId, secret, { headers: request.headers, body: await request.bytes() })
        return new Response(null, { status: 204 })
      } catch {
        return new Response(null, { status: 401 })
      }
    },
  })
  const reach = asFetch(emulator)
  /** Runs that the vendor said it does not know, late enough to be believed: nobody can follow those. */
  const denied = new Set<string>()
  const fetch: typeof reach = async (input, init) => {
    const { url } = new Request(input, init)
    const response = await reach(input, init)
    if (response.status === 404) denied.add(url.split('/').at(-1) ?? '')
    return response
  }
  const provider = replicate({ token: 'simulated', baseUrl: 'https://replicate.test/v1' })
  // Runs are found again by the kit's own input where the model takes it, else by their webhook's address.
  const target = { model: 'test/text', hardware: 'gpu-l40s', kit: random() < 0.5 }

  async function attemptOf(id: string): Promise<string | null> {
    // What runs keeps its faults: its answers may be wrong or missing a few times.
    for (let tries = 0; tries < 30; tries++) {
      const ending = new AbortController()
      const init = { headers: { authorization: 'Bearer simulated' }, signal: ending.signal }
      const reading = reach(`https://replicate.test/v1/predictions/${id}`, init).then(answer => answer.json())
      const body: unknown = await Promise.race([reading.catch(() => null), settle()])
      ending.abort()
      if (typeof body === 'object' && body !== null && 'webhook' in body)
        return readWebhook(String(body.webhook)).attemptId
    }
    return null
  }

  return {
    deployment: deploy(name, provider, provider.parseTarget(target)),
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
    paidStarts: () => emulator.state().submits,
    async running() {
      const { ledger } = emulator.state()
      const live = ledger.filter(
        ({ id, status }) => !denied.has(id) && (status === 'starting' || status === 'processing'),
      )
      return (await Promise.all(live.map(({ id }) => attemptOf(id)))).filter(attempt => attempt !== null)
    },
    calm: () => emulator.setFaults([]),
    close: emulator.close,
  }
}

/** The address under which the simulation is told of an attempt of the emulated vendor. */
export function webhookUrl(attemptId: string, secret: string): string {
  return `https://us.test/${attemptId}/${secret}`
}

function readWebhook(url: string): { attemptId: string; secret: string } {
  const [, attemptId = '', secret = ''] = new URL(url).pathname.split('/')
  return { attemptId, secret }
}

/** About every third fault of the catalogue, each rare: some runs meet several, many meet none. */
function mixFaults(random: Random): FaultRule[] {
  return faultsAt('replicate')
    .filter(() => random() < 0.3)
    .map(name => ({ name, parameter: null, probability: random() * 0.06, after: 0, times: null }))
}

function deploy(name: string, provider: Provider, target: Deployment['target']): Deployment {
  return { name: `text@${name}`, providerName: name, provider, target, concurrency: 8 }
}
