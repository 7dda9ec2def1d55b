import type { Clock, Random } from '../core/clock.ts'
import type { Engine } from '../engine/contract.ts'
import { createEngine, type EngineDependencies } from '../engine/engine.ts'
import type { Download } from '../files/contract.ts'

/** One engine process of a simulation, with everything that the system can do to it. */
export interface Process {
  readonly engine: Engine
  /** As by SIGKILL: no call of its own answers any more, no timer of its own fires. */
  die(): void
  /** As by SIGSTOP. */
  freeze(): void
  /** As by SIGCONT: answers and timers that came meanwhile arrive now. */
  thaw(): void
}

export type ProcessSetup = Omit<EngineDependencies, 'alone' | 'log' | 'serverKey' | 'routes'> & {
  /** Its configuration, which may hold what reaches the network by the process's own `fetch`. */
  readonly routes: (fetch: typeof globalThis.fetch) => EngineDependencies['routes']
  /** How far this process's own clock is ahead of the store's. */
  readonly skewMs: number
  /** True where it owns the data folder. Default false. */
  readonly alone?: boolean
  /** Default: nobody reads it. */
  readonly log?: EngineDependencies['log']
}

/** The key of the marker secrets of all simulated processes. */
export const serverKey = 'simulation'

/** An engine whose every way to the world leads through a gate. */
export function createProcess({ skewMs, alone = false, log = () => {}, ...setup }: ProcessSetup): Process {
  const gate = createGate()
  const { store, files, download, notify } = setup
  const fetch = gate.fetch(setup.fetch)
  const engine = createEngine({
    ...setup,
    alone,
    serverKey,
    log,
    store: {
      ...gate.port(store),
      watch: listener => gate.watch(store.watch(change => gate.run(() => listener(change)))),
    },
    files: { ...gate.port(files), path: files.path, list: files.list },
    download: gate.download(download),
    fetch,
    routes: setup.routes(fetch),
    notify: gate.port({ notify }).notify,
    clock: gate.clock(setup.clock, skewMs),
  })
  return { engine, die: gate.close, freeze: gate.freeze, thaw: gate.thaw }
}

/** Fails now and then, before or after the work is done: a caller cannot know which. */
export function failing<Args extends unknown[], Result>(
  work: (...args: Args) => Promise<Result>,
  random: Random,
  weather: { readonly faults: boolean },
  probability: number,
): (...args: Args) => Promise<Result> {
  return async (...args) => {
    if (weather.faults && random() < probability) throw new Error('away before the work was done')
    const result = await work(...args)
    if (weather.faults && random() < probability) throw new Error('away after the work was done')
    return result
  }
}

/** Open, frozen, or closed for ever. What arrives while it is frozen waits; what arrives after it closed never does. */
function createGate() {
  let state: 'open' | 'frozen' | 'closed' = 'open'
  let waiting: (() => void)[] = []
  const timers = new Set<() => void>()
  const connections = new Set<AbortController>()
  const never = new Promise<never>(() => {})

  function run(work: () => void): void {
    if (state === 'open') work()
    else if (state === 'frozen') waiting.push(work)
  }

  /** Resolves at once, or after the thaw, or never. */
  async function pass(): Promise<void> {
    if (state === 'frozen') await new Promise<void>(resolve => waiting.push(resolve))
    if (state === 'closed') await never
  }

  /** The same object with asynchronous functions only, each call of which passes the gate on its way in and out. */
  function port<T extends object>(target: T): T {
    return new Proxy(target, {
      get(object, key, receiver) {
        const value: unknown = Reflect.get(object, key, receiver)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          await pass()
          try {
            return await value.apply(object, args)
          } finally {
            await pass()
          }
        }
      },
    })
  }

  async function* stream(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      await pass()
      yield chunk
    }
  }

  return {
    run,
    port,
    close() {
      state = 'closed'
      waiting = []
      for (const cancel of timers) cancel()
      for (const connection of connections) connection.abort(new Error('the caller is no more'))
    },
    freeze() {
      if (state === 'open') state = 'frozen'
    },
    thaw() {
      if (state !== 'frozen') return
      state = 'open'
      for (const work of waiting.splice(0)) run(work)
    },
    /** Connections end with their process, and the other side sees that. */
    fetch(inner: typeof globalThis.fetch): typeof globalThis.fetch {
      return async (input, init) => {
        await pass()
        const connection = new AbortController()
        const signal = init?.signal ?? undefined
        const end = () => connection.abort(signal?.reason)
        if (signal?.aborted) end()
        signal?.addEventListener('abort', end, { once: true })
        connections.add(connection)
        try {
          return await inner(input, { ...init, signal: connection.signal })
        } finally {
          connections.delete(connection)
          await pass()
        }
      }
    },
    /** Ends a subscription together with the process. */
    watch(unwatch: () => void): () => void {
      timers.add(unwatch)
      return unwatch
    },
    /** A dead process does not go on reading. */
    download(download: Download): Download {
      return async (url, options) => {
        const found = await port({ download }).download(url, options)
        return { ...found, body: stream(found.body) }
      }
    },
    clock(inner: Clock, skewMs: number): Clock {
      return {
        now: () => inner.now() + skewMs,
        after(delayMs, work) {
          if (state === 'closed') return () => {}
          let live = true
          const cancel = inner.after(delayMs, () => {
            timers.delete(cancel)
            run(() => void (live && work()))
          })
          timers.add(cancel)
          return () => {
            live = false
            timers.delete(cancel)
            cancel()
          }
        },
      }
    },
  }
}
