import { randomBytes } from 'node:crypto'
import { invariant, refuse } from '../core/failure.ts'
import { refuseFull } from '../core/file-limits.ts'
import { chargeOf as chargeOfOwner, spentOn } from '../core/money.ts'
import {
  type Attempt,
  isTerminal,
  occupiesPlace,
  type PredictionRecord,
  verdictOf,
  webhookStateOf,
} from '../core/prediction.ts'
import { keptBytesOf } from '../core/retention.ts'
import type { AttemptFact } from '../core/statistics.ts'
import type { Token } from '../core/token.ts'
import { isWarmUp } from '../core/warm-up.ts'
import type {
  Change,
  CommitOutcome,
  FileRow,
  ListQuery,
  PendingFile,
  Reservation,
  Standing,
  Store,
  StoredMigration,
  Usage,
} from '../store/contract.ts'

interface Row {
  readonly record: PredictionRecord
  readonly version: number
  readonly nextAt: number | null
  readonly engine: string | null
  readonly leaseUntil: number
}

/** One attempt as the newest commit left it. */
interface Entry {
  readonly prediction: string
  attempt: Attempt
  fact: AttemptFact
}

/**
 * A store in memory that keeps the store's contract and nothing else: for simulations that ask for thousands of
 * predictions a minute. Each verb takes effect at once, whole, in the order of the calls.
 */
export function createMemoryStore(now: () => number): Store {
  const rows = new Map<string, Row>()
  /** Ids of what is not settled. */
  const open = new Set<string>()
  const attempts = new Map<string, Entry>()
  /** By deployment, oldest plan first. */
  const planned = new Map<string, Entry[]>()
  const live = new Map<string, Set<Entry>>()
  /** What attempts sent since then cost: kept up to date, because it is asked for all the time. */
  const ledger = { since: 0, spent: 0 }
  const deliveries = new Set<string>()
  const secrets = new Map<string, string>()
  const files = new Map<string, FileRow>()
  const neededUntil = new Map<string, number>()
  const places = new Map<string, PendingFile & { readonly taken: boolean }>()
  const migrations = new Map<string, StoredMigration>()
  const tokens = new Map<string, Token>()
  const listeners = new Set<Parameters<Store['watch']>[0]>()

  function apply(change: Change): CommitOutcome {
    const { record, version, nextAt, reservations, lease } = change
    const delivery = change.delivery ?? null
    const row = rows.get(record.id)
    const isTaken = typeof lease === 'object' && row !== undefined && !isFreeFor(row, lease.engine)
    const isStale = (row?.version ?? 0) !== version || isTaken
    if ((reservations.length > 0 || change.quota !== undefined) && isStale) return 'conflict'
    const excess = exceeds(change)
    if (excess !== null) return excess
    if (!reservations.every(reservation => fits(record, reservation))) return 'refused'
    if (delivery !== null && deliveries.has(delivery)) return 'replayed'
    if (isStale) return 'conflict'
    if (delivery !== null) deliveries.add(delivery)
    const [engine, leaseUntil] =
      lease === 'unchanged'
        ? [row?.engine ?? null, row?.leaseUntil ?? 0]
        : lease.leaseMs === null
          ? [null, 0]
          : [lease.engine, now() + lease.leaseMs]
    rows.set(record.id, { record, version: version + 1, nextAt, engine, leaseUntil })
    if (nextAt === null) open.delete(record.id)
    else open.add(record.id)
    for (const attempt of record.attempts) note(record.id, attempt)
    return 'committed'
  }

  function dropFile(id: string): string | null {
    const file = files.get(id)
    files.delete(id)
    return file === undefined || [...files.values()].some(({ key }) => key === file.key) ? null : file.key
  }

  function writeFile(file: FileRow): FileRow {
    const twin = [...files.values()].find(
      ({ id, owner, sha256 }) => id !== file.id && owner === file.owner && sha256 === file.sha256,
    )
    const stored = { ...file, key: twin?.key ?? file.key }
    files.set(file.id, stored)
    return stored
  }

  function isOpen({ taken, expiresAt }: PendingFile & { readonly taken: boolean }): boolean {
    return !taken && expiresAt > now()
  }

  function sumStored(owner: string): number {
    const own = [...files.values()].filter(file => file.owner === owner).map(({ key, bytes }) => [key, bytes] as const)
    const pending = [...places.values()].filter(
      place => place.owner === owner && place.expiresAt > now() && files.get(place.id)?.key !== place.key,
    )
    return [...new Map(own).values(), ...pending.map(({ bytes }) => bytes)].reduce((sum, bytes) => sum + bytes, 0)
  }

  function note(prediction: string, attempt: Attempt): void {
    const known = attempts.get(attempt.id)
    if (known?.attempt === attempt) return
    ledger.spent += chargeOf(attempt) - (known === undefined ? 0 : chargeOf(known.attempt))
    const entry = known ?? plan(prediction, attempt)
    entry.attempt = attempt
    entry.fact = toFact(prediction, attempt)
    const running = live.get(attempt.deployment) ?? new Set()
    live.set(attempt.deployment, running)
    if (occupiesPlace(attempt)) running.add(entry)
    else running.delete(entry)
  }

  function plan(prediction: string, attempt: Attempt): Entry {
    const entry = { prediction, attempt, fact: toFact(prediction, attempt) }
    attempts.set(attempt.id, entry)
    const list = planned.get(attempt.deployment) ?? []
    planned.set(attempt.deployment, list)
    // From the end: engines' clocks differ by little.
    const before = list.findLastIndex(({ attempt: { plannedAt } }) => plannedAt <= attempt.plannedAt)
    list.splice(before + 1, 0, entry)
    return entry
  }

  function chargeOf(attempt: Attempt): number {
    if (attempt.submittedAt === null || attempt.submittedAt < ledger.since) return 0
    return spentOn(attempt)
  }

  function spent(since: number): number {
    if (since !== ledger.since) {
      ledger.since = since
      ledger.spent = 0
      for (const { attempt } of attempts.values()) ledger.spent += chargeOf(attempt)
    }
    return ledger.spent
  }

  function fits(record: PredictionRecord, { deployment, concurrency, startsPerMinute, budget }: Reservation): boolean {
    const others = [...(live.get(deployment) ?? [])].filter(({ prediction }) => prediction !== record.id)
    const own = record.attempts.filter(attempt => attempt.deployment === deployment && occupiesPlace(attempt))
    if (others.length + own.length > concurrency) return false
    if (budget !== null && spent(budget.since) + budget.amount > budget.limit) return false
    if (startsPerMinute === null) return true
    const sent = (planned.get(deployment) ?? []).map(({ attempt }) => attempt.submittedAt ?? 0)
    return sent.filter(at => at > now() - 60_000).length < startsPerMinute
  }

  function used(owner: string, since: number): Usage {
    const own = [...rows.values()].flatMap(({ record }) => (record.owner === owner ? record : []))
    return {
      live: own.filter(({ status }) => !isTerminal(status)).length,
      charged: own.reduce((sum, record) => sum + (record.createdAt < since ? 0 : (chargeOfOwner(record) ?? 0)), 0),
    }
  }

  function exceeds({ record, quota }: Change): 'too_many' | 'too_dear' | null {
    if (quota === undefined) return null
    const { live, charged } = used(record.owner, quota.budget?.since ?? 0)
    if (quota.live !== null && live >= quota.live) return 'too_many'
    return quota.budget !== null && charged + (chargeOfOwner(record) ?? 0) > quota.budget.limit ? 'too_dear' : null
  }

  function isFreeFor(row: Row, engine: string): boolean {
    return row.engine === null || row.engine === engine || row.leaseUntil <= now()
  }

  function take(id: string, row: Row, engine: string, leaseMs: number) {
    rows.set(id, { ...row, engine, leaseUntil: now() + leaseMs })
    return stored(row)
  }

  return {
    async commit(changes) {
      for (const { record, nextAt } of changes)
        invariant(nextAt !== null || record.settledAt !== null, `prediction ${record.id} is not settled and never due`)
      return changes.map(change => {
        const outcome = apply(change)
        const { record, version, nextAt } = change
        const announcement = { id: record.id, version: version + 1, dueNow: nextAt !== null && nextAt <= now() }
        if (outcome === 'committed') for (const listener of listeners) queueMicrotask(() => listener(announcement))
        return outcome
      })
    },
    async lease({ engine, leaseMs, limit }) {
      const due = [...open].flatMap(id => {
        const row = rows.get(id)
        const isDue = row?.nextAt != null && row.nextAt <= now() && (row.engine === null || row.leaseUntil <= now())
        return row !== undefined && isDue ? [{ id, row }] : []
      })
      const first = due.sort((a, b) => (a.row.nextAt ?? 0) - (b.row.nextAt ?? 0) || (a.id < b.id ? -1 : 1))
      return first.slice(0, limit).map(({ id, row }) => take(id, row, engine, leaseMs))
    },
    async leaseOne(id, { engine, leaseMs }) {
      const row = rows.get(id)
      return row === undefined || !isFreeFor(row, engine) ? null : take(id, row, engine, leaseMs)
    },
    async renew(engine, leaseMs) {
      const held = new Map<string, number>()
      for (const id of open) {
        const row = rows.get(id)
        if (row?.engine !== engine || row.leaseUntil <= now()) continue
        held.set(id, take(id, row, engine, leaseMs).version)
      }
      return held
    },
    async release(engine, ids) {
      for (const id of ids) {
        const row = rows.get(id)
        if (row?.engine !== engine) continue
        const nextAt = row.nextAt === null ? null : Math.min(row.nextAt, now())
        rows.set(id, { ...row, nextAt, engine: null, leaseUntil: 0 })
      }
    },
    async get(id) {
      const row = rows.get(id)
      return row === undefined ? null : stored(row)
    },
    async list(query) {
      const listed = [...rows.values()].filter(({ record }) => isListed(record, query))
      return listed
        .sort((a, b) => newestFirst(a.record, b.record))
        .slice(0, query.limit)
        .map(stored)
    },
    async recentAttempts(deployment, limit) {
      const newest = (planned.get(deployment) ?? []).slice(-limit).reverse()
      return newest.map(({ fact }) => fact)
    },
    spentSince: async since => spent(since),
    usedBy: async (owner, since) => used(owner, since),
    predictionOf: async attemptId => attempts.get(attemptId)?.prediction ?? null,
    async secret(name) {
      const value = secrets.get(name) ?? randomBytes(32).toString('base64url')
      secrets.set(name, value)
      return value
    },
    migration: async model => migrations.get(model) ?? null,
    async putMigration(model, { state, version }) {
      if ((migrations.get(model)?.version ?? 0) !== version) return false
      migrations.set(model, { state, version: version + 1 })
      return true
    },
    addToken: async token => void tokens.set(token.id, token),
    findToken: async id => tokens.get(id) ?? null,
    listTokens: async () => [...tokens.values()].sort(newestFirst),
    async revokeToken(id, at) {
      const token = tokens.get(id)
      if (token === undefined || token.revokedAt !== null) return false
      tokens.set(id, { ...token, revokedAt: at })
      return true
    },
    async noteTokenUse(id, at) {
      const token = tokens.get(id)
      if (token !== undefined) tokens.set(id, { ...token, lastUsedAt: at })
    },
    hasTokens: async () => [...tokens.values()].some(({ revokedAt }) => revokedAt === null),
    async putFile(file, storedBytes = null) {
      const before = files.get(file.id)
      const stored = writeFile(file)
      if (storedBytes === null || sumStored(file.owner) <= storedBytes) return stored
      if (before === undefined) files.delete(file.id)
      else files.set(file.id, before)
      return refuseFull(storedBytes)
    },
    storedBytes: async owner => sumStored(owner),
    async addPendingFile(place, storedBytes) {
      if (storedBytes !== null && sumStored(place.owner) + place.bytes > storedBytes) refuseFull(storedBytes)
      places.set(place.id, { ...place, taken: false })
    },
    async getPendingFile(id) {
      const place = places.get(id)
      return place === undefined || !isOpen(place) ? null : withoutTaken(place)
    },
    async takePendingFile(file) {
      const place = places.get(file.id)
      if (place === undefined || !isOpen(place)) return null
      places.set(file.id, { ...place, key: file.key, taken: true })
      return writeFile(file)
    },
    oldestPendingFiles: async ({ before, limit }) =>
      [...places.values()]
        .filter(({ expiresAt }) => expiresAt < before)
        .sort((a, b) => a.expiresAt - b.expiresAt || (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map(withoutTaken),
    async deletePendingFile(id) {
      const place = places.get(id)
      places.delete(id)
      return place === undefined || [...files.values()].some(({ key }) => key === place.key) ? null : place.key
    },
    getFile: async id => files.get(id) ?? null,
    async listFiles({ owner, limit, after }) {
      const own = [...files.values()].filter(file => file.owner === owner).sort(newestFirst)
      const from = after === undefined ? 0 : own.findIndex(({ id }) => id === after) + 1
      if (after !== undefined && from === 0)
        return refuse('input_invalid', 'The file that this page starts after does not exist.')
      return own.slice(from, from + limit)
    },
    deleteFile: async id => dropFile(id),
    async holdFile(id, until) {
      neededUntil.set(id, Math.max(until, neededUntil.get(id) ?? 0))
      return files.has(id)
    },
    deleteUnneeded: async (id, at) =>
      files.has(id) && (neededUntil.get(id) ?? 0) < at ? { freed: dropFile(id) } : null,
    oldestFiles: async ({ before, now: at, limit }) =>
      [...files.values()]
        .filter(({ id, createdAt }) => createdAt < before && (neededUntil.get(id) ?? 0) < at)
        .sort((a, b) => newestFirst(b, a))
        .slice(0, limit),
    oldestKept: async ({ before, limit, withOutput = false }) =>
      [...rows.values()]
        .filter(({ record }) => (keptBytesOf(record) ?? -1) >= (withOutput ? 1 : 0) && record.createdAt < before)
        .sort((a, b) => newestFirst(b.record, a.record))
        .slice(0, limit)
        .map(stored),
    async standing() {
      const counted = new Map<string, Standing['open'][number]>()
      for (const id of open) {
        const { model, status } = rows.get(id)?.record ?? refuse('internal', `there is no row ${id}`)
        const key = `${model} ${status}`
        counted.set(key, { model, status, count: (counted.get(key)?.count ?? 0) + 1 })
      }
      const due = [...open].flatMap(id => {
        const row = rows.get(id)
        return row === undefined || row.leaseUntil > now() ? [] : (row.nextAt ?? [])
      })
      const webhooks = [...rows.values()].map(({ record }) => webhookStateOf(record))
      return {
        open: [...counted].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry),
        overdueMs: Math.max(0, now() - Math.min(now(), ...due)),
        running: [...live]
          .filter(([, entries]) => entries.size > 0)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([deployment, entries]) => ({
            deployment,
            count: entries.size,
            reserved: [...entries].reduce((sum, { attempt }) => sum + spentOn(attempt), 0),
          })),
        webhooks: {
          waiting: webhooks.filter(state => state === 'waiting').length,
          dead: webhooks.filter(state => state === 'dead').length,
        },
      }
    },
    async keptBytes() {
      const byKey = new Map([...files.values()].map(({ key, bytes }) => [key, bytes]))
      const sizes = [...byKey.values(), ...[...rows.values()].map(({ record }) => keptBytesOf(record) ?? 0)]
      return sizes.reduce((sum, bytes) => sum + bytes, 0)
    },
    watch(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    now: async () => now(),
    close: async () => {},
  }
}

function withoutTaken({ taken: _, ...place }: PendingFile & { readonly taken: boolean }): PendingFile {
  return place
}

function stored({ record, version, nextAt }: Row) {
  return { record, version, nextAt }
}

function isListed(
  record: PredictionRecord,
  { owner, webhook, before, createdAfter, createdBefore }: ListQuery,
): boolean {
  if (owner !== null && record.owner !== owner) return false
  const fares = webhookStateOf(record)
  if (webhook !== undefined && (webhook === 'any' ? fares === null : fares !== webhook)) return false
  if (createdAfter !== undefined && record.createdAt < createdAfter) return false
  if (createdBefore !== undefined && record.createdAt >= createdBefore) return false
  return before === undefined || newestFirst(before, record) < 0
}

function newestFirst(a: { readonly createdAt: number; readonly id: string }, b: typeof a): number {
  return b.createdAt - a.createdAt || (a.id > b.id ? -1 : a.id < b.id ? 1 : 0)
}

function toFact(prediction: string, attempt: Attempt): AttemptFact {
  const { deployment, state, plannedAt, submittedAt, bootingAt, runningAt, collectingAt } = attempt
  const { failure, at: endedAt } = verdictOf(attempt)
  const asked = attempt.failure?.retryAfterMs
  return {
    ...{ deployment, state, plannedAt, submittedAt, bootingAt, runningAt, collectingAt, endedAt },
    failure: failure?.code ?? null,
    restarts: attempt.restarts,
    closedUntil: asked === undefined || attempt.endedAt === null ? null : attempt.endedAt + asked,
    cost: attempt.cost?.amount ?? null,
    ...(isWarmUp(prediction) && { warm: true }),
  }
}
