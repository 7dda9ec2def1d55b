import { z } from '@hono/zod-openapi'
import { failureCodes } from '../core/failure.ts'
import { endedAttemptStates } from '../core/prediction.ts'
import { type ErrorBody, type HttpCode, httpCodes } from './errors.ts'
import type {
  AttemptsJson,
  ConvertingJson,
  CreateBody,
  FileJson,
  ModelJson,
  PageJson,
  PredictionJson,
  VersionJson,
} from './shapes.ts'

const time = z.iso.datetime()
const url = z.url()

/** What every error answers with. */
export const errorSchema: z.ZodType<ErrorBody> = z
  .object({
    detail: z.string(),
    status: z.int(),
    code: z.enum([...(Object.keys(httpCodes) as HttpCode[]), ...failureCodes]),
    request_id: z.string(),
  })
  .openapi('Error')

const progressSchema = z.object({ stage: z.string().nullable(), fraction: z.number().min(0).max(1).nullable() })
const failureSchema = z.object({
  code: z.enum(failureCodes),
  message: z.string(),
  fault: z.enum(['user', 'model', 'provider', 'config', 'policy', 'surefoot']),
  advice: z.string(),
})
const costSchema = z.object({ amount: z.number(), currency: z.literal('USD'), estimated: z.boolean() })
const outputSchema = z.object({
  name: z.string(),
  media_type: z.string(),
  bytes: z.int(),
  sha256: z.string(),
  facts: z.record(z.string(), z.unknown()),
})

const webhookEventSchema = z.enum(['start', 'output', 'logs', 'completed'])

/** Replicate's prediction, plus one key of ours. */
export const predictionSchema: z.ZodType<PredictionJson> = z
  .object({
    id: z.string(),
    model: z.string(),
    version: z.string(),
    deployment: z.string().optional(),
    input: z.record(z.string(), z.unknown()),
    output: url.nullable(),
    status: z.enum(['starting', 'processing', 'succeeded', 'failed', 'canceled', 'aborted']),
    error: z.string().nullable(),
    logs: z.string(),
    metrics: z.object({ predict_time: z.number().optional(), total_time: z.number().optional() }),
    created_at: time,
    started_at: time.nullable(),
    completed_at: time.nullable(),
    deadline: time.optional(),
    data_removed: z.boolean(),
    source: z.enum(['api', 'web']),
    urls: z.object({ get: url, cancel: url }),
    webhook: url.optional(),
    webhook_events_filter: z.array(webhookEventSchema).optional(),
    surefoot: z.object({
      progress: progressSchema.nullable(),
      failure: failureSchema.nullable(),
      cost: costSchema.nullable(),
      deployment: z.string().nullable(),
      notice: z.string().nullable(),
      output: outputSchema.nullable(),
      derivatives: z.array(z.object({ name: z.string(), media_type: z.string(), label: z.string(), url })).optional(),
      shadow_of: z.string().optional(),
      data_removed_at: time.optional(),
      owner: z.string().optional(),
      settled: z.boolean(),
    }),
  })
  .openapi('Prediction')

const attemptStates = [
  ...(['planned', 'submitting', 'unknown', 'queued', 'booting', 'running', 'collecting'] as const),
  ...endedAttemptStates,
]

/** One try of a prediction, without handles, secrets or provider links. */
const attemptSchema = z.object({
  id: z.string(),
  number: z.int(),
  deployment: z.string(),
  state: z.enum(attemptStates),
  word: z.string().nullable(),
  planned_at: time,
  submitted_at: time.nullable(),
  queued_at: time.nullable(),
  booting_at: time.nullable(),
  running_at: time.nullable(),
  collecting_at: time.nullable(),
  ended_at: time.nullable(),
  progress: progressSchema.nullable(),
  restarts: z.int(),
  output: outputSchema.nullable(),
  failure: failureSchema.nullable(),
  cost: costSchema.nullable(),
  reserved: z.number(),
  release: z.enum(['none', 'open', 'confirmed', 'given_up']),
})

/** `GET /v1/predictions/{id}/attempts`. */
export const attemptsSchema: z.ZodType<AttemptsJson> = z
  .object({
    attempts: z.array(attemptSchema),
    decisions: z.array(z.object({ at: time, attempt: z.int().nullable(), what: z.string(), why: z.string() })),
  })
  .openapi('Attempts')

/** What a derivative that is still being made answers to `Prefer: respond-async`. */
export const convertingSchema: z.ZodType<ConvertingJson> = z
  .object({ status: z.literal('converting'), name: z.string(), progress: progressSchema })
  .openapi('Converting')

/** Replicate's file. */
export const fileSchema: z.ZodType<FileJson> = z
  .object({
    id: z.string(),
    name: z.string(),
    content_type: z.string(),
    size: z.int(),
    etag: z.string(),
    checksums: z.object({ sha256: z.string() }),
    metadata: z.record(z.string(), z.unknown()),
    created_at: time,
    expires_at: time.nullable(),
    urls: z.object({ get: url }),
  })
  .openapi('File')

/** Replicate's model version. */
export const versionSchema: z.ZodType<VersionJson> = z
  .object({
    id: z.string(),
    created_at: time,
    cog_version: z.string(),
    openapi_schema: z.record(z.string(), z.unknown()),
  })
  .openapi('Version')

/** Replicate's model. */
export const modelSchema: z.ZodType<ModelJson> = z
  .object({
    url,
    owner: z.string(),
    name: z.string(),
    description: z.string(),
    visibility: z.literal('private'),
    github_url: z.null(),
    paper_url: z.null(),
    license_url: z.null(),
    run_count: z.int(),
    cover_image_url: z.null(),
    default_example: z.null(),
    latest_version: versionSchema,
  })
  .openapi('Model')

/** One page of a list, newest first. */
export function pageSchema<T>(item: z.ZodType<T>): z.ZodType<PageJson<T>> {
  return z.object({ next: url.nullable(), previous: z.null(), results: z.array(item) })
}

const modelName = z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'has the form owner/name')

const createFields = {
  input: z.record(z.string(), z.unknown()).openapi({ description: "The model's input; files as URLs or data URIs." }),
  webhook: z.url({ protocol: /^https?$/, error: 'is not an http or https URL' }).optional(),
  webhook_events_filter: z.array(webhookEventSchema).max(16, 'names more events than there are').optional(),
  surefoot: z
    .strictObject({
      deployments: z.array(z.string()).min(1).max(20).optional().openapi({
        description:
          "Runs it on these deployments only (`model@provider`), in this order, instead of the model's route.",
      }),
    })
    .optional(),
  stream: z.boolean().optional().openapi({ deprecated: true, description: 'Accepted from older clients, ignored.' }),
}

/** Body of `POST /v1/models/{owner}/{name}/predictions`. */
export const createForModelSchema: z.ZodType<CreateBody> = z.strictObject(createFields).openapi('CreateForModel')

/** Body of `POST /v1/predictions`. */
export const createSchema: z.ZodType<CreateBody> = z
  .strictObject({
    version: z
      .string()
      .regex(
        /^([0-9a-f]{64}|[\w.-]+\/[\w.-]+(:[0-9a-f]{64})?)$/,
        'is neither 64 hex digits, owner/name nor owner/name:version',
      )
      .optional(),
    model: modelName.optional().openapi({ description: 'The same as a `version` of the form `owner/name`.' }),
    ...createFields,
  })
  .openapi('Create')
