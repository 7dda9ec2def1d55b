import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { type LoadedConfig, loadConfig } from './config/load-config.ts'
import { createConsoleLog } from './config/log-level.ts'
import { refuse } from './core/failure.ts'
import type { JsonObject } from './core/json.ts'
import { isTerminal } from './core/prediction.ts'
import type { Engine, Log } from './engine/contract.ts'
import type { OpenedFile } from './files/contract.ts'
import { fromText } from './http/creating.ts'
import { createLinks } from './http/links.ts'
import type { AttemptsJson, PredictionJson } from './http/shapes.ts'
import { toAttemptsView, toPredictionView } from './http/view.ts'
import { type Opened, openDataFolder } from './open.ts'
import type { FileRow, StoredPrediction } from './store/contract.ts'

/** A photo or other input file as an app has it at hand. */
export type InputFile = Blob | Uint8Array | ReadableStream<Uint8Array>

export interface CreateOptions {
  /** `owner/name`. Default: the first model of the configuration. */
  readonly model?: string
  /** Plain values; file fields may be http(s) URLs or data URIs. */
  readonly input?: JsonObject
  /** Further values as the text that a form has for them; read as JSON where the model wants other than text. */
  readonly fields?: { readonly [field: string]: string }
  /** Input files by field, e.g. `{ image: file }` with a `File` from a form. */
  readonly files?: { readonly [field: string]: InputFile }
  /** Ends the prediction so long after its creation, as `aborted` or `canceled`. Default: the route's own deadline. */
  readonly cancelAfterMs?: number
  /**
   * A name for this request: repeated with the same one it gives the same prediction, as it is then; with another it fails as
   * `input_invalid`. Default: each call makes a prediction.
   */
  readonly idempotencyKey?: string
}

/**
 * Surefoot inside your own process: predictions as values, no server. Opened by the first call, on a data folder that
 * no other process has open. What callers with tokens own, on a database that gateways share, is not there for it.
 */
export interface Surefoot {
  /** Answers once the prediction is durable and begun. Throws `SurefootError` for input that cannot work. */
  create(options: CreateOptions): Promise<PredictionJson>
  get(id: string): Promise<PredictionJson | null>
  /** Newest first, at most `limit` (default 100). */
  list(options?: { readonly limit?: number }): Promise<readonly PredictionJson[]>
  /** Asks for the end; a finished prediction stays what it was. */
  cancel(id: string): Promise<PredictionJson | null>
  /** The prediction now and after each change, until it has ended. */
  watch(id: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<PredictionJson>
  /** The prediction at its end. */
  wait(id: string, options?: { readonly signal?: AbortSignal }): Promise<PredictionJson>
  /** What was tried, and why. */
  attempts(id: string): Promise<AttemptsJson | null>
  /** The verified output as a stream; null where there is none. `range.end` is inclusive. */
  openOutput(
    id: string,
    range?: { readonly start: number; readonly end?: number },
  ): Promise<(OpenedFile & { readonly name: string; readonly mediaType: string }) | null>
  /** Stops the engine and closes the data folder. Running work is picked up on the next start. */
  close(): Promise<void>
}

export interface SurefootOptions {
  /** Where `surefoot.config.ts` is looked for. Default: the working directory. */
  readonly directory?: string
  /** This config file instead. */
  readonly config?: string
  /** Default: to the console, from `SUREFOOT_LOG` on, which is `warn` when it is not set. */
  readonly log?: Log
}

const inputLimit = 100_000_000
/** One instance per directory and process, kept when a dev server loads this module again. */
const instances = Symbol.for('surefoot')

/**
 * Gives the Surefoot of a directory. Opens nothing: the first use does, so that importing a module that calls this
 * (as `next build` does) has no effect. A second call for the same directory gives the same one.
 *
 * @example
 * const surefoot = createSurefoot()
 * const { id } = await surefoot.create({ model: 'surefoot/relief', files: { image: file } })
 * const { status, surefoot: { progress } } = await surefoot.wait(id)
 */
export function createSurefoot(options: SurefootOptions = {}): Surefoot {
  const directory = resolve(options.directory ?? '.')
  const holder = globalThis as { [instances]?: Map<string, Surefoot> }
  holder[instances] ??= new Map()
  const known = holder[instances]
  const key = `${directory}\n${options.config ?? ''}`
  const existing = known.get(key)
  if (existing !== undefined) return existing
  const created = createLazily({ ...options, directory }, () => known.delete(key))
  known.set(key, created)
  return created
}

function createLazily(options: SurefootOptions & { readonly directory: string }, forget: () => void): Surefoot {
  let opening: Promise<Opened & { readonly config: LoadedConfig }> | null = null

  function open(): Promise<Opened & { readonly config: LoadedConfig }> {
    opening ??= loadConfig({
      cwd: options.directory,
      env: { ...process.env, SUREFOOT_LOG: process.env.SUREFOOT_LOG || 'warn' },
      ...(options.config === undefined ? {} : { path: options.config }),
    })
      .then(async config => ({
        ...(await openDataFolder(config, options.log ?? createConsoleLog(config.logLevel))),
        config,
      }))
      .catch(error => {
        // The next call tries again: the folder may be free by then.
        opening = null
        throw error
      })
    return opening
  }

  async function view(stored: StoredPrediction): Promise<PredictionJson> {
    const { engine, signer, clock, config, derivatives } = await open()
    const model = engine.routes.get(stored.record.model)?.model
    return toPredictionView(stored, {
      links: createLinks({ signer, clock }, config.publicUrl ?? ''),
      notice: model?.notice ?? null,
      derivatives: model?.derives === undefined ? undefined : derivatives,
    })
  }

  async function viewOrNull(stored: StoredPrediction | null): Promise<PredictionJson | null> {
    return stored === null ? null : await view(stored)
  }

  async function create(options: CreateOptions): Promise<PredictionJson> {
    const { engine } = await open()
    const stored: { [field: string]: FileRow } = {}
    let created: StoredPrediction
    try {
      const model =
        options.model ?? [...engine.routes.keys()][0] ?? refuse('deployment_missing', 'No model is configured.')
      for (const [field, file] of Object.entries(options.files ?? {})) {
        stored[field] = await addFile(engine, field, file)
      }
      const schema = engine.routes.get(model)?.model.inputSchema ?? {}
      const fields = Object.entries(options.fields ?? {}).map(([field, text]) => [field, fromText(schema, field, text)])
      created = await engine.create({
        model,
        owner: 'local',
        source: 'api',
        input: { ...options.input, ...Object.fromEntries(fields) },
        files: stored,
        newFiles: Object.values(stored).map(({ id }) => id),
        cancelAfterMs: options.cancelAfterMs ?? null,
        webhook: null,
        ...(options.idempotencyKey !== undefined && { idempotencyKey: options.idempotencyKey }),
      })
    } catch (error) {
      for (const row of Object.values(stored)) await engine.removeFile(row.id)
      throw error
    }
    return await view(created)
  }

  async function* watch(
    id: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<PredictionJson> {
    const { engine } = await open()
    if ((await engine.get(id, 'local')) === null) return
    // The engine's own timers never keep a process alive; whoever waits for a prediction does.
    const alive = setInterval(() => {}, 60_000)
    try {
      for await (const stored of engine.watch(id, { signal: signal ?? new AbortController().signal })) {
        yield await view(stored)
      }
    } finally {
      clearInterval(alive)
    }
  }

  return {
    create,
    watch,
    async get(id) {
      return await viewOrNull(await (await open()).engine.get(id, 'local'))
    },
    async list({ limit = 100 } = {}) {
      const { engine } = await open()
      return await Promise.all((await engine.list({ owner: 'local', limit })).map(view))
    },
    async cancel(id) {
      const { engine } = await open()
      return await viewOrNull((await engine.get(id, 'local')) === null ? null : await engine.cancel(id))
    },
    async wait(id, { signal } = {}) {
      for await (const prediction of watch(id, signal === undefined ? {} : { signal })) {
        if (isTerminal(prediction.status)) return prediction
      }
      signal?.throwIfAborted()
      return refuse('input_invalid', `There is no prediction ${id}.`, { status: 404 })
    },
    async attempts(id) {
      const stored = await (await open()).engine.get(id, 'local')
      return stored === null ? null : toAttemptsView(stored)
    },
    async openOutput(id, range) {
      const { engine, files } = await open()
      const output = (await engine.get(id, 'local'))?.record.output
      const opened = output == null ? null : await files.open(output.key, range)
      return output == null || opened === null ? null : { ...opened, name: output.name, mediaType: output.mediaType }
    },
    async close() {
      forget()
      if (opening === null) return
      const opened = await opening
      opening = null
      await opened.close()
    },
  }
}

function addFile(engine: Engine, field: string, file: InputFile): Promise<FileRow> {
  return engine.addFile({
    owner: 'local',
    name: file instanceof File ? file.name : field,
    mediaType: file instanceof Blob && file.type !== '' ? file.type : 'application/octet-stream',
    metadata: {},
    body: chunksOf(file),
    maxBytes: inputLimit,
  })
}

function chunksOf(file: InputFile): AsyncIterable<Uint8Array> {
  if (file instanceof Blob) return file.stream()
  return file instanceof Uint8Array ? Readable.from([file]) : file
}
