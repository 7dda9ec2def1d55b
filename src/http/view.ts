import type { Failure } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import type { Attempt, Cost, PredictionRecord, StoredOutput } from '../core/prediction.ts'
import { isTerminal } from '../core/prediction.ts'
import type { Derivatives } from '../derivatives/contract.ts'
import type { FileRow, StoredPrediction } from '../store/contract.ts'
import type { Links } from './links.ts'
import type { AttemptsJson, FailureJson, FileJson, OutputJson, PredictionJson } from './shapes.ts'

export interface ViewOptions {
  readonly links: Links
  /** What people must know about results of the model. */
  readonly notice: string | null
  /** What can be made of outputs of the model. Default: nothing. */
  readonly derivatives?: Pick<Derivatives, 'list'> | undefined
  /** Whose it is, where that is to be told. */
  readonly owner?: string
}

/** A stored prediction as Replicate's JSON, plus our one key. Never holds handles, provider links or file keys. */
export function toPredictionView(
  { record }: Pick<StoredPrediction, 'record'>,
  { links, notice, derivatives, owner }: ViewOptions,
): PredictionJson {
  const attempt = record.attempts.find(({ state }) => state === 'won') ?? record.attempts.at(-1)
  const self = `${links.origin}/v1/predictions/${record.id}`
  return {
    id: record.id,
    model: record.model,
    version: record.modelVersion,
    ...(record.route?.length === 1 ? { deployment: `${record.model.split('/')[0]}/${record.route[0]}` } : {}),
    input: toInputView(record, links),
    output: record.shadowOf === undefined ? links.output(record) : null,
    status: record.status,
    error: record.failure?.message ?? null,
    logs: toLogs(record),
    metrics: toMetrics(record, attempt),
    created_at: toTime(record.createdAt),
    started_at: toTimeOrNull(record.startedAt),
    completed_at: toTimeOrNull(record.completedAt),
    ...(record.deadlineBy === 'client' ? { deadline: toTime(record.deadlineAt) } : {}),
    data_removed: record.dataRemovedAt !== undefined,
    source: record.source,
    urls: { get: self, cancel: `${self}/cancel` },
    ...(record.webhook === null ? {} : { webhook: record.webhook.url, webhook_events_filter: record.webhook.events }),
    surefoot: {
      progress: record.progress,
      failure: record.failure === null ? null : toFailureView(record.failure),
      cost: sumCosts(record.attempts),
      deployment: attempt?.deployment ?? null,
      notice,
      output: toOutputView(record.output),
      ...toDerivativesView(record, links, derivatives),
      ...(record.shadowOf === undefined ? {} : { shadow_of: record.shadowOf }),
      ...(record.dataRemovedAt === undefined ? {} : { data_removed_at: toTime(record.dataRemovedAt) }),
      ...(owner === undefined ? {} : { owner }),
      settled: record.settledAt !== null,
    },
  }
}

/** Attempts and decisions of a prediction for everybody who may see it: no handles, no provider links, no file keys. */
export function toAttemptsView({ record }: StoredPrediction): AttemptsJson {
  return {
    attempts: record.attempts.map(attempt => ({
      id: attempt.id,
      number: attempt.number,
      deployment: attempt.deployment,
      state: attempt.state,
      word: attempt.word,
      planned_at: toTime(attempt.plannedAt),
      submitted_at: toTimeOrNull(attempt.submittedAt),
      queued_at: toTimeOrNull(attempt.queuedAt),
      booting_at: toTimeOrNull(attempt.bootingAt),
      running_at: toTimeOrNull(attempt.runningAt),
      collecting_at: toTimeOrNull(attempt.collectingAt),
      ended_at: toTimeOrNull(attempt.endedAt),
      progress: attempt.progress,
      restarts: attempt.restarts,
      output: toOutputView(attempt.output),
      failure: attempt.failure === null ? null : toFailureView(attempt.failure),
      cost: attempt.cost,
      reserved: attempt.reserved,
      release: attempt.release,
    })),
    decisions: record.decisions.map(({ at, attempt, what, why }) => ({ at: toTime(at), attempt, what, why })),
  }
}

/** A stored file in Replicate's shape. */
export function toFileView(row: FileRow, links: Links): FileJson {
  return {
    id: row.id,
    name: row.name,
    content_type: row.mediaType,
    size: row.bytes,
    etag: row.sha256,
    checksums: { sha256: row.sha256 },
    metadata: JSON.parse(row.metadata) as JsonObject,
    created_at: toTime(row.createdAt),
    expires_at: toTimeOrNull(row.expiresAt),
    urls: { get: `${links.origin}/v1/files/${row.id}` },
  }
}

/** ISO 8601 in UTC, with milliseconds. */
export function toTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

/** The same, or null for none. */
export function toTimeOrNull(milliseconds: number | null): string | null {
  return milliseconds === null ? null : toTime(milliseconds)
}

/** Files that came with the prediction appear as signed links that open in a browser; addresses elsewhere as given. */
function toInputView({ input, files }: PredictionRecord, links: Links): Record<string, unknown> {
  const view: Record<string, unknown> = { ...input }
  for (const [field, file] of Object.entries(files)) {
    const given = input[field]
    if (typeof given !== 'string' || !/^https?:/i.test(given)) view[field] = links.input(file)
  }
  return view
}

function toOutputView(output: StoredOutput | null): OutputJson | null {
  if (output === null) return null
  const { name, mediaType, bytes, sha256, facts } = output
  return { name, media_type: mediaType, bytes, sha256, facts }
}

function toDerivativesView(
  { id, output, shadowOf }: PredictionRecord,
  links: Links,
  derivatives: ViewOptions['derivatives'],
): Pick<PredictionJson['surefoot'], 'derivatives'> {
  if (output === null || shadowOf !== undefined || derivatives === undefined) return {}
  return {
    derivatives: derivatives
      .list(output.name)
      .map(({ name, mediaType, label }) => ({ name, media_type: mediaType, label, url: links.derivative(id, name) })),
  }
}

function toFailureView({ code, message, fault, advice }: Failure): FailureJson {
  return { code, message, fault, advice }
}

/** One line per decision; then, because clients look for it from the end, progress as tqdm writes it. */
function toLogs({ status, decisions, progress }: PredictionRecord): string {
  const lines = decisions.map(({ at, what, why }) => `${toTime(at)} ${what}: ${why}`)
  const fraction = status === 'succeeded' ? 1 : (progress?.fraction ?? null)
  if (fraction !== null) lines.push(toProgressLine(fraction, progress?.stage ?? null))
  return lines.join('\n')
}

function toProgressLine(fraction: number, stage: string | null): string {
  const percent = Math.round(fraction * 100)
  const bar = '#'.repeat(Math.round(percent / 5)).padEnd(20)
  return `${percent}%|${bar}| ${percent}/100${stage === null ? '' : ` [${stage}]`}`
}

/** Replicate's metrics, in seconds, of a finished prediction: the work of the attempt that counts, and the whole. */
function toMetrics(record: PredictionRecord, attempt: Attempt | undefined): PredictionJson['metrics'] {
  if (!isTerminal(record.status) || record.completedAt === null) return {}
  // Never below zero, whatever was done to the clock meanwhile.
  const total = { total_time: Math.max(0, record.completedAt - record.createdAt) / 1000 }
  if (attempt === undefined || attempt.runningAt === null) return total
  const end = attempt.collectingAt ?? attempt.endedAt ?? record.completedAt
  return { predict_time: Math.max(0, end - attempt.runningAt) / 1000, ...total }
}

function sumCosts(attempts: readonly Attempt[]): Cost | null {
  const costs = attempts.flatMap(({ cost }) => (cost === null ? [] : [cost]))
  if (costs.length === 0) return null
  return {
    amount: costs.reduce((sum, { amount }) => sum + amount, 0),
    currency: 'USD',
    estimated: costs.some(({ estimated }) => estimated),
  }
}
