import { createHash } from 'node:crypto'
import { refuse, SurefootError } from '../core/failure.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { StoredOutput } from '../core/prediction.ts'
import { collectOutput } from '../engine/collect.ts'
import type { Downloaded, FileStore } from '../files/contract.ts'
import type {
  Heard,
  HeardRequest,
  Io,
  Job,
  Marker,
  Observation,
  Provider,
  StartAnswer,
  Warming,
} from '../providers/contract.ts'
import type { SimulatedClock } from './clock.ts'
import { sampleModel, sampleOf } from './sample-output.ts'

/** An adapter together with the emulator it talks to, both fresh, on simulated time. */
export interface ProviderUnderTest {
  readonly provider: Provider
  readonly target: JsonObject
  readonly clock: SimulatedClock
  readonly fetch: typeof globalThis.fetch
  /** Where runs may call back; null where the vendor has no webhooks. */
  readonly webhookUrl: string | null
  /** Where a kit's worker may put its output; absent where the target is none of our kits. */
  readonly uploadUrl?: string
  /** True where the vendor's metrics leave out time that it bills, so that costs are marked as estimates. Default false. */
  readonly costEstimated?: boolean
  /** True where runs cost nothing. Default false. */
  readonly isFree?: boolean
  /** True where the vendor cannot be asked for a run: what its webhooks told counts as polled. Default false. */
  readonly tellsByWebhook?: boolean
  /** Where kits' uploads land and outputs are collected. */
  readonly files: FileStore
  /** Webhooks that arrived so far, oldest first. */
  heard(): readonly HeardRequest[]
  /** Runs that the vendor would bill. */
  submits(): number
  close(): void
}

const image = sampleOf(40)
/** Milliseconds. */
export const hour: number = 60 * 60_000

/** The marker of every job that does not name another. */
export const marker: Marker = { attemptId: 'attempt-1', secret: 'secret-of-attempt-1' }

function jobOf(under: ProviderUnderTest, more: Partial<Job>): Job {
  const { secret, attemptId } = more.marker ?? marker
  return {
    marker,
    model: 'surefoot/sharp',
    target: under.provider.parseTarget(under.target),
    input: {},
    files: { image: fileOf(image) },
    webhookUrl: under.webhookUrl === null ? null : `${under.webhookUrl}/${attemptId}/${secret}`,
    uploadUrl: name => (under.uploadUrl === undefined ? null : `${under.uploadUrl}/${attemptId}/${name}`),
    runLimitMs: 10 * 60_000,
    deadlineInMs: 24 * hour,
    ...more,
  }
}

/** An input file with these bytes. */
export function fileOf(bytes: Uint8Array<ArrayBuffer>): Job['files'][string] {
  return {
    name: 'photo.png',
    mediaType: 'image/png',
    bytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    url: null,
    path: null,
    open: async () => new Blob([bytes]).stream(),
  }
}

/** The emulator as the network, and a signal that never ends. */
export function io(under: ProviderUnderTest): Io {
  return { fetch: under.fetch, signal: new AbortController().signal }
}

/** Starts a small job, or what `more` makes of it. */
export function start(under: ProviderUnderTest, more: Partial<Job> = {}, with_: Io = io(under)): Promise<StartAnswer> {
  return under.provider.start(jobOf(under, more), with_)
}

/** A started run; throws when the start was not accepted. */
export async function accepted(under: ProviderUnderTest, more: Partial<Job> = {}): Promise<{ handle: Json }> {
  const answer = await start(under, more)
  if (answer.kind !== 'accepted') throw new Error(`not accepted: ${answer.failure.message}`)
  // A handle goes through the store: what JSON cannot carry would be lost.
  return { handle: JSON.parse(JSON.stringify(answer.handle)) as Json }
}

/** A run that was seen running. */
export async function running(under: ProviderUnderTest): Promise<{ handle: Json }> {
  const { handle } = await accepted(under)
  for (let waited = 0; waited < hour; waited += 500) {
    if ((await poll(under, handle)).status === 'running') return { handle }
    await under.clock.advance(500)
  }
  throw new Error('never seen running')
}

/**
 * One poll. Where the vendor cannot be asked for a run, the newest that its webhooks told, which ends it as it would for
 * the engine.
 */
export async function poll(under: ProviderUnderTest, handle: Json): Promise<Observation> {
  if (under.provider.poll === undefined) throw new Error('this provider cannot be polled: skip the cell')
  const requests = under.tellsByWebhook === true ? under.heard() : []
  const told = (await Promise.all(requests.map(request => hear(under, request)))).map(heard => heard.observation)
  const end = told.find(({ status }) => ends.includes(status))
  if (end !== undefined) return end
  const asked = await under.provider.poll(handle, io(under))
  return ends.includes(asked.status) ? asked : (told.at(-1) ?? asked)
}

const ends: readonly Observation['status'][] = ['succeeded', 'failed', 'canceled']

/** What the adapter does to have a worker there, without a run. */
export async function warm(under: ProviderUnderTest): Promise<Warming> {
  const { provider, target } = under
  if (provider.warm === undefined) throw new Error('this provider warms by runs only: skip the cell')
  return await provider.warm(provider.parseTarget(target), io(under))
}

/** What polling saw. */
export interface Followed {
  /** Statuses in the order in which they were seen, without repetitions. */
  readonly trail: string[]
  readonly fractions: number[]
  readonly errors: SurefootError[]
  readonly last: Observation
}

/** Polls until the end, or for `limitMs`; a poll that throws is noted and repeated. */
export async function follow(
  under: ProviderUnderTest,
  handle: Json,
  everyMs = 2000,
  limitMs: number = hour,
): Promise<Followed> {
  const trail: string[] = []
  const fractions: number[] = []
  const errors: SurefootError[] = []
  let last: Observation = { status: 'unclear', word: 'never seen' }
  for (let waited = 0; waited < limitMs; waited += everyMs) {
    try {
      last = await poll(under, handle)
      if (last.status !== trail.at(-1)) trail.push(last.status)
      const fraction = last.progress?.fraction ?? null
      if (fraction !== null && fraction !== fractions.at(-1)) fractions.push(fraction)
      if (ends.includes(last.status)) break
    } catch (error) {
      if (!SurefootError.is(error)) throw error
      errors.push(error)
    }
    await under.clock.advance(everyMs)
  }
  await under.clock.advance(0)
  return { trail, fractions, errors, last }
}

/** What the adapter makes of one webhook about the attempt of `marker`. */
export function hear(under: ProviderUnderTest, request: HeardRequest, now: number = under.clock.now()): Promise<Heard> {
  if (under.provider.hear === undefined) throw new Error('this provider has no webhooks: skip the cell')
  const to = { attemptId: marker.attemptId, target: under.provider.parseTarget(under.target) }
  return under.provider.hear(request, io(under), now, to)
}

/** What the adapter makes of every webhook so far: a status, or the code of its refusal. */
export async function hearAll(under: ProviderUnderTest, now: number): Promise<string[]> {
  const verdicts: string[] = []
  for (const request of under.heard()) {
    try {
      verdicts.push((await hear(under, request, now)).observation.status)
    } catch (error) {
      verdicts.push(SurefootError.is(error) ? error.failure.code : 'thrown')
    }
  }
  return verdicts
}

/** Settles a promise that needs time to pass: the clock advances by `everyMs` until then, at most an hour. */
export async function during<T>(under: ProviderUnderTest, promise: Promise<T>, everyMs = 1000): Promise<T> {
  let isSettled = false
  const watched = promise.finally(() => {
    isSettled = true
  })
  // Whoever waits for the promise gets its error; meanwhile it is nobody's.
  watched.catch(() => {})
  for (let waited = 0; waited < hour && !isSettled; waited += everyMs) await under.clock.advance(everyMs)
  return await watched
}

/** Collects what an observation names, as the engine does: into the store, and verified there. Fails as the engine's does. */
export function collect(under: ProviderUnderTest, observation: Observation): Promise<StoredOutput> {
  const collected = collectOutput(under.files, url => download(under, url), {
    predictionId: 'prediction-1',
    attemptId: marker.attemptId,
    model: sampleModel,
    outputs: observation.outputs ?? [],
    trustedOrigins: under.provider.trustedOrigins,
    signal: new AbortController().signal,
    newId: () => 'taking-1',
  })
  return during(under, collected)
}

/** The safe downloader's part of it, on the emulator. */
async function download({ fetch }: ProviderUnderTest, url: string): Promise<Downloaded> {
  const cut = (cause: unknown) => refuse('provider_unreachable', 'The download was cut off.', { cause })
  const response = await fetch(url).catch(cut)
  if (!response.ok || response.body === null) return refuse('input_invalid', `The link answered ${response.status}.`)
  const length = response.headers.get('content-length')
  const chunks = response.body
  async function* read(): AsyncGenerator<Uint8Array, void> {
    try {
      yield* chunks
    } catch (error) {
      cut(error)
    }
  }
  const mediaType = response.headers.get('content-type')
  return { body: read(), mediaType, bytes: length === null ? null : Number(length), name: 'output' }
}
