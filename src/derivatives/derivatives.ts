import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../core/clock.ts'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import { derivedFolder } from '../core/retention.ts'
import type { FileStore } from '../files/contract.ts'
import { type SideCarFacts, toSideCar } from '../splat/side-car.ts'
import type { DerivativeSource, DerivativeState, Derivatives, GetOptions, StoredBytes } from './contract.ts'
import { convert } from './convert.ts'
import {
  type Derivative,
  derivativesRecipe,
  listDerivatives,
  noLimits,
  parseDerivative,
  presetLabels,
  presets,
} from './formats.ts'
import { hasTransform, refuseMissing } from './transform.ts'
import { createTurns } from './turns.ts'

export interface DerivativesOptions {
  readonly files: FileStore
  readonly clock: Clock
  /** How many are made at a time. Default: one for every four processors, at least one. */
  readonly places?: number
  /** How many may wait for a place. Default 16. */
  readonly mostWaiting?: number
  /** Makes one file. Default: in a child process, see `convert`. */
  readonly convert?: typeof convert
  /** Whether splat-transform is there. Default: looks. */
  readonly hasTransform?: () => boolean
}

type Stored = Extract<DerivativeState, { kind: 'stored' }>
type Converting = Extract<DerivativeState, { kind: 'converting' }>

/** One file that is being made, and those who wait for it. */
interface Making {
  readonly done: Promise<Stored>
  /** Ends it; whoever asks from now on begins anew. */
  giveUp(reason: unknown): void
  now: Converting
  waiting: number
  /** Somebody was told to come back for it. */
  isPromised: boolean
}

const retryAfterMs = 30_000
/** Formats are at most a little larger than what they are made of; the page brings its viewer along. */
const roomBytes = 64 * 1024 * 1024

/**
 * Derivatives in a file store, under `derived/{sha256 of what they are made of}/{format and recipe}`: kept across restarts,
 * shared by all predictions with the same output, never made twice by one process at a time. Two processes on one store
 * may both make one; the first to store it wins.
 */
export function createDerivatives(options: DerivativesOptions): Derivatives {
  const { files, clock, mostWaiting = 16 } = options
  const turns = createTurns(options.places ?? Math.max(1, Math.floor(availableParallelism() / 4)))
  const making = new Map<string, Making>()
  /** How what somebody was to come back for has failed meanwhile: told once, or they would ask for ever. */
  const failed = new Map<string, unknown>()

  async function get(source: DerivativeSource, name: string, wait: GetOptions): Promise<DerivativeState | null> {
    const derivative = parseDerivative(source.output.name, name)
    if (derivative === null) return null
    if (derivative.format.of === 'facts') {
      const body = { ...toSideCar(source.output.facts as unknown as SideCarFacts), source: nameOf(source.output) }
      return { kind: 'json', name, body: body as unknown as JsonObject }
    }
    const from = derivative.format.of === 'photo' ? source.photo : source.output
    if (from === null) return null
    const key = toKey(from, derivative)
    const kept = await find(key, derivative)
    if (kept !== null) return kept
    if (failed.has(key)) {
      const failure = failed.get(key)
      failed.delete(key)
      throw failure
    }
    // Somebody else's is joined: what it was begun with was checked then.
    const found = making.get(key) ?? begin(key, from, derivative)
    return await waitFor(found, wait)
  }

  function begin(key: string, from: StoredBytes, derivative: Derivative): Making {
    const needsTransform = derivative.format.of === undefined && derivative.format.ending !== 'clean.ply'
    if (needsTransform && !(options.hasTransform ?? hasTransform)()) refuseMissing()
    if (turns.waiting >= mostWaiting) {
      const words = `${turns.waiting} files wait to be converted; more are not taken on.`
      throw new SurefootError(
        createFailure('rate_limited', words, { fault: 'surefoot', advice: 'Ask again in a minute.', retryAfterMs }),
        { status: 503 },
      )
    }
    const controller = new AbortController()
    const forget = () => void (making.get(key) === made && making.delete(key))
    const made: Making = {
      giveUp(reason) {
        forget()
        controller.abort(reason)
      },
      now: { kind: 'converting', stage: 'queued', fraction: null },
      waiting: 0,
      isPromised: false,
      done: make(key, from, derivative, controller.signal, progress => {
        made.now = { kind: 'converting', ...progress }
      }).finally(forget),
    }
    // Whoever waits hears of it; where nobody does any more, only who was told to come back need.
    made.done.catch(error => {
      if (made.isPromised && made.waiting === 0 && !controller.signal.aborted) failed.set(key, error)
    })
    making.set(key, made)
    return made
  }

  async function waitFor(made: Making, { signal, holdMs }: GetOptions): Promise<DerivativeState> {
    made.waiting++
    const { promise: over, resolve } = Promise.withResolvers<'late' | 'gone'>()
    const stopTimer = clock.after(holdMs, () => resolve('late'))
    const onAbort = () => resolve('gone')
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      const end = await Promise.race([made.done, over])
      if (typeof end !== 'string') return end
      if (end === 'late') made.isPromised = true
      else if (made.waiting === 1 && !made.isPromised) made.giveUp(signal.reason)
      if (end === 'gone') throw signal.reason
      return made.now
    } finally {
      made.waiting--
      stopTimer()
      signal.removeEventListener('abort', onAbort)
    }
  }

  async function make(
    key: string,
    from: StoredBytes,
    derivative: Derivative,
    signal: AbortSignal,
    onProgress: (progress: Omit<Converting, 'kind'>) => void,
  ): Promise<Stored> {
    const leave = await turns.take(signal)
    let folder: string | null = null
    try {
      // It may have been stored between the look and the turn.
      const kept = await find(key, derivative)
      if (kept !== null) return kept
      folder = await mkdtemp(join(tmpdir(), 'surefoot-convert-'))
      const target = join(folder, `made.${derivative.format.ending}`)
      const job = {
        source: files.path(from.key) ?? (await bring(from, join(folder, 'source'), signal)),
        target,
        format: derivative.format.ending,
        limits: derivative.preset === null ? noLimits : presets[derivative.preset],
        folder,
      }
      await (options.convert ?? convert)(job, { clock, signal, onProgress })
      // Of a file that was taken away since; its successor has other bytes.
      await files.remove(`${key}.json`)
      const put = await files.adopt(key, target, { maxBytes: 2 * from.bytes + roomBytes, signal })
      if (put.kind === 'stored') await note(key, put)
      return (await find(key, derivative)) ?? refuse('internal', 'A file that was converted vanished as it was stored.')
    } finally {
      leave()
      if (folder !== null) await rm(folder, { recursive: true, force: true })
    }
  }

  async function bring({ key }: StoredBytes, path: string, signal: AbortSignal): Promise<string> {
    const { body } =
      (await files.open(key)) ?? refuse('output_lost', 'The file is no longer kept here.', { status: 404 })
    await pipeline(Readable.fromWeb(body as never), createWriteStream(path, { mode: 0o600 }), { signal })
    return path
  }

  /** A kept file with its length and checksum; these are read from the note beside it, or found out and noted. */
  async function find(key: string, { name, format: { mediaType } }: Derivative): Promise<Stored | null> {
    const stat = await files.stat(key)
    if (stat === null) return null
    const noted = (await readNote(key)) ?? (await note(key, await measure(key)))
    return { kind: 'stored', key, name, mediaType, bytes: stat.bytes, sha256: noted.sha256 }
  }

  async function readNote(key: string): Promise<{ readonly sha256: string } | null> {
    const opened = await files.open(`${key}.json`)
    if (opened === null) return null
    return (await new Response(opened.body).json()) as { readonly sha256: string }
  }

  async function note<T extends { readonly bytes: number; readonly sha256: string }>(
    key: string,
    about: T,
  ): Promise<T> {
    const text = JSON.stringify({ bytes: about.bytes, sha256: about.sha256 })
    await files.put(`${key}.json`, Readable.from([Buffer.from(text)]), { maxBytes: 1_000 })
    return about
  }

  async function measure(key: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
    const hash = createHash('sha256')
    const opened = (await files.open(key)) ?? refuse('output_lost', 'The file is no longer kept here.', { status: 404 })
    for await (const chunk of opened.body) hash.update(chunk)
    return { bytes: opened.total, sha256: hash.digest('hex') }
  }

  return {
    list: output =>
      listDerivatives(output).map(({ name, format: { mediaType, label }, preset }) => ({
        name,
        mediaType,
        label: preset === null ? label : presetLabels[preset],
      })),
    get,
    async stop() {
      const all = [...making.values()]
      for (const { giveUp } of all) giveUp(new Error('The gateway stops.'))
      await Promise.allSettled(all.map(({ done }) => done))
    },
  }
}

function nameOf({ name, bytes, sha256 }: StoredBytes): JsonObject {
  return { name, bytes, sha256 }
}

/** Whatever decides about the bytes is a part of the key. */
function toKey({ sha256 }: StoredBytes, { format, preset }: Derivative): string {
  const options = JSON.stringify([derivativesRecipe, preset === null ? noLimits : presets[preset]])
  const digest = createHash('sha256').update(options).digest('hex').slice(0, 16)
  return `${derivedFolder(sha256)}/${digest}.${format.ending}`
}
