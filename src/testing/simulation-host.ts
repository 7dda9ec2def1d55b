import type { Random } from '../core/clock.ts'
import type { Engine } from '../engine/contract.ts'
import type { Store } from '../store/contract.ts'
import type { SimulatedClock } from './clock.ts'
import type { Process } from './simulation-process.ts'

/** Whatever runs the gateway of a simulation. */
export interface Host {
  /** A way to the gateway for one who asks something of it. */
  connect(): Ask
  /** Somebody follows this prediction from now on. */
  visit(id: string): void
  /** One of its processes may die, or freeze. */
  harm(): Promise<void>
  /** From now on nobody asks for anything but providers and their kits. */
  calm(): void
  /** Resolves when nothing is under way and nothing begins any more. */
  stop(): Promise<void>
  /** Throws when a reader saw what nobody may see. */
  check(): void
  tally(): HostTally
}

/** Asks, at best about the prediction of that id; rejects, or never answers, where the process that was asked dies. */
export type Ask = <T>(work: (engine: Engine) => Promise<T>, id?: string) => Promise<T>

export interface HostTally {
  readonly crashes: number
  readonly freezes: number
  /** Turns that were begun; none where loops run. */
  readonly turns: number
}

export interface HostSetup {
  readonly clock: SimulatedClock
  readonly random: Random
  readonly weather: { readonly faults: boolean }
  /** One more process, whose engine is not started; `dress` puts something between it and the store. Default: nothing. */
  readonly prepare: (dress?: (store: Store) => Store) => Process
}

const engineCount = 3

/** Three engines that live, and are started again when they die. */
export async function createEngines({ clock, random, prepare }: HostSetup): Promise<Host> {
  const processes: Process[] = []
  const pick = () => processes[Math.floor(random() * processes.length)]
  let crashes = 0
  let freezes = 0

  async function boot(): Promise<Process> {
    const process = prepare()
    await process.engine.start()
    return process
  }

  for (let count = 0; count < engineCount; count++) processes.push(await boot())
  return {
    connect() {
      const process = pick()
      return async ask => (process === undefined ? Promise.reject(new Error('no process')) : await ask(process.engine))
    },
    visit() {},
    async harm() {
      if (random() < 0.03) {
        crashes += 1
        const index = Math.floor(random() * processes.length)
        processes[index]?.die()
        await clock.advance(Math.floor(random() * 5_000))
        processes[index] = await boot()
      }
      if (random() < 0.01) {
        freezes += 1
        const frozen = pick()
        frozen?.freeze()
        clock.after(random() * 30_000, () => frozen?.thaw())
      }
    },
    calm() {},
    async stop() {
      await Promise.all(processes.map(({ engine }) => engine.stop()))
    },
    check() {},
    tally: () => ({ crashes, freezes, turns: 0 }),
  }
}
