import { z } from '@hono/zod-openapi'
import type { MigrationJson, MigrationsJson } from './migration-shapes.ts'
import { measuredSchema } from './provider-schemas.ts'

const time = z.iso.datetime()
const limit = z.number().nullable()

const planSchema = z.object({
  from: z.string(),
  to: z.string(),
  steps: z.array(z.number()),
  shadow: z.object({ share: z.number(), runs: z.int() }),
  limits: z.object({
    success: z.union([z.literal('no-worse'), z.number()]),
    slower: limit,
    dearer: limit,
    seconds: limit,
    cost: limit,
    differ: z.number(),
  }),
  samples: z.int(),
})

const sideSchema = z.object({
  deployment: z.string(),
  percent: z.number(),
  attempts: z.int(),
  out: z.object({ until: time, why: z.string() }).nullable(),
  measured: measuredSchema,
})
const pairSideSchema = z.object({ succeeded: z.boolean(), seconds: z.number().nullable(), cost: z.number().nullable() })

const pairsSchema = z.object({
  compared: z.int(),
  both: z.int(),
  only_from: z.int(),
  only_to: z.int(),
  neither: z.int(),
  differ: z.int(),
  seconds: z.object({ from: z.number(), to: z.number() }).nullable(),
  cost: z.object({ from: z.number().nullable(), to: z.number().nullable() }),
  latest: z.array(
    z.object({
      prediction: z.string(),
      shadow: z.string(),
      from: pairSideSchema,
      to: pairSideSchema,
      differences: z.array(z.string()).nullable(),
    }),
  ),
})

/** Where one migration stands. */
export const migrationSchema: z.ZodType<MigrationJson> = z
  .object({
    model: z.string(),
    plan: planSchema,
    stage: z.enum(['shadow', 'step', 'done', 'rolled_back']),
    step: z.int().nullable(),
    since: time,
    paused: z.boolean(),
    configured: z.boolean(),
    from: sideSchema,
    to: sideSchema,
    pairs: pairsSchema,
    verdict: z.object({
      kind: z.enum(['stay', 'up', 'back']),
      why: z.string().nullable(),
      missing: z.array(z.string()),
    }),
    history: z.array(z.object({ at: time, what: z.string(), why: z.string() })),
  })
  .openapi('Migration')

/** `GET /v1/migrations`. */
export const migrationsSchema: z.ZodType<MigrationsJson> = z
  .object({ migrations: z.array(migrationSchema) })
  .openapi('Migrations')
