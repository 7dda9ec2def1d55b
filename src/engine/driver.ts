import type { Effect, PredictionEvent } from '../core/events.ts'
import { invariant } from '../core/failure.ts'
import { isTerminal, type PredictionRecord } from '../core/prediction.ts'
import { type Step, step } from '../core/step.ts'
import { progressEveryMs, worthWriting } from '../core/writing.ts'
import type { Quota, Store, StoredPrediction } from '../store/contract.ts'
import type { Log } from './contract.ts'
import type { Journal } from './create-journal.ts'
import { createElsewhere } from './elsewhere.ts'
import { createHeldRecords, type Held } from './held.ts'
import { createLeases, leaseMs, renewEveryMs } from './leases.ts'
import { startLoop } from './loop.ts'
import { forgottenEffects, interruptible, interruptibleInHaste, vanished } from './pending-effects.ts'
import { createPlaces } from './places.ts'
import { refuseMore, refuseOvertaken } from './quotas.ts'
import { reservationOf } from './reservations.ts'
import { everyDeployment, findDeployment } from './routes.ts'
import { createUnderWay, storeRetryMs, type UnderWayDependencies } from './under-way.ts'
import { createWorlds, type WorldDependencies } from './worlds.ts'

/**
 * Drives predictions: holds their leases, steps them when they are due, stores what changed, begins what must begin.
 *
 * A record is *held* from pick-up until it is settled, its lease is lost, or the driver stops. Held records live in
 * memory and are stepped one event at a time; the store sees a write only when something changed that matters. Two
 * fences: effects begin only while the lease is held; every write is a compare-and-set on the version, so that an
 * answer which arrives after the lease is gone is still taken in, by stepping whatever record is newest then.
 */
export interface Driver {
  /**
   * Inserts a fresh record together with its first step. Fails with `rate_limited` or `budget_exceeded` where the quota of
   * its owner (default: none) has no room.
   */
  insert(record: PredictionRecord, quota?: Quota): Promise<StoredPrediction>
  /** Takes in an event, whoever holds the record; null when there is none. A `delivery` seen before changes nothing. */
  apply(id: string, event: PredictionEvent, delivery?: string | null): Promise<StoredPrediction | null>
  /** What is held in memory, fresher than the store. */
  held(id: string): StoredPrediction | null
  /** Milliseconds since 1970 by the store's clock. */
  now(): number
  /** Whether its loops run, how many records it holds, and until when it may begin effects (milliseconds since 1970). */
  pulse(): { readonly running: boolean; readonly held: number; readonly leaseUntil: number }
  /** Runs until `stop`. It may start again after that. */
  start(): Promise<void>
  stop(): Promise<void>
  /**
   * The same for a process that will not wait for anything: no connection listens for what other processes write, and at most
   * `limit` due records are picked up.
   */
  wake(limit: number): Promise<void>
  /** Looks for due records while awake: for whoever comes when it is awake already, after a time in which this process may have been frozen. */
  look(limit: number): Promise<void>
  /**
   * Resolves once nothing is under way and nothing that is held wants to be stepped before `until` (milliseconds since 1970);
   * with an `id`, of that record only.
   */
  quiet(until: number, id?: string): Promise<void>
  /** Stops, waits for starts only, and leaves every record as it is known here, due when it wants to be: the next process waits for no more and asks no sooner. */
  sleep(): Promise<void>
}

export interface DriverDependencies
  extends Omit<WorldDependencies, 'places'>,
    Pick<UnderWayDependencies, 'clock' | 'perform' | 'discard' | 'dropUnknown'> {
  readonly store: Store
  readonly log: Log
  /** Told of everything that is written. */
  readonly journal: Journal
  /** Ends the calls of effects that nobody waits for any more. */
  abort(effects: readonly string[], reason: string): void
  /** Ends calls that whoever comes next makes again. */
  interrupt(effects: readonly string[]): void
  /** Called after every change of a held record, written or not. */
  changed(id: string): void
}

const pickUpEveryMs = 1_000
const pickUpBatch = 64
/** How old what stored attempts say may be. */
const insightEveryMs = 2_000

export function createDriver(dependencies: DriverDependencies): Driver {
  const { name, store, routes, clock, log, journal, insight, abort, interrupt, changed } = dependencies
  const deployments = everyDeployment(routes)
  const places = createPlaces(routes, insight)
  const worldFor = createWorlds({ ...dependencies, places })
  const leases = createLeases({ name, store, clock, compare, reportFault })
  const { now } = leases
  const records = createHeldRecords({
    ...{ clock, now },
    due: held => void enqueue(held, { type: 'timePassed' }).catch(reportFault),
  })
  const underWay = createUnderWay({ ...dependencies, isRunning: () => running, leaseFor, apply, reportFault })
  const applyElsewhere = createElsewhere({
    ...{ store, worldFor, now },
    wrote(before, after) {
      journal.changed(before, after)
      underWay.discardLost(before, after)
      changed(after.id)
    },
  })
  let running = false
  /** Each ends one loop and resolves when its last turn is over. */
  let endLoops: (() => Promise<void>)[] = []
  let unwatch = () => {}

  /** The record is settled, or somebody else's now. */
  function letGo(held: Held): void {
    records.drop(held)
    wakeAll(places.forget(held.id))
  }

  function wakeAll(ids: readonly string[]): void {
    for (const id of ids) {
      const held = records.find(id)
      if (held !== undefined) records.wakeAt(held, now())
    }
  }

  function reportFault(error: unknown): void {
    journal.outage.failed(error)
  }

  /** Takes in an event after those before it. When the store fails the record stays as it was and is stepped again soon. */
  function enqueue(
    held: Held,
    event: PredictionEvent,
    delivery: string | null = null,
    quota?: Quota,
  ): Promise<StoredPrediction> {
    const turn = held.queue.then(() => process(held, event, delivery, quota))
    held.queue = turn.catch(() => {
      if (records.has(held)) records.wakeAt(held, now() + storeRetryMs)
    })
    return turn
  }

  async function process(
    held: Held,
    event: PredictionEvent,
    delivery: string | null,
    quota?: Quota,
  ): Promise<StoredPrediction> {
    for (;;) {
      if (!records.has(held)) return (await applyElsewhere(held.id, event, delivery)) ?? known(held)
      const at = now()
      const mayBegin = running && at < leases.until()
      const { world, policy } = worldFor(held.current, at, mayBegin)
      const next = step(held.current, event, at, policy, world)
      const write = held.version === 0 || delivery !== null ? 'now' : worthWriting(held.stored, next.record)
      if (write === 'now' || (write === 'later' && at - held.writtenAt >= progressEveryMs)) {
        const [outcome] = await store.commit([
          {
            record: next.record,
            version: held.version,
            // Our lease keeps others away; without it the record is theirs at once, whatever we were waiting for.
            nextAt: next.nextAt === null ? null : Math.min(next.nextAt, at + leaseMs),
            delivery,
            reservations: next.reservations.map(taken => reservationOf(routes, taken, policy, at)),
            ...(quota !== undefined && { quota }),
            lease: { engine: name, leaseMs: next.nextAt === null ? null : leaseMs },
          },
        ])
        journal.outage.worked()
        if (outcome === 'replayed') {
          // It may have been leased for this very event: then nobody else would ever step it.
          records.wakeAt(held, at)
          return known(held)
        }
        if (quota !== undefined && outcome === 'too_many') refuseMore(quota.live ?? 0)
        if (quota !== undefined && outcome === 'too_dear') refuseOvertaken(quota)
        if (outcome === 'refused') {
          for (const { deployment } of next.reservations) places.full(deployment, now() + pickUpEveryMs)
          // It may have been the day's money: then the next step must know.
          if (policy.budgetPerDay !== null) await insight.read(now())
          continue
        }
        if (outcome === 'conflict') {
          invariant(held.version > 0, `prediction ${held.id} exists already`)
          await reload(held)
          continue
        }
        held.stored = next.record
        held.version += 1
        insight.stale()
        for (const { deployment } of next.reservations) insight.began(deployment, at)
        held.writtenAt = at
      }
      settle(held, event, next, mayBegin)
      return { record: held.current, version: held.version, nextAt: next.nextAt }
    }
  }

  /** After the write: memory follows, calls that nobody waits for end, new ones begin, and the next wake-up is set. */
  function settle(held: Held, event: PredictionEvent, next: Step, mayBegin: boolean): void {
    const before = held.current
    held.current = next.record
    held.nextAt = next.nextAt
    journal.changed(before, next.record)
    noteRetryAfter(event, before)
    wakeAll(places.update(next.record))
    abort(
      vanished(before, next.record),
      isTerminal(next.record.status) ? `the prediction ended as ${next.record.status}` : 'the attempt ended',
    )
    underWay.discardLost(before, next.record)
    for (const effect of next.effects) underWay.begin(held, effect)
    if (mayBegin) for (const effect of forgottenEffects(next.record, name, now())) underWay.begin(held, effect)
    if (before !== next.record) changed(held.id)
    if (next.nextAt === null) letGo(held)
    else if (mayBegin) records.wakeAt(held, next.nextAt)
    // The lease could not be renewed in time: nothing may begin before it is.
    else if (running) records.wakeAt(held, now() + storeRetryMs)
  }

  function noteRetryAfter(event: PredictionEvent, record: PredictionRecord): void {
    if (event.type !== 'startRejected' || event.failure.retryAfterMs === undefined) return
    const attempt = record.attempts.find(candidate => candidate.id === event.attempt)
    if (attempt !== undefined) places.close(attempt.deployment, now() + event.failure.retryAfterMs)
  }

  /** A start is sent only while the lease outlasts its time limit: renewed first where it would be close. */
  function leaseFor(effect: Effect): Promise<number> {
    if (effect.type !== 'start') return Promise.resolve(leases.until())
    const limitMs = findDeployment(routes, effect.deployment)?.provider.limits.startTimeoutMs ?? 0
    return leases.lasting(limitMs + renewEveryMs / 2)
  }

  function isHeld(deployment: string): boolean {
    return findDeployment(routes, deployment)?.provider.limits.heldStart ?? false
  }

  /** Somebody else wrote the record: take the newest, keep it if the lease is still ours. */
  async function reload(held: Held): Promise<void> {
    const fresh = await store.leaseOne(held.id, { engine: name, leaseMs })
    if (fresh === null) return letGo(held)
    abort(vanished(held.current, fresh.record), 'another process ended the attempt')
    held.stored = fresh.record
    held.current = fresh.record
    held.version = fresh.version
  }

  /** Another process wrote a record that we hold (a cancel, a webhook): step its newest state, after what is under way. */
  function refresh(held: Held, version: number): void {
    const turn = held.queue.then(async () => {
      // Looked at in its turn: our own commits are announced too, before their record here knows of them.
      if (!records.has(held) || held.version >= version) return
      await reload(held)
      await process(held, { type: 'timePassed' }, null)
    })
    held.queue = turn.catch(error => {
      reportFault(error)
      if (records.has(held)) records.wakeAt(held, now() + storeRetryMs)
    })
  }

  async function apply(
    id: string,
    event: PredictionEvent,
    delivery: string | null = null,
  ): Promise<StoredPrediction | null> {
    const held = records.find(id)
    if (held !== undefined) return enqueue(held, event, delivery)
    if (running) {
      const leased = await store.leaseOne(id, { engine: name, leaseMs })
      if (leased !== null) return enqueue(records.hold(leased), event, delivery)
    }
    return applyElsewhere(id, event, delivery)
  }

  async function pickUp(most = Infinity): Promise<void> {
    if (!running) return
    let leased: readonly StoredPrediction[]
    let left = most
    do {
      leased = await store.lease({ engine: name, leaseMs, limit: Math.min(left, pickUpBatch) })
      left -= leased.length
      // What turns pick up was put down by the one before: that is how they work.
      if (most === Infinity) {
        const fresh = leased.filter(({ record }) => records.find(record.id) === undefined && !isTerminal(record.status))
        journal.tookOver(fresh.length)
      }
      for (const stored of leased) {
        if (!routes.has(stored.record.model))
          log(
            'warn',
            `Prediction ${stored.record.id} asks for ${stored.record.model}, which is not configured any more.`,
          )
        void enqueue(records.hold(stored), { type: 'timePassed' }).catch(reportFault)
      }
    } while (running && left > 0 && leased.length === pickUpBatch)
  }

  /** At a renewal: what is held by then and not ours any more is let go; what others wrote is read anew. */
  function compare(): (mine: ReadonlyMap<string, number>) => void {
    const before = records.all().filter(held => held.version > 0)
    return mine => {
      journal.outage.worked()
      for (const held of before) {
        const version = mine.get(held.id)
        if (!records.has(held)) continue
        if (version === undefined) letGo(held)
        else if (version > held.version) refresh(held, version)
      }
      // Ours by the store's word, unknown here: the answer to an insert or to a lease was lost.
      for (const id of mine.keys())
        if (records.find(id) === undefined) underWay.track(apply(id, { type: 'timePassed' }).catch(reportFault))
    }
  }

  async function readInsight(): Promise<void> {
    await insight.refresh(now())
    for (const { name } of deployments) journal.breaker(name, insight.breaker(name, now()))
  }

  async function look(limit: number): Promise<void> {
    await leases.renew()
    await readInsight()
    await pickUp(limit)
  }

  async function awaken(limit: number): Promise<void> {
    running = true
    try {
      await look(limit)
    } catch (error) {
      running = false
      throw error
    }
    const loop = (everyMs: number, work: () => Promise<void>) => startLoop(clock, everyMs, work, reportFault)
    endLoops = [
      loop(renewEveryMs, leases.renew),
      loop(pickUpEveryMs, () => pickUp(limit)),
      loop(insightEveryMs, readInsight),
    ]
  }

  async function end(cutOff = interruptible, before: () => Promise<void> = async () => {}): Promise<void> {
    running = false
    unwatch()
    await Promise.all(endLoops.map(stop => stop()))
    records.rest()
    // An event that is being taken in may still begin effects, and every answer is an event.
    do {
      await records.idle()
      interrupt(records.all().flatMap(held => cutOff(held.current, isHeld)))
      await underWay.ended()
    } while (!underWay.isEmpty())
    records.rest()
    await before()
    const ids = records.clear()
    for (const id of ids) places.forget(id)
    await store.release(name, ids)
  }

  /** What was not worth a write while it was held, such as when to ask again, is worth one when nobody holds it. */
  async function keep(): Promise<void> {
    const changes = records.unwritten(name)
    if (changes.length > 0) await store.commit(changes).catch(reportFault)
  }

  return {
    now,
    pulse: () => ({ running, held: records.all().length, leaseUntil: leases.until() }),
    apply,
    async insert(record, quota) {
      const held = records.hold({ record, version: 0, nextAt: now() })
      try {
        const stored = await enqueue(held, { type: 'timePassed' }, null, quota)
        journal.created(record)
        return stored
      } catch (error) {
        letGo(held)
        // The write may have happened although its answer was lost: then the prediction exists, and ends like any other.
        const stored = await store.get(record.id).catch(() => null)
        if (stored === null) throw error
        return (await apply(record.id, { type: 'timePassed' })) ?? stored
      }
    },
    held(id) {
      const held = records.find(id)
      return held === undefined || held.version === 0 ? null : known(held)
    },
    async start() {
      await awaken(Infinity)
      unwatch = store.watch(change => {
        const held = records.find(change.id)
        if (held !== undefined && change.version > held.version) refresh(held, change.version)
      })
    },
    stop: () => end(),
    wake: awaken,
    look,
    async quiet(until, id) {
      for (;;) {
        await records.idle()
        await underWay.ended(id)
        if (!underWay.isEmpty(id)) continue
        const next = Math.min(
          ...records.all().map(held => (id === undefined || held.id === id ? held.wakeAt : Infinity)),
        )
        if (next > until) return
        await new Promise<void>(resolve => void clock.after(next - now(), resolve))
      }
    },
    async sleep() {
      await end(interruptibleInHaste, keep)
    },
  }
}

function known({ current: record, version }: Held): StoredPrediction {
  return { record, version, nextAt: null }
}
