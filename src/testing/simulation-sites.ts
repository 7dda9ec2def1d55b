import type { Clock, Random } from '../core/clock.ts'
import type { Deployment } from '../engine/contract.ts'
import type { Provider } from '../providers/contract.ts'
import type { RunAtVendor } from './rules.ts'
import { createScriptedProvider, isRunning, plainScript, type Script } from './scripted-provider.ts'

/** A place of a simulation where predictions run, with what its bill would show. */
export interface Site {
  readonly name: string
  /** As a process that reaches the network by this `fetch` is configured for it. */
  deploy(fetch: typeof globalThis.fetch): Deployment
  /** Runs that were begun there, each of which is paid, whether or not anybody got to know of it. */
  runs(): Promise<readonly RunAtVendor[]>
  /** Somebody restarts what does not restart by itself. */
  mend(): void
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
    name,
    deploy: () => deploy(name, provider, {}),
    runs: async () =>
      provider.runs.map(run => {
        const isLive = isRunning(run, clock.now())
        return { attemptId: run.attemptId, wish: '', isRunning: isLive, amount: null }
      }),
    mend: () => {},
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

/** The simulation's model at a provider, with fewer places than are often asked for: 8 by default. */
export function deploy(name: string, provider: Provider, target: object, concurrency: number = 8): Deployment {
  const parsed = provider.parseTarget(target)
  return { name: `text@${name}`, providerName: name, provider, target: parsed, concurrency }
}
