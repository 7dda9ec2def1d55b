import { isTerminal } from '../core/prediction.ts'
import type { Engine, Turn, TurnOptions } from '../engine/contract.ts'
import type { Store } from '../store/contract.ts'
import type { Host, HostSetup } from './simulation-host.ts'
import type { Process } from './simulation-process.ts'

/** How often the cron asks. */
export const cronMs = 60_000
/** The platform ends a process that takes so much longer than its turn was given. */
const graceMs = 5_000
/** So many processes are kept for later requests, and what was frozen last serves first. */
const mostResting = 4

interface Instance {
  readonly process: Process
  /** Requests that it serves. */
  readonly open: Set<object>
  /** Rejects when it dies. */
  readonly death: Promise<never>
  die(): void
  /** The store's call with which it dies. */
  lastCall: number
  /** Of its present requests' time it may have missed some. */
  wasFrozen: boolean
}

/**
 * A host for functions: no engine is ever started. Every request of a client, a provider or a kit, and of a cron each
 * minute, is one turn; most have a process of their own, some share one, some wake one that was frozen after its last
 * request. Processes are killed within a turn, at any moment or at any call of the store, whose calls fail now and then; and
 * whatever takes longer than the platform gives is ended by it. Clients come back for what they have asked for, most
 * of them, until it has ended; at the end nobody comes but the cron, and vendors with what they know.
 *
 * Held connections end with the process, so deployments that live on one (Modal's web endpoints, Koyeb, Cog and Baseten
 * where they are held) cannot be driven like this.
 */
export function createFunctions(setup: HostSetup): Host {
  const { clock, random, weather, prepare } = setup
  const busy = new Set<Instance>()
  const resting: Instance[] = []
  const running = new Set<Promise<unknown>>()
  const broken: string[] = []
  /** Of the turns so many are to be killed; those that are over before have been lucky. */
  const peril = random() * 0.5
  let isCalm = false
  let crashes = 0
  let freezes = 0
  let turns = 0

  function boot(): Instance {
    const { promise: death, reject } = Promise.withResolvers<never>()
    death.catch(() => {})
    const process = prepare(store => perilous(store, setup, () => instance))
    const instance: Instance = {
      process,
      open: new Set(),
      death,
      lastCall: Number.POSITIVE_INFINITY,
      wasFrozen: false,
      die() {
        if (busy.delete(instance)) crashes += 1
        process.die()
        reject(new Error('The process has died.'))
      },
    }
    return instance
  }

  function take(): Instance {
    const chance = random()
    const shared = chance < 0.2 ? [...busy][Math.floor(random() * busy.size)] : undefined
    if (shared !== undefined) return shared
    const kept = chance < 0.6 ? resting.pop() : undefined
    kept?.process.thaw()
    return kept ?? boot()
  }

  /** Served its last request for now: the host keeps it frozen, or ends it. */
  function rest(instance: Instance): void {
    if (!busy.delete(instance)) return
    instance.wasFrozen = false
    if (random() < 0.7) {
      instance.process.freeze()
      resting.push(instance)
      if (resting.length > mostResting) resting.shift()?.process.die()
    } else instance.process.die()
  }

  async function serve<T>(
    work: (engine: Engine, turn: Turn, instance: Instance) => Promise<T>,
    options: TurnOptions = {},
  ): Promise<T> {
    turns += 1
    const request = {}
    const limitMs = 2_000 + random() * 8_000
    const instance = take()
    busy.add(instance)
    instance.open.add(request)
    const chance = weather.faults ? random() / peril : 1
    if (chance < 0.5) instance.lastCall = Math.min(instance.lastCall, 1 + Math.floor(random() * 30))
    const endsAfterMs = 0.5 < chance && chance < 1 ? random() * limitMs : limitMs + graceMs
    const disarm = clock.after(endsAfterMs, instance.die)
    const { engine } = instance.process
    const turn = engine.turn(turn => work(engine, turn, instance), { ...options, limitMs })
    turn.catch(() => {})
    const over = Promise.race([turn, instance.death]).finally(() => {
      disarm()
      instance.open.delete(request)
      if (instance.open.size === 0) rest(instance)
    })
    running.add(over)
    void over.catch(() => {}).then(() => running.delete(over))
    return await over
  }

  /** What a reader may not see: a prediction that still lives when it should have ended. */
  async function look(engine: Engine, id: string, instance: Instance): Promise<boolean> {
    const at = clock.now()
    const seen = await engine.get(id)
    if (seen === null || isTerminal(seen.record.status)) return true
    if (at > seen.record.deadlineAt && !instance.wasFrozen)
      broken.push(`1: a reader saw prediction ${id} as ${seen.record.status} after its deadline`)
    return false
  }

  function comeBack(id: string, everyMs: number): void {
    clock.after(everyMs, async () => {
      if (isCalm) return
      const hasEnded = await serve(async (engine, turn, instance) => {
        // Some wait for a change, some ask only how it stands.
        const chance = random()
        if (chance < 0.8) await turn.advance({ id, ...(chance < 0.2 && { until: clock.now() + 4_000 }) })
        return await look(engine, id, instance)
      }).catch(() => false)
      if (!hasEnded) comeBack(id, everyMs)
    })
  }

  let disarmCron = () => {}
  function waitForCron(): void {
    disarmCron = clock.after(cronMs, () => {
      waitForCron()
      const tick = async (_: Engine, turn: Turn) => {
        await turn.keepHouse()
        await turn.advance()
      }
      void serve(tick, { others: Number.POSITIVE_INFINITY }).catch(() => {})
    })
  }
  waitForCron()

  return {
    connect: () => (ask, id) =>
      serve(async (engine, turn) => {
        const answer = await ask(engine)
        if (random() < 0.8) await turn.advance(id === undefined ? {} : { id })
        return answer
      }),
    visit(id) {
      if (random() < 0.7) comeBack(id, 1_000 + random() * 9_000)
    },
    async harm() {
      if (random() >= 0.05) return
      const frozen = [...busy][Math.floor(random() * busy.size)]
      if (frozen === undefined) return
      freezes += 1
      frozen.wasFrozen = true
      frozen.process.freeze()
      clock.after(random() * 8_000, frozen.process.thaw)
    },
    calm() {
      isCalm = true
    },
    async stop() {
      disarmCron()
      while (running.size > 0) await Promise.allSettled(running)
    },
    check() {
      if (broken.length > 0) throw new Error(`${broken.length} broken rules; the first: ${broken[0]}`)
    },
    tally: () => ({ crashes, freezes, turns }),
  }
}

/** A store each of whose calls may fail, or be its process's last: before it is made, or before its answer comes. */
function perilous(
  store: Store,
  { random, weather }: Pick<HostSetup, 'random' | 'weather'>,
  instanceOf: () => Instance,
): Store {
  return new Proxy(store, {
    get(target, key) {
      const verb: unknown = Reflect.get(target, key)
      if (typeof verb !== 'function' || key === 'watch' || key === 'close') return verb
      return async (...args: unknown[]) => {
        const instance = instanceOf()
        instance.lastCall -= 1
        const isLast = instance.lastCall === 0
        if (isLast && random() < 0.5) return await dieIn(instance)
        if (weather.faults && random() < 0.003) throw new Error('The store is away.')
        const answer = await verb.apply(target, args)
        return isLast ? await dieIn(instance) : answer
      }
    },
  })
}

async function dieIn(instance: Instance): Promise<never> {
  instance.die()
  return await new Promise<never>(() => {})
}
