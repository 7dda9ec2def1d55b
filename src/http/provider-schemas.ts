import { z } from '@hono/zod-openapi'
import type { MeasuredJson, ProvidersJson } from './provider-shapes.ts'

const spreadSchema = z.object({ samples: z.int(), p50: z.number(), p95: z.number(), p99: z.number() }).nullable()

/** What real traffic says of a deployment. */
export const measuredSchema: z.ZodType<MeasuredJson> = z.object({
  samples: z.int(),
  won: z.int(),
  success: z.object({ rate: z.number(), low: z.number(), high: z.number() }).nullable(),
  total: spreadSchema,
  queue: spreadSchema,
  boot: spreadSchema,
  run: spreadSchema,
  collect: spreadSchema,
  cost_per_image: z.number().nullable(),
  unpriced: z.int(),
  stalls: z.int(),
  restarts: z.int(),
})

const deploymentSchema = z
  .object({
    name: z.string(),
    model: z.string(),
    provider: z.string(),
    kind: z.string(),
    routed: z.boolean(),
    billed: z.boolean(),
    concurrency: z.int(),
    price: z.object({ per_second: z.number(), as_of: z.string().nullable() }).nullable(),
    breaker: z.object({
      state: z.enum(['closed', 'open', 'half-open']),
      until: z.iso.datetime().nullable(),
      why: z.string().nullable(),
    }),
    measured: measuredSchema,
    health: z
      .object({
        state: z.enum(['ok', 'queueing', 'crash-loop', 'no-workers', 'unknown']),
        message: z.string(),
        queued: z.number().nullable(),
        workers: z.record(z.string(), z.number()),
      })
      .nullable(),
  })
  .openapi('Deployment')

const basis = z.enum(['measured', 'declared'])
const figureSchema = z.object({ value: z.number(), basis }).nullable()

const recommendationSchema = z
  .object({
    model: z.string(),
    prefer: z.enum(['cost', 'speed', 'reliability']),
    deployment: z.string().nullable(),
    basis: basis.nullable(),
    reasons: z.array(z.string()),
    assumptions: z.array(z.string()),
    ranking: z.array(
      z.object({
        name: z.string(),
        cost: figureSchema,
        seconds: figureSchema,
        slow_seconds: figureSchema,
        reliability: figureSchema,
        excluded: z.string().nullable(),
      }),
    ),
  })
  .openapi('Recommendation')

/** `GET /v1/providers`. */
export const providersSchema: z.ZodType<ProvidersJson> = z
  .object({
    enough_samples: z.int(),
    deployments: z.array(deploymentSchema),
    recommendations: z.array(recommendationSchema),
  })
  .openapi('Providers')
