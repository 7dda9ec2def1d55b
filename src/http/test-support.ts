import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { createRecord } from '../core/create-record.ts'
import { refuse } from '../core/failure.ts'
import { defaultPolicy } from '../core/policy.ts'
import { isTerminal, type PredictionRecord } from '../core/prediction.ts'
import type { Engine, Route } from '../engine/contract.ts'
import { createEngineTally } from '../engine/engine-tally.ts'
import { addFile, removeFile } from '../engine/inputs.ts'
import { createPendingFiles } from '../engine/pending-files.ts'
import { createUploads } from '../engine/uploads.ts'
import type { FileStore } from '../files/contract.ts'
import { createDiskFiles } from '../files/disk.ts'
import { createSigner } from '../files/signing.ts'
import type { Model } from '../models/contract.ts'
import { createImageInput, defineModel } from '../models/index.ts'
import { openSqliteStore, type SqliteStore } from '../store/sqlite.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/clock.ts'
import { createApp } from './app.ts'
import type { AppDependencies } from './context.ts'

/** A front on a real store, with an engine whose predictions change only when the test says so. */
export interface TestFront {
  /** Sends a request to `http://127.0.0.1:8787`. */
  send(path: string, init?: RequestInit): Promise<Response>
  /** Sends JSON by POST. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>
  readonly deps: AppDependencies
  readonly clock: SimulatedClock
  readonly store: SqliteStore
  readonly files: FileStore
  /** Lines of the log, with their fields, as JSON. */
  readonly logged: string[]
  /** Writes a new version of a prediction. */
  change(id: string, over: Partial<PredictionRecord>): Promise<void>
  /** Stores a prediction without asking anybody. */
  add(over: Partial<PredictionRecord> & { readonly id: string }): Promise<void>
}

export const origin = 'http://127.0.0.1:8787'

/** 67 bytes: a whole PNG of one pixel. */
export const png: Uint8Array<ArrayBuffer> = new Uint8Array(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPj/HwADBwIAMCbHYQAAAABJRU5ErkJggg==',
    'base64',
  ),
)

/** A model with one file field and two plain ones. */
export const sketch: Model = defineModel({
  name: 'acme/sketch',
  description: 'Draws.',
  notice: 'Only a sketch.',
  input: z.object({ image: z.string(), steps: z.int().min(1).max(50).default(20), title: z.string().optional() }),
  files: { image: createImageInput('image') },
  output: { name: 'scene.ply', mediaType: 'application/octet-stream', maxBytes: 1_000 },
})

export async function setup(over: Partial<AppDependencies> = {}): Promise<TestFront> {
  const clock = createSimulatedClock()
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  onTestFinished(() => store.close())
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-http-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const files = createDiskFiles({ directory })
  const logged: string[] = []
  const engine = createStillEngine({ store, files, clock })
  const deps: AppDependencies = {
    engine,
    store,
    files,
    signer: createSigner('a secret for tests'),
    clock,
    publicUrl: null,
    studio: null,
    allowedHosts: ['127.0.0.1:8787', 'localhost:8787', '[::1]:8787'],
    log: (level, message, fields = {}) => void logged.push(JSON.stringify({ level, message, ...fields })),
    ...over,
  }
  const app = createApp(deps)
  const send = (path: string, init?: RequestInit) => app.fetch(new Request(new URL(path, origin), init))
  return {
    deps,
    clock,
    store,
    files,
    logged,
    send,
    post: (path, body, headers = {}) =>
      send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    async change(id, changes) {
      const stored = await store.get(id)
      if (stored === null) throw new Error(`no prediction ${id}`)
      const record = { ...stored.record, ...changes }
      await store.commit([{ record, version: stored.version, nextAt: 1, reservations: [], lease: 'unchanged' }])
    },
    async add(changes) {
      const record: PredictionRecord = { ...newRecord(changes.id, clock.now()), ...changes }
      await store.commit([{ record, version: 0, nextAt: 1, reservations: [], lease: 'unchanged' }])
    },
  }
}

function createStillEngine({ store, files, clock }: Pick<TestFront, 'store' | 'files' | 'clock'>): Engine {
  let created = 0
  const route: Route = { model: sketch, deployments: [], policy: defaultPolicy }
  const inputs = {
    store,
    files,
    download: () => refuse('internal', 'Nothing is downloaded here.'),
    newId: () => `file${++created}`,
    now: clock.now,
  }

  const pendingFiles = createPendingFiles(inputs)

  async function find(id: string) {
    return (await store.get(id)) ?? refuse('internal', `Prediction ${id} is gone.`)
  }

  const routes = new Map([[sketch.name, route]])
  const tally = createEngineTally()
  return {
    upload: createUploads(store, files, routes).put,
    turn: work => work({ signal: new AbortController().signal, advance: async () => {}, keepHouse: async () => {} }),
    report: async () => [],
    figures: async () => ({
      tally,
      held: 0,
      leaseLeftMs: null,
      isStoreFailing: false,
      deployments: [],
      spentToday: 0,
      stored: await store.standing(),
      keptBytes: await store.keptBytes(),
      keptLimit: null,
      roomBytes: (await files.room?.()) ?? null,
      spareBytes: 0,
    }),
    obstacle: async () => null,
    migrations: async () => [],
    migrate: () => refuse('input_invalid', 'There is no migration here.', { status: 404 }),
    health: async () => null,
    warmer: {
      warm: async () => refuse('internal', 'Nothing is warmed here.'),
      look: async () => null,
      plan: async () => [],
    },
    routes,
    async create(request) {
      const input = sketch.parseInput(request.input)
      if (input.image === undefined && request.files.image === undefined) refuse('input_invalid', 'image: is missing.')
      const stored = Object.entries(request.files).map(([field, row]) => [field, { ...row, facts: {} }] as const)
      created += 1
      const record: PredictionRecord = {
        ...newRecord(`prediction${created}`, clock.now()),
        owner: request.owner,
        source: request.source,
        input: { ...input, ...Object.fromEntries(stored.map(([field, { id }]) => [field, `/v1/files/${id}`])) },
        files: Object.fromEntries(stored),
        ...(request.cancelAfterMs === null
          ? {}
          : { deadlineBy: 'client', deadlineAt: clock.now() + request.cancelAfterMs }),
        webhook: request.webhook && { ...request.webhook, queue: [] },
      }
      await store.commit([{ record, version: 0, nextAt: 1, reservations: [], lease: 'unchanged' }])
      return find(record.id)
    },
    async get(id, owner) {
      const stored = await store.get(id)
      if (stored === null || owner === undefined) return stored
      const { shadowOf } = stored.record
      const owned = shadowOf === undefined ? stored : await store.get(shadowOf)
      return owned?.record.owner === owner ? stored : null
    },
    list: query => store.list(query),
    async cancel(id) {
      const { record, version } = await find(id)
      if (isTerminal(record.status)) return store.get(id)
      const ended = { ...record, status: 'canceled' as const, completedAt: clock.now() }
      await store.commit([{ record: ended, version, nextAt: 1, reservations: [], lease: 'unchanged' }])
      return store.get(id)
    },
    resend: id => store.get(id),
    async *watch(id, { signal, afterVersion = 0 }) {
      let seen = afterVersion
      while (!signal.aborted) {
        const changed = Promise.withResolvers<void>()
        const unwatch = store.watch(() => changed.resolve())
        signal.addEventListener('abort', () => changed.resolve(), { once: true })
        const stored = await find(id)
        if (stored.version > seen) {
          seen = stored.version
          yield stored
        }
        if (!isTerminal(stored.record.status)) await changed.promise
        unwatch()
        if (isTerminal(stored.record.status)) return
      }
    },
    async hear(provider, _attempt, secret, { body }) {
      if (provider !== 'replicate') refuse('input_invalid', 'No such webhook.', { status: 404 })
      if (secret !== 'good') refuse('auth_rejected', 'The signature is not right.')
      if ((await body()).length === 0) refuse('input_invalid', 'The body is empty.')
    },
    addFile: request => addFile(inputs, request, request.signal),
    addPlace: pendingFiles.add,
    putFile: pendingFiles.put,
    findFile: pendingFiles.find,
    removeFile: id => removeFile({ store, files }, id),
    start: async () => {},
    stop: async () => {},
  }
}

function newRecord(id: string, now: number): PredictionRecord {
  return createRecord(
    {
      id,
      model: sketch.name,
      modelVersion: sketch.version,
      owner: 'local',
      source: 'api',
      input: {},
      files: {},
      deadlineMs: 60_000,
      deadlineBy: 'policy',
      webhook: null,
    },
    now,
  )
}
