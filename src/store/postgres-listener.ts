import type { Client } from 'pg'
import { z } from 'zod'
import type { Announcement } from './dialect.ts'

/** PostgreSQL takes payloads of less than 8000 bytes: https://www.postgresql.org/docs/current/sql-notify.html */
const maxPayload = 7_500
const firstRetryMs = 100
const maxRetryMs = 5_000
/** How often a listening connection is asked for a sign of life: nothing else would tell that its network is gone. */
const checkEveryMs = 10_000

const payloadSchema = z.object({
  /** The store that announces. */
  by: z.string(),
  changes: z.array(z.tuple([z.string(), z.number(), z.boolean()])),
})

/** Announcements as texts for `pg_notify`, as many in each as fit. */
export function toPayloads(by: string, announcements: readonly Announcement[]): string[] {
  const payloads: string[] = []
  let changes: string[] = []
  let size = 0
  const flush = () => {
    if (changes.length > 0) payloads.push(`{"by":${JSON.stringify(by)},"changes":[${changes.join(',')}]}`)
    changes = []
    size = 0
  }
  for (const { id, version, dueNow } of announcements) {
    const change = JSON.stringify([id, version, dueNow])
    const bytes = Buffer.byteLength(change) + 1
    if (size + bytes > maxPayload) flush()
    changes.push(change)
    size += bytes
  }
  flush()
  return payloads
}

/** What the types of `pg` lack: pools do so with their idle clients. */
type ListeningClient = Client & Record<'ref' | 'unref', () => void>

export interface ListenerOptions {
  /** A new connection. */
  connect(): Promise<Client>
  /** A valid, plain identifier. */
  readonly channel: string
  /** What this store announces itself as; its own announcements are passed over. */
  readonly by: string
  hear(announcement: Announcement): void
}

/**
 * Listens until the returned function is called, on a connection of its own.
 *
 * connecting ── LISTEN ──> listening ── error, end, no sign of life ──> waiting ── 0.1 s, doubling up to 5 s ──> connecting
 *
 * What is announced while it does not listen is missed: announcements are hints, and whoever waits for one also looks.
 * Its socket and timers keep no process alive, except that closing is waited for.
 */
export function createListener({ connect, channel, by, hear }: ListenerOptions): () => Promise<void> {
  let client: ListeningClient | null = null
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let retryMs = firstRetryMs
  let connecting: Promise<void> = Promise.resolve()

  function after(ms: number, run: () => void): void {
    clearTimeout(timer)
    if (!closed) timer = setTimeout(run, ms).unref()
  }

  function begin(): void {
    connecting = listen().catch(lose)
  }

  async function listen(): Promise<void> {
    const fresh = (await connect()) as ListeningClient
    client = fresh
    if (closed) return await drop()
    fresh.unref()
    fresh.on('notification', ({ payload }) => take(payload))
    fresh.on('end', () => {
      if (client === fresh) lose()
    })
    await fresh.query(`listen "${channel}"`)
    retryMs = firstRetryMs
    after(checkEveryMs, check)
  }

  function check(): void {
    client?.query('select 1').then(() => after(checkEveryMs, check), lose)
  }

  function lose(): void {
    void drop()
    after(retryMs * (0.5 + Math.random() / 2), begin)
    retryMs = Math.min(maxRetryMs, retryMs * 2)
  }

  async function drop(): Promise<void> {
    const dropped = client
    client = null
    await dropped?.end().catch(() => {})
  }

  function take(payload = ''): void {
    const read = payloadSchema.safeParse(parse(payload))
    if (!read.success || read.data.by === by) return
    for (const [id, version, dueNow] of read.data.changes) hear({ id, version, dueNow })
  }

  begin()
  return async () => {
    closed = true
    clearTimeout(timer)
    await connecting
    // Else a process that only waits for this end would be over before it comes.
    client?.ref()
    await drop()
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
