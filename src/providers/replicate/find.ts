import { z } from 'zod'
import { refuse } from '../../core/failure.ts'
import type { FoundRun, Io, Marker } from '../contract.ts'
import type { VendorApi } from '../vendor-api.ts'
import { markerKey } from './inputs.ts'
import { observe } from './observe.ts'
import { fileSchema, pageSchema, predictionSchema, type WirePage, type WirePrediction } from './wire.ts'

/** The vendor's clock and ours may differ by this much. */
const skewMs = 2 * 60_000
/** A run of ours that the list shows without its webhook is looked at singly only when it began within this time. */
const windowMs = 5 * 60_000
const maxPages = 10
const maxLookups = 25

/**
 * Our runs in the vendor's own list. A run is ours when its webhook URL holds the marker's secret, when its input holds
 * the attempt's id (kits), or when it was given a file that we uploaded for this attempt. Anything less exact, such as
 * "the same input at the same time", would adopt other people's runs. Throws rather than say "none" after half a look.
 */
export async function find(marker: Marker, since: number, api: VendorApi, io: Io): Promise<FoundRun[]> {
  const runs = await listSince(since - skewMs, api, io)
  const marked = runs.filter(run => isMarked(run, marker))
  if (marked.length > 0) return marked.map(found)

  const files = runs.some(run => inputText(run).includes('/files/')) ? await uploadedFor(marker, api, io) : []
  const fed = runs.filter(run => files.some(id => inputText(run).includes(`/files/${id}`)))
  if (fed.length > 0) return fed.map(found)

  // List items may come without their webhook; then only a look at each can tell.
  const silent = runs.filter(run => !('webhook' in run) && within(run, since))
  if (silent.length > maxLookups) tooMany(`${silent.length} runs began in the same minutes`)
  for (const { id } of silent) {
    const run = await api.get(`/predictions/${encodeURIComponent(id)}`, predictionSchema, io)
    if (isMarked(run, marker)) return [found(run)]
  }
  return []
}

async function listSince(from: number, api: VendorApi, io: Io): Promise<WirePrediction[]> {
  const runs: WirePrediction[] = []
  const query = `created_after=${encodeURIComponent(new Date(from).toISOString())}`
  for await (const item of pages(`/predictions?${query}`, api, io)) {
    const run = predictionSchema.safeParse(item)
    if (!run.success) continue
    if (Date.parse(run.data.created_at ?? '') < from) break
    runs.push(run.data)
  }
  return runs
}

async function uploadedFor(marker: Marker, api: VendorApi, io: Io): Promise<string[]> {
  const ids: string[] = []
  for await (const item of pages('/files', api, io)) {
    const file = fileSchema.safeParse(item)
    if (file.success && file.data.metadata?.[markerKey] === marker.attemptId) ids.push(file.data.id)
  }
  return ids
}

/** Items of a list, page after page. Of `next` only the query is used: the token goes to our base URL alone. */
async function* pages(first: string, api: VendorApi, io: Io): AsyncGenerator<unknown> {
  const path = first.split('?')[0] ?? first
  let next: string | null = first
  for (let page = 0; next !== null; page++) {
    if (page === maxPages) tooMany('there are too many to search')
    const answer: WirePage = await api.get(next, pageSchema, io)
    yield* answer.results
    const query = answer.next != null && URL.canParse(answer.next) ? new URL(answer.next).search : ''
    next = query === '' ? null : `${path}${query}`
  }
}

function isMarked(run: WirePrediction, marker: Marker): boolean {
  if (run.webhook?.includes(marker.secret)) return true
  const input = z.record(z.string(), z.unknown()).safeParse(run.input)
  return input.success && input.data[markerKey] === marker.attemptId
}

function inputText(run: WirePrediction): string {
  return run.input === undefined ? '' : JSON.stringify(run.input)
}

function within(run: WirePrediction, since: number): boolean {
  const at = Date.parse(run.created_at ?? '')
  return Number.isNaN(at) || at <= since + windowMs + skewMs
}

function found(run: WirePrediction): FoundRun {
  return { handle: { id: run.id }, seen: observe(run) }
}

function tooMany(why: string): never {
  refuse('provider_error', `Replicate's list could not be searched for a lost run: ${why}.`)
}
