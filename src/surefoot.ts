import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { checkServerless } from './config/check-serverless.ts'
import { type LoadedConfig, loadConfig } from './config/load-config.ts'
import { createConsoleLog } from './config/log-level.ts'
import { createFailure, isSureRefusal, refuse, SurefootError } from './core/failure.ts'
import type { JsonObject } from './core/json.ts'
import { isTerminal } from './core/prediction.ts'
import { noLimits, type TokenLimits } from './core/token.ts'
import type { Engine, Log } from './engine/contract.ts'
import type { OpenedFile } from './files/contract.ts'
import { createApp } from './http/app.ts'
import type { Visitor } from './http/context.ts'
import { fromText } from './http/creating.ts'
import { callerOf } from './http/door.ts'
import { createLinks } from './http/links.ts'
import { type Authorize, createMount, runTick } from './http/mount.ts'
import { createRates, type Rates } from './http/rates.ts'
import type { AttemptsJson, PredictionJson } from './http/shapes.ts'
import { toAttemptsView, toPredictionView } from './http/view.ts'
import { type Opened, openDataFolder } from './open.ts'
import type { FileRow, StoredPrediction } from './store/contract.ts'

/** A photo or other input file as an app has it at hand. */
export type InputFile = Blob | Uint8Array | ReadableStream<Uint8Array>

/** A file of the same owner that is stored already, or was uploaded by a browser to the place that this id names. */
export interface FileReference {
  readonly id: string
}

export interface CreateOptions {
  /** `owner/name`. Default: the first model of the configuration. */
  readonly model?: string
  /** Plain values; file fields may be http(s) URLs or data URIs. */
  readonly input?: JsonObject
  /** Further values as the text that a form has for them; read as JSON where the model wants other than text. */
  readonly fields?: { readonly [field: string]: string }
  /** Input files by field, e.g. `{ image: file }` with a `File` from a form, or `{ image: { id } }`. */
  readonly files?: { readonly [field: string]: InputFile | FileReference }
  /** Ends the prediction so long after its creation, as `aborted` or `canceled`. Default: the route's own deadline. */
  readonly cancelAfterMs?: number
  /**
   * A name for this request: repeated with the same one it gives the same prediction, as it is then; with another it fails as
   * `input_invalid`. Default: each call makes a prediction.
   */
  readonly idempotencyKey?: string
}

/** Predictions as values, no server: those of one owner. */
export interface Predictions {
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
  /**
   * An address from which anybody may get the output for an hour, past this process: where files are in a bucket that
   * is reached from outside. Null elsewhere, and where there is no output.
   */
  outputUrl(id: string): Promise<string | null>
}

/**
 * Surefoot inside your own process. Opened by the first call, on a data folder that no other process has open, or on a
 * database that processes share. Its own verbs see what the app itself owns: neither what callers with tokens own, nor
 * what its users do (see `as`). Where requests drive (`serverless` in the config), each call does what is due before it
 * answers, for the time of a turn at most, and nothing runs between two calls.
 */
export interface Surefoot extends Predictions {
  /** The same for one user of the app: sees and makes what belongs to this one only, within its limits. */
  as(visitor: Visitor): Predictions
  /**
   * The whole HTTP API as a function, below `base`, with your own sign-in: for a catch-all route of your app. Opens nothing
   * before its first request.
   */
  handler(options: HandlerOptions): (request: Request) => Promise<Response>
  /**
   * Advances everything that is due, and keeps house: for a cron job of an app whose requests drive; does nothing elsewhere.
   * With `seconds` it drives on for so long. A mounted app has it as `POST tick`.
   */
  tick(options?: { readonly seconds?: number }): Promise<void>
  /** Stops the engine and closes the data folder. Running work is picked up on the next start. */
  close(): Promise<void>
}

export interface HandlerOptions {
  /** Path below which the app passes requests on. Default `/api/surefoot`. */
  readonly base?: string
  /** Your sign-in, asked for every request that needs somebody. Without it nobody comes in but by tokens and signed links. */
  readonly authorize?: Authorize
  /**
   * Lets what a request has begun go on after its answer: Next.js's `after`. Without it, where requests drive, answers wait
   * for that.
   */
  readonly after?: (work: Promise<unknown>) => void
}

export interface SurefootOptions {
  /** Where `surefoot.config.ts` is looked for. Default: the working directory. */
  readonly directory?: string
  /** This config file instead. */
  readonly config?: string
  /** Default: to the console, from `SUREFOOT_LOG` on, which is `warn` when it is not set. */
  readonly log?: Log
}

type Running = Opened & { readonly config: LoadedConfig; readonly log: Log }

const inputLimit = 100_000_000
const linkMs = 3_600_000
const betweenTurnsMs = 500
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
  let opening: Promise<Running> | null = null

  function open(): Promise<Running> {
    opening ??= loadConfig({
      cwd: options.directory,
      env: { ...process.env, SUREFOOT_LOG: process.env.SUREFOOT_LOG || 'warn' },
      ...(options.config === undefined ? {} : { path: options.config }),
    })
      .then(async config => {
        if (config.serverless !== null) checkServerless(config)
        const log = options.log ?? createConsoleLog(config.logLevel)
        return { ...(await openDataFolder(config, log, { byRequests: config.serverless })), config, log }
      })
      .catch(error => {
        // The next call tries again: the folder may be free by then.
        opening = null
        throw error
      })
    return opening
  }

  const rates = createRates()
  const predictions = createPredictions(open, appItself)
  return {
    ...predictions,
    as: visitor => createPredictions(open, createUser(visitor, rates)),
    handler(options) {
      let mounted: { readonly opened: Running; handle(request: Request): Promise<Response> } | null = null
      return async request => {
        const opened = await open()
        // After a close it is opened anew.
        if (mounted?.opened !== opened) mounted = { opened, handle: mount(opened, options, rates) }
        return await mounted.handle(request)
      }
    },
    async tick({ seconds } = {}) {
      const { engine } = await open()
      await runTick(engine, seconds)
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

function mount(
  { engine, store, files, derivatives, signer, clock, config, log }: Running,
  options: HandlerOptions,
  rates: Rates,
): (request: Request) => Promise<Response> {
  const { authorize, after } = options
  const base = (options.base ?? '/api/surefoot').replace(/\/+$/, '')
  const { publicUrl, corsOrigins, tickSecret } = config
  if (publicUrl !== null && new URL(publicUrl).pathname.replace(/\/$/, '') !== base)
    throw new SurefootError(
      createFailure('input_invalid', `publicUrl is ${publicUrl}, but the app mounts Surefoot at ${base}.`, {
        fault: 'config',
        advice: `Set publicUrl to ${new URL(publicUrl).origin}${base}.`,
      }),
      { status: 503 },
    )
  const app = createApp({
    engine,
    store,
    files,
    derivatives,
    signer,
    clock,
    publicUrl,
    corsOrigins,
    studio: null,
    allowedHosts: [],
    log,
    rates,
  })
  return createMount({ app, engine }, { base, authorize, after, tickSecret })
}

/** Whose predictions a view shows, and what may be done with them. */
interface User {
  readonly owner: string
  readonly limits: TokenLimits
  /** Refuses what is not allowed, or too often. */
  admit(scope: 'predict' | 'read', now: number): void
}

const appItself: User = { owner: 'local', limits: noLimits, admit() {} }

function createUser(visitor: Visitor, rates: Rates): User {
  const { owner, limits, scopes } = callerOf(visitor)
  return {
    owner,
    limits,
    admit(scope, now) {
      if (!scopes.includes(scope))
        refuse('input_invalid', `This needs somebody who may do "${scope}".`, { status: 403 })
      const { requestsPerMinute } = limits
      const retryAfterMs = requestsPerMinute === null ? 0 : rates.take(owner, requestsPerMinute, now)
      if (retryAfterMs === 0) return
      const words = `This user may send ${requestsPerMinute} requests a minute.`
      const failure = createFailure('rate_limited', words, { fault: 'user' })
      throw new SurefootError({ ...failure, retryAfterMs }, { status: 429 })
    },
  }
}

function createPredictions(opening: () => Promise<Running>, { owner, limits, admit }: User): Predictions {
  async function open(scope: 'predict' | 'read'): Promise<Running> {
    const running = await opening()
    admit(scope, running.clock.now())
    return running
  }

  async function view(stored: StoredPrediction): Promise<PredictionJson> {
    const { engine, signer, clock, config, derivatives } = await opening()
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

  /** What is due of it is done first. */
  async function find(id: string): Promise<StoredPrediction | null> {
    const { engine } = await open('read')
    return await engine.turn(async turn => {
      await turn.advance({ id, owner })
      return await engine.get(id, owner)
    })
  }

  async function create(options: CreateOptions): Promise<PredictionJson> {
    const { engine } = await open('predict')
    const stored: { [field: string]: FileRow } = {}
    const known: { [field: string]: FileRow } = {}
    let created: StoredPrediction
    let mayExist = false
    try {
      const model =
        options.model ?? [...engine.routes.keys()][0] ?? refuse('deployment_missing', 'No model is configured.')
      for (const [field, file] of Object.entries(options.files ?? {})) {
        if (isReference(file)) known[field] = await findFile(engine, owner, field, file)
        else stored[field] = await addFile(engine, owner, limits, field, file)
      }
      const schema = engine.routes.get(model)?.model.inputSchema ?? {}
      const fields = Object.entries(options.fields ?? {}).map(([field, text]) => [field, fromText(schema, field, text)])
      created = await engine.turn(async turn => {
        mayExist = true
        const making = engine.create({
          model,
          owner,
          limits,
          source: 'api',
          input: { ...options.input, ...Object.fromEntries(fields) },
          files: { ...known, ...stored },
          newFiles: Object.values(stored).map(({ id }) => id),
          cancelAfterMs: options.cancelAfterMs ?? null,
          webhook: null,
          ...(options.idempotencyKey !== undefined && { idempotencyKey: options.idempotencyKey }),
        })
        const prediction = await making.catch(error => {
          mayExist = !isSureRefusal(error)
          throw error
        })
        await turn.advance()
        return prediction
      })
    } catch (error) {
      if (!mayExist) for (const row of Object.values(stored)) await engine.removeFile(row.id)
      throw error
    }
    return await view(created)
  }

  async function* watch(
    id: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<PredictionJson> {
    const running = await open('read')
    const { engine } = running
    if ((await engine.get(id, owner)) === null) return
    // The engine's own timers never keep a process alive; whoever waits for a prediction does.
    const alive = setInterval(() => {}, 60_000)
    const left = new AbortController()
    const ends = AbortSignal.any([left.signal, ...(signal === undefined ? [] : [signal])])
    const driving = drive(running, id, ends)
    try {
      for await (const stored of engine.watch(id, { signal: ends })) yield await view(stored)
    } finally {
      clearInterval(alive)
      left.abort()
      await driving
    }
  }

  return {
    create,
    watch,
    async get(id) {
      return await viewOrNull(await find(id))
    },
    async list({ limit = 100 } = {}) {
      const { engine } = await open('read')
      return await Promise.all((await engine.list({ owner, limit })).map(view))
    },
    async cancel(id) {
      const { engine } = await open('predict')
      return await viewOrNull(
        await engine.turn(async turn => {
          if ((await engine.get(id, owner)) === null) return null
          const canceled = await engine.cancel(id)
          await turn.advance({ id })
          return canceled
        }),
      )
    },
    async wait(id, { signal } = {}) {
      for await (const prediction of watch(id, signal === undefined ? {} : { signal })) {
        if (isTerminal(prediction.status)) return prediction
      }
      signal?.throwIfAborted()
      return refuse('input_invalid', `There is no prediction ${id}.`, { status: 404 })
    },
    async attempts(id) {
      const stored = await (await open('read')).engine.get(id, owner)
      return stored === null ? null : toAttemptsView(stored)
    },
    async openOutput(id, range) {
      const { engine, files } = await open('read')
      const output = (await engine.get(id, owner))?.record.output
      const opened = output == null ? null : await files.open(output.key, range)
      return output == null || opened === null ? null : { ...opened, name: output.name, mediaType: output.mediaType }
    },
    async outputUrl(id) {
      const { engine, files, clock } = await open('read')
      const output = (await engine.get(id, owner))?.record.output
      if (output == null || files.outside === undefined) return null
      return await files.outside.readUrl(output.key, clock.now() + linkMs, output)
    },
  }
}

/** Where requests drive, whoever waits for a prediction does: one turn after the other, until the signal ends. */
async function drive({ engine, config, clock }: Running, id: string, signal: AbortSignal): Promise<void> {
  const isOver = new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
  while (config.serverless !== null && !signal.aborted) {
    const forMs = config.serverless.turnMs
    // A database that is away may be back soon, and the watching says so itself.
    await engine.turn(turn => Promise.race([turn.advance({ id, forMs }), isOver])).catch(() => {})
    await Promise.race([new Promise<void>(resolve => void clock.after(betweenTurnsMs, resolve)), isOver])
  }
}

function isReference(file: InputFile | FileReference): file is FileReference {
  return !(file instanceof Blob || file instanceof Uint8Array || file instanceof ReadableStream)
}

async function findFile(engine: Engine, owner: string, field: string, { id }: FileReference): Promise<FileRow> {
  const found = await engine.findFile(id, row => row.owner === owner)
  return found ?? refuse('input_invalid', `${field}: this file does not exist, or has expired.`, { status: 422 })
}

function addFile(engine: Engine, owner: string, limits: TokenLimits, field: string, file: InputFile): Promise<FileRow> {
  return engine.addFile({
    owner,
    limits,
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
