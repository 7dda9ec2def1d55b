import { z } from 'zod'
import { type FailureCode, failureCodes } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'

/** What `start` gives back: the work folder is the attempt's own. */
export interface Handle {
  readonly attempt: string
}
export const handleSchema: z.ZodType<Handle> = z.object({ attempt: z.string() })

/** `job.json`: what the worker has to do. Written once, before the worker is started. */
export interface WorkOrder {
  /** URL of the engine's module. */
  readonly module: string
  readonly input: JsonObject
  readonly target: JsonObject
  /** Paths of the input files, by field. */
  readonly files: { readonly [field: string]: string }
  readonly runLimitMs: number
  readonly memoryMb: number
}
const objectSchema = z.custom<JsonObject>(value => typeof value === 'object' && value !== null)
export const workOrderSchema: z.ZodType<WorkOrder> = z.object({
  module: z.string(),
  input: objectSchema,
  target: objectSchema,
  files: z.record(z.string(), z.string()),
  runLimitMs: z.number(),
  memoryMb: z.number(),
})

/** `status.json`: what the worker says about itself, at least twice a second. Times are milliseconds since 1970. */
export interface Status {
  readonly state: 'booting' | 'running' | 'succeeded' | 'failed'
  readonly pid: number
  readonly startedAt: number
  readonly heartbeatAt: number
  /** First sign of work. */
  readonly runningAt: number | null
  readonly endedAt: number | null
  readonly stage: string | null
  /** Of the whole work, 0 to 1. */
  readonly fraction: number | null
  /** Last lines, at most 4,000 characters. */
  readonly log: string
  /** Characters of log so far. */
  readonly logLength: number
  /** With `failed`; null where the worker ended because it was cancelled. */
  readonly failure: {
    readonly code: FailureCode
    readonly message: string
    readonly advice?: string | undefined
  } | null
}
export const statusSchema: z.ZodType<Status> = z.object({
  state: z.enum(['booting', 'running', 'succeeded', 'failed']),
  pid: z.number(),
  startedAt: z.number(),
  heartbeatAt: z.number(),
  runningAt: z.number().nullable(),
  endedAt: z.number().nullable(),
  stage: z.string().nullable(),
  fraction: z.number().nullable(),
  log: z.string(),
  logLength: z.number(),
  failure: z
    .object({ code: z.enum(failureCodes).catch('model_error'), message: z.string(), advice: z.string().optional() })
    .nullable(),
})

/** `exit.json`: how the worker's process ended, where the gateway that started it saw that. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}
export const exitSchema: z.ZodType<Exit> = z.object({ code: z.number().nullable(), signal: z.string().nullable() })
