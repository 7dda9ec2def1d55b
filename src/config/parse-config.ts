import { z } from 'zod'
import { wordsOfIssue } from '../core/issue-words.ts'
import { routings } from '../core/policy.ts'
import { parseClockTime, weekdays } from '../core/schedule.ts'
import { shortestWaitMs } from '../core/warm-up.ts'
import type { Model } from '../models/contract.ts'
import type { Provider } from '../providers/contract.ts'
import type { Config, ProviderContext } from './config.ts'
import { refuseConfig, suggest } from './refuse-config.ts'

const milliseconds = z.int().positive()

const policySchema = z
  .strictObject({
    deadlineMs: milliseconds,
    queueMs: milliseconds,
    bootMs: milliseconds,
    unknownMs: milliseconds,
    stallMs: milliseconds,
    stallFactor: z.number().positive(),
    stallMinMs: milliseconds,
    stallMaxMs: milliseconds,
    lastStageMs: milliseconds,
    lastStageFrom: z.number().min(0).max(1),
    runMs: milliseconds,
    collectMs: milliseconds,
    attempts: z.int().min(1).max(100),
    hedges: z.int().min(0).max(10),
    restarts: z.int().min(0).max(100),
    onUnknown: z.enum(['resubmit', 'fail']),
    budget: z.number().positive().nullable(),
    budgetPerDay: z.number().positive().nullable(),
    routing: z.enum(routings),
    backoffMs: milliseconds,
    releaseMs: milliseconds,
  })
  .partial()

const limitsSchema = z
  .strictObject({
    // The latest 200 attempts cannot prove more than 98 %.
    success: z.union([z.literal('no-worse'), z.number().min(0).max(0.98)], {
      error: 'is neither "no-worse" nor a share from 0 to 0.98',
    }),
    slower: z.number().positive().nullable(),
    dearer: z.number().positive().nullable(),
    seconds: z.number().positive().nullable(),
    cost: z.number().positive().nullable(),
    differ: z.number().min(0).max(1),
  })
  .partial()

const shadowSchema = z.strictObject({ share: z.number().positive().max(1), runs: z.int().min(0).max(100) }).partial()

const migrationSchema = z.strictObject({
  from: z.string(),
  to: z.string(),
  steps: z
    .array(z.number().positive().max(100))
    .min(1)
    .refine(steps => steps.every((step, index) => step > (steps[index - 1] ?? 0)), 'do not rise from step to step')
    .refine(steps => steps.at(-1) === 100, 'do not end with 100; for a share that stays, use weights')
    .optional(),
  shadow: shadowSchema.optional(),
  limits: limitsSchema.optional(),
  samples: z.int().min(3).max(100).optional(),
})

const modelSchema = z.strictObject({
  model: z.custom<Model>(isModel, 'is no model: make one with defineModel').optional(),
  route: z
    .array(z.union([z.string(), z.strictObject({ deployment: z.string(), weight: z.number().min(0).optional() })]))
    .min(1),
  policy: policySchema.optional(),
  migration: migrationSchema.optional(),
})

const clockTime = z.string().refine(text => parseClockTime(text) !== null, 'is no time of the day, such as 08:00')

const keepWarmSchema = z
  .strictObject({
    from: clockTime.optional(),
    to: clockTime.optional(),
    days: z.array(z.enum(weekdays)).min(1).optional(),
    timeZone: z.string().refine(isTimeZone, 'is no time zone that is known here, such as Europe/Berlin').optional(),
    everySeconds: z
      .int()
      .min(shortestWaitMs / 1000)
      .max(86_400)
      .optional(),
  })
  .refine(({ from, to }) => from !== '24:00' && (from === undefined || from !== to), {
    path: ['from'],
    message: 'must be before 24:00 and differ from "to"; leave both out for all day',
  })

const deploymentSchema = z.strictObject({
  target: z.unknown().optional(),
  concurrency: z.int().min(1).max(10_000).optional(),
  startsPerMinute: z.int().min(1).optional(),
  keepWarm: keepWarmSchema.optional(),
})

const originSchema = z
  .url({ protocol: /^https?$/, error: 'is not an http or https URL', abort: true })
  .refine(isOrigin, 'has a path, a query or credentials; only scheme, host and port belong there')
  .transform(url => new URL(url).origin)

const credentialsSchema = z.strictObject({
  accessKeyId: z.string().min(1),
  secretAccessKey: z.string().min(1),
  sessionToken: z.string().min(1).optional(),
})

const s3Schema = z.strictObject({
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'is no name of a bucket'),
  region: z.string().min(1),
  endpoint: originSchema.optional(),
  publicEndpoint: originSchema.optional(),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/, 'is not made of A-Z, a-z, 0-9, ".", "_", "-" and "/" between them')
    .max(300)
    .optional(),
  pathStyle: z.boolean().optional(),
  checksums: z.boolean().optional(),
  credentials: credentialsSchema.optional(),
})

const providerName = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'names a provider by other than a-z, 0-9 and -')

const configSchema = z.strictObject({
  data: z.string().min(1).optional(),
  database: z.url({ protocol: /^postgres(ql)?$/, error: 'is not a postgres:// URL' }).optional(),
  host: z.string().min(1).optional(),
  port: z.int().min(0).max(65_535).optional(),
  publicUrl: z
    .url({ protocol: /^https?$/, error: 'is not an http or https URL', abort: true })
    .refine(isPlace, 'has a query or credentials; only scheme, host, port and path belong there')
    .transform(url => new URL(url).href.replace(/\/+$/, ''))
    .optional(),
  serverless: z.union([z.boolean(), z.strictObject({ seconds: z.number().min(1).max(900).optional() })]).optional(),
  tickSecret: z.string().min(16, 'has fewer than 16 characters').optional(),
  webhookOrigins: z.array(originSchema).optional(),
  corsOrigins: z.array(originSchema).optional(),
  retention: z
    .strictObject({
      days: z.number().positive().max(36_500).nullable(),
      gigabytes: z.number().positive().nullable(),
      spareGigabytes: z.number().min(0),
    })
    .partial()
    .optional(),
  keepLocation: z.boolean().optional(),
  providers: z
    .record(
      providerName,
      z.custom<Provider | ((context: ProviderContext) => Provider)>(
        value => typeof value === 'function' || isProvider(value),
        'is neither a provider nor a function that makes one',
      ),
    )
    .optional(),
  models: z.record(z.string(), modelSchema).optional(),
  deployments: z.record(z.string(), deploymentSchema).optional(),
  files: z.strictObject({ s3: s3Schema }).optional(),
})

/** Checks a config's shape, strictly: one sentence names the first thing that is wrong, and the nearest right word. */
export function parseConfig(value: unknown, source: string): Config {
  const result = configSchema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = (issue?.path ?? []).map(String).join('.')
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    refuseConfig(
      `${source}: unknown key "${where === '' ? key : `${where}.${key}`}".${suggest(key, keysAt(issue.path))}`,
    )
  }
  refuseConfig(`${source}: ${where === '' ? 'the config' : where}: ${wordsOfIssue(issue)}.`)
}

function isModel(value: unknown): value is Model {
  return (
    typeof value === 'object' &&
    value !== null &&
    'verify' in value &&
    typeof value.verify === 'function' &&
    'parseInput' in value &&
    typeof value.parseInput === 'function' &&
    'output' in value
  )
}

/** True for what has a provider's verbs and limits; adapters check the rest themselves. */
export function isProvider(value: unknown): value is Provider {
  return (
    typeof value === 'object' &&
    value !== null &&
    'start' in value &&
    typeof value.start === 'function' &&
    'parseTarget' in value &&
    typeof value.parseTarget === 'function' &&
    'limits' in value
  )
}

/** The keys of the object that a path leads to. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let schemas: readonly z.core.$ZodType[] = [configSchema]
  for (const step of path) schemas = schemas.flatMap(unwrap).flatMap(schema => within(schema, step))
  return schemas.flatMap(unwrap).flatMap(schema => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []))
}

/** What a value of a schema may be, without what is said of its absence. */
function unwrap(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return unwrap(schema.unwrap())
  return schema instanceof z.ZodUnion ? schema.options.flatMap(unwrap) : [schema]
}

/** The schema of one part of what has a schema. */
function within(schema: z.core.$ZodType, step: PropertyKey): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodArray) return [schema.element]
  if (schema instanceof z.ZodRecord) return [schema.valueType]
  const part = schema instanceof z.ZodObject ? schema.shape[String(step)] : undefined
  return part === undefined ? [] : [part]
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

function isPlace(url: string): boolean {
  const { search, hash, username, password } = new URL(url)
  return `${search}${hash}${username}${password}` === ''
}

function isOrigin(url: string): boolean {
  const { pathname, search, hash, username, password } = new URL(url)
  return pathname === '/' && `${search}${hash}${username}${password}` === ''
}
