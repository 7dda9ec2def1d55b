import type { Clock, Random } from '../core/clock.ts'
import type { Effect, PredictionEvent } from '../core/events.ts'
import { invariant } from '../core/failure.ts'
import { budgetDayOf } from '../core/money.ts'
import type { Policy } from '../core/policy.ts'
import { type Attempt, isEnded, isTerminal, type PredictionRecord } from '../core/prediction.ts'
import { type Step, step, type Taken } from '../core/step.ts'
import { progressEveryMs, worthWriting } from '../core/writing.ts'
import type { Quota, Reservation, Store, StoredPrediction } from '../store/contract.ts'
import type { Log, Route } from './contract.ts'
import type { Journal } from './create-journal.ts'
import type { Insight } from './insight.ts'
import { startLoop } from './loop.ts'
import type { Migrations } from './migrations.ts'
import { forgottenEffects, interruptible, isLoser, vanished } from './pending-effects.ts'
import { createPlaces } from './places.ts'
import { refuseMore, refuseOvertaken } from './quotas.ts'
import { everyDeployment, findDeployment } from './routes.ts'
import { createWorlds } from './worlds.ts'

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
  /** Resolves once nothing is under way and nothing that is held wants to be stepped before `until` (milliseconds since 1970). */
  quiet(until: number): Promise<void>
  /** Stops, and leaves every record as it is known here, due when it wants to be: the next process waits for no more and asks no sooner. */
  sleep(): Promise<void>
}

export interface DriverDependencies {
  /** Unique for each process start: the name on leases and pending effects. */
  readonly name: string
  /** True where no other process can be alive (an owned data folder). */
  readonly alone: boolean
  readonly store: Store
  readonly routes: ReadonlyMap<string, Route>
  readonly clock: Clock
  readonly random: Random
  readonly newId: () => string
  readonly log: Log
  /** Told of everything that is written. */
  readonly journal: Journal
  /** Begins an effect and answers with the event that it leads to; never rejects. */
  perform(effect: Effect, record: PredictionRecord, leaseUntil: number): Promise<PredictionEvent>
  /** Ends the calls of effects that nobody waits for any more. */
  abort(effects: readonly string[], reason: string): void
  /** Ends calls that whoever comes next makes again. */
  interrupt(effects: readonly string[]): void
  /** Removes what an attempt has brought that did not win; never rejects. */
  discard(record: PredictionRecord, attempt: Attempt): Promise<void>
  /** Removes the file that an event has brought and its record knows nothing of; never rejects. */
  dropUnknown(record: PredictionRecord, event: PredictionEvent): Promise<void>
  /** What stored attempts say; read again in a loop of the driver's. */
  readonly insight: Insight
  /** Where the traffic of models that move goes. */
  readonly migrations: Pick<Migrations, 'order'>
  /** Called after every change of a held record, written or not. */
  changed(id: string): void
}

const leaseMs = 15_000
const renewEveryMs = leaseMs / 3
const pickUpEveryMs = 1_000
const pickUpBatch = 64
/** How old what stored attempts say may be. */
const insightEveryMs = 2_000
/** How long a store that fails is left alone before the event is tried again. */
const storeRetryMs = 500
/** So often what an effect brought back is given to a store that fails, by a process that stops. */
const lastTries = 3

interface Held {
  readonly id: string
  stored: PredictionRecord
  current: PredictionRecord
  version: number
  writtenAt: number
  /** Events are taken in one at a time, in order of arrival. */
  queue: Promise<unknown>
  cancelWake: () => void
  /** When it is stepped next; Infinity while no timer is set. */
  wakeAt: number
  /** What the last step answered. */
  nextAt: number | null
}

export function createDriver(dependencies: DriverDependencies): Driver {
  const {
    name,
    store,
    routes,
    clock,
    log,
    journal,
    insight,
    perform,
    abort,
    interrupt,
    discard,
    dropUnknown,
    changed,
  } = dependencies
  const deployments = everyDeployment(routes)
  const places = createPlaces(routes, insight)
  const worldFor = createWorlds({ ...dependencies, places })
  const records = new Map<string, Held>()
  /** Effects of this process that have not been answered yet; and starts whose answer could not be stored, never sent again. */
  const begun = new Set<string>()
  /** What `stop` waits for. */
  const underWay = new Set<Promise<unknown>>()
  let clockOffset = 0
  let leaseUntil = 0
  let running = false
  let renewing: Promise<void> | null = null
  /** Each ends one loop and resolves when its last turn is over. */
  let endLoops: (() => Promise<void>)[] = []
  let unwatch = () => {}

  const now = () => clock.now() + clockOffset

  function hold(stored: StoredPrediction): Held {
    const known = records.get(stored.record.id)
    if (known !== undefined) return known
    const held: Held = {
      id: stored.record.id,
      stored: stored.record,
      current: stored.record,
      version: stored.version,
      writtenAt: 0,
      queue: Promise.resolve(),
      cancelWake: () => {},
      wakeAt: Infinity,
      nextAt: stored.nextAt,
    }
    records.set(held.id, held)
    return held
  }

  /** The record is settled, or somebody else's now. */
  function letGo(held: Held): void {
    held.cancelWake()
    records.delete(held.id)
    wakeAll(places.forget(held.id))
  }

  function wakeAll(ids: readonly string[]): void {
    for (const id of ids) {
      const held = records.get(id)
      if (held !== undefined) wakeAt(held, now())
    }
  }

  function wakeAt(held: Held, at: number): void {
    held.cancelWake()
    held.wakeAt = at
    held.cancelWake = clock.after(at - now(), () => {
      held.wakeAt = Infinity
      void enqueue(held, { type: 'timePassed' }).catch(reportStoreFault)
    })
  }

  function reportStoreFault(error: unknown): void {
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
      if (records.get(held.id) === held) wakeAt(held, now() + storeRetryMs)
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
      if (records.get(held.id) !== held)
        return (
          (await applyElsewhere(held.id, event, delivery)) ?? {
            record: held.current,
            version: held.version,
            nextAt: null,
          }
        )
      const at = now()
      const mayBegin = running && at < leaseUntil
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
            reservations: next.reservations.map(taken => reservationOf(taken, policy, at)),
            ...(quota !== undefined && { quota }),
            lease: next.nextAt === null ? 'release' : { engine: name, leaseMs },
          },
        ])
        journal.outage.worked()
        if (outcome === 'replayed') {
          // It may have been leased for this very event: then nobody else would ever step it.
          wakeAt(held, at)
          return { record: held.current, version: held.version, nextAt: null }
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

  function reservationOf({ deployment, amount }: Taken, { budgetPerDay }: Policy, at: number): Reservation {
    const configured = findDeployment(routes, deployment)
    return {
      deployment,
      concurrency: configured?.concurrency ?? 0,
      startsPerMinute: configured?.startsPerMinute ?? null,
      budget: budgetPerDay === null ? null : { amount, since: budgetDayOf(at), limit: budgetPerDay },
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
    discardLost(before, next.record)
    for (const effect of next.effects) begin(held, effect)
    if (mayBegin) for (const effect of forgottenEffects(next.record, name, now())) begin(held, effect)
    if (before !== next.record) changed(held.id)
    if (next.nextAt === null) letGo(held)
    else if (mayBegin) wakeAt(held, next.nextAt)
    // The lease could not be renewed in time: nothing may begin before it is.
    else if (running) wakeAt(held, now() + storeRetryMs)
  }

  function noteRetryAfter(event: PredictionEvent, record: PredictionRecord): void {
    if (event.type !== 'startRejected' || event.failure.retryAfterMs === undefined) return
    const attempt = record.attempts.find(candidate => candidate.id === event.attempt)
    if (attempt !== undefined) places.close(attempt.deployment, now() + event.failure.retryAfterMs)
  }

  function begin(held: Held, effect: Effect): void {
    if (begun.has(effect.effect)) return
    begun.add(effect.effect)
    track(
      leaseFor(effect)
        .then(until => perform(effect, held.current, until))
        .then(answer => deliver(held.id, answer))
        .then(isStored => void ((isStored || effect.type !== 'start') && begun.delete(effect.effect))),
    )
  }

  function track(task: Promise<unknown>): void {
    underWay.add(task)
    void task.finally(() => underWay.delete(task))
  }

  /**
   * An attempt that has ended without winning keeps no file. Whoever writes its end sees to that; and whoever settles the
   * prediction, because the first may have died right then, or never have heard that its write succeeded.
   */
  function discardLost(before: PredictionRecord, after: PredictionRecord): void {
    for (const attempt of after.attempts) {
      const earlier = before.attempts.find(({ id }) => id === attempt.id)
      const isNews = earlier === undefined || !isEnded(earlier.state)
      if (isLoser(attempt) && (isNews || after.settledAt !== null)) track(discard(after, attempt))
    }
  }

  /** A start is sent only while the lease outlasts its time limit: renewed first where it would be close. */
  async function leaseFor(effect: Effect): Promise<number> {
    if (effect.type !== 'start') return leaseUntil
    const needed = (findDeployment(routes, effect.deployment)?.provider.limits.startTimeoutMs ?? 0) + renewEveryMs / 2
    if (leaseUntil - now() > needed) return leaseUntil
    renewing ??= renew()
      .catch(reportStoreFault)
      .finally(() => {
        renewing = null
      })
    await renewing
    return leaseUntil
  }

  function isHeld(deployment: string): boolean {
    return findDeployment(routes, deployment)?.provider.limits.heldStart ?? false
  }

  /**
   * What an effect brought back is worth more than one try: a handle that is not stored is a run that nobody follows. False
   * where the store was away and this process waits no longer.
   */
  async function deliver(id: string, answer: PredictionEvent): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        const stored = await apply(id, answer)
        if (stored !== null) await dropUnknown(stored.record, answer)
        // Collected, but meanwhile another engine had ended the attempt: nobody but us knows of the file.
        if (answer.type !== 'collected' || stored === null) return true
        const attempt = stored.record.attempts.find(({ id }) => id === answer.attempt)
        if (attempt !== undefined && isLoser(attempt)) await discard(stored.record, attempt)
        return true
      } catch (error) {
        reportStoreFault(error)
        if (!running && tries >= lastTries) return false
        await new Promise<void>(resolve => void clock.after(storeRetryMs, resolve))
      }
    }
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
      if (records.get(held.id) !== held || held.version >= version) return
      await reload(held)
      await process(held, { type: 'timePassed' }, null)
    })
    held.queue = turn.catch(error => {
      reportStoreFault(error)
      if (records.get(held.id) === held) wakeAt(held, now() + storeRetryMs)
    })
  }

  async function apply(
    id: string,
    event: PredictionEvent,
    delivery: string | null = null,
  ): Promise<StoredPrediction | null> {
    const held = records.get(id)
    if (held !== undefined) return enqueue(held, event, delivery)
    if (running) {
      const leased = await store.leaseOne(id, { engine: name, leaseMs })
      if (leased !== null) return enqueue(hold(leased), event, delivery)
    }
    return applyElsewhere(id, event, delivery)
  }

  /** Without the lease: facts are written, nothing begins, and the record is due at once for its holder. */
  async function applyElsewhere(
    id: string,
    event: PredictionEvent,
    delivery: string | null,
  ): Promise<StoredPrediction | null> {
    for (;;) {
      const stored = await store.get(id)
      if (stored === null) return null
      const { world, policy } = worldFor(stored.record, now(), false)
      const next = step(stored.record, event, now(), policy, world)
      if (delivery === null && worthWriting(stored.record, next.record) === 'never') return stored
      const [outcome] = await store.commit([
        {
          record: next.record,
          version: stored.version,
          nextAt: next.nextAt,
          delivery,
          reservations: [],
          lease: 'unchanged',
        },
      ])
      if (outcome === 'replayed') return stored
      if (outcome === 'committed') {
        journal.changed(stored.record, next.record)
        discardLost(stored.record, next.record)
        changed(id)
        return { record: next.record, version: stored.version + 1, nextAt: next.nextAt }
      }
    }
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
        const fresh = leased.filter(({ record }) => !records.has(record.id) && !isTerminal(record.status))
        journal.tookOver(fresh.length)
      }
      for (const stored of leased) {
        if (!routes.has(stored.record.model))
          log(
            'warn',
            `Prediction ${stored.record.id} asks for ${stored.record.model}, which is not configured any more.`,
          )
        void enqueue(hold(stored), { type: 'timePassed' }).catch(reportStoreFault)
      }
    } while (running && left > 0 && leased.length === pickUpBatch)
  }

  async function renew(): Promise<void> {
    const asked = clock.now()
    const before = [...records.values()].filter(held => held.version > 0)
    const [mine, storeNow] = await Promise.all([store.renew(name, leaseMs), store.now()])
    journal.outage.worked()
    clockOffset = storeNow - clock.now()
    // Counted from before the question: the lease may end earlier than we think, never later.
    leaseUntil = asked + clockOffset + leaseMs
    for (const held of before) {
      const version = mine.get(held.id)
      if (records.get(held.id) !== held) continue
      if (version === undefined) letGo(held)
      else if (version > held.version) refresh(held, version)
    }
    // Ours by the store's word, unknown here: the answer to an insert or to a lease was lost.
    for (const id of mine.keys()) if (!records.has(id)) track(apply(id, { type: 'timePassed' }).catch(reportStoreFault))
  }

  async function readInsight(): Promise<void> {
    await insight.refresh(now())
    for (const { name } of deployments) journal.breaker(name, insight.breaker(name, now()))
  }

  async function look(limit: number): Promise<void> {
    await renew()
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
    const loop = (everyMs: number, work: () => Promise<void>) => startLoop(clock, everyMs, work, reportStoreFault)
    endLoops = [loop(renewEveryMs, renew), loop(pickUpEveryMs, () => pickUp(limit)), loop(insightEveryMs, readInsight)]
  }

  async function end(before: () => Promise<void> = async () => {}): Promise<void> {
    running = false
    unwatch()
    await Promise.all(endLoops.map(stop => stop()))
    for (const held of records.values()) held.cancelWake()
    // An event that is being taken in may still begin effects, and every answer is an event.
    do {
      await Promise.all([...records.values()].map(held => held.queue))
      interrupt([...records.values()].flatMap(held => interruptible(held.current, isHeld)))
      await Promise.all(underWay)
    } while (underWay.size > 0)
    for (const held of records.values()) held.cancelWake()
    await before()
    const ids = [...records.keys()]
    records.clear()
    for (const id of ids) places.forget(id)
    await store.release(name, ids)
  }

  /** What was not worth a write while it was held, such as when to ask again, is worth one when nobody holds it. */
  async function keep(): Promise<void> {
    const changed = [...records.values()].filter(held => held.current !== held.stored && held.version > 0)
    if (changed.length === 0) return
    await store
      .commit(
        changed.map(({ current: record, version, nextAt }) => ({
          record,
          version,
          nextAt,
          reservations: [],
          lease: 'release',
        })),
      )
      .catch(reportStoreFault)
  }

  return {
    now,
    pulse: () => ({ running, held: records.size, leaseUntil }),
    apply,
    async insert(record, quota) {
      const held = hold({ record, version: 0, nextAt: now() })
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
      const held = records.get(id)
      return held === undefined || held.version === 0
        ? null
        : { record: held.current, version: held.version, nextAt: null }
    },
    async start() {
      await awaken(Infinity)
      unwatch = store.watch(change => {
        const held = records.get(change.id)
        if (held !== undefined && change.version > held.version) refresh(held, change.version)
      })
    },
    stop: end,
    wake: awaken,
    look,
    async quiet(until) {
      for (;;) {
        await Promise.all([...records.values()].map(held => held.queue))
        await Promise.all(underWay)
        if (underWay.size > 0) continue
        const next = Math.min(...[...records.values()].map(held => held.wakeAt))
        if (next > until) return
        await new Promise<void>(resolve => void clock.after(next - now(), resolve))
      }
    },
    async sleep() {
      await end(keep)
    },
  }
}
