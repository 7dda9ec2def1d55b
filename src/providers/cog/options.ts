import { z } from 'zod'
import type { JsonObject } from '../../core/json.ts'
import { type CommonTarget, commonTarget, parseOptionsOf, parseTargetOf, vendorUrl } from '../option-schemas.ts'

/** How the end of a run becomes known: by a webhook, or as the answer to a request that is held open. */
export type CogMode = 'webhook' | 'held'

/** What `cog()` takes. */
export interface CogOptions {
  /**
   * Where the server answers, e.g. `http://10.0.0.5:5000`: exactly one server, because runs and health are known to the
   * one that has them only.
   */
  readonly baseUrl: string
  /**
   * Value of the `authorization` header for a proxy in front of the server (Cog itself asks for none). Sent to `baseUrl`
   * only, which must then be https, or on this machine.
   */
  readonly authorization?: string
  /**
   * `webhook` (the default) needs a public base URL. `held` needs none: each run holds its request open until its end, and
   * whatever cuts that connection may lose the run.
   */
  readonly mode?: CogMode
  /** The server's `WEBHOOK_AUTH_TOKEN`, if it has one: its webhooks are refused without it. */
  readonly webhookToken?: string
  /**
   * Proves to a kit that its jobs are this gateway's: the same text as `SUREFOOT_KIT_SECRET` of the worker, 16 characters or
   * more. Without it a kit at an address that others reach works for them too. Default: none; only for targets with `kit`.
   */
  readonly kitSecret?: string
  /** Origins besides `baseUrl`'s that outputs may come from although they are private: where `--upload-url` leads. */
  readonly outputOrigins?: readonly string[]
}

/** What is known of a run there: the server has one model, so nothing chooses it. */
export type CogTarget = Omit<CommonTarget, 'hardware'>

const address: z.ZodType<string, string> = z
  .url({ protocol: /^https?$/, abort: true })
  .transform(value => value.replace(/\/+$/, ''))

/** Options that Koyeb's services have as well, as they are used. */
export interface CommonOptions {
  readonly baseUrl: string
  readonly authorization?: string | undefined
  readonly mode: CogMode
  readonly webhookToken?: string | undefined
  readonly kitSecret?: string | undefined
  readonly outputOrigins: readonly string[]
}

/** Their schemas. */
export const commonOptions: {
  readonly authorization: z.ZodOptional<z.ZodString>
  readonly mode: z.ZodType<CogMode, CogMode | undefined>
  readonly webhookToken: z.ZodOptional<z.ZodString>
  readonly kitSecret: z.ZodOptional<z.ZodString>
  readonly outputOrigins: z.ZodType<string[], string[] | undefined>
} = {
  authorization: z.string().min(1, 'must not be empty').optional(),
  mode: z.enum(['webhook', 'held']).default('webhook'),
  webhookToken: z.string().min(1, 'must not be empty').optional(),
  kitSecret: z.string().min(16, 'must have 16 characters or more').optional(),
  outputOrigins: z.array(address.transform(value => new URL(value).origin)).default([]),
}

const optionsSchema = z
  .strictObject({ baseUrl: address, ...commonOptions })
  .refine(({ baseUrl, authorization }) => authorization === undefined || vendorUrl().safeParse(baseUrl).success, {
    path: ['baseUrl'],
    message: 'must be https, or http on this machine: the authorization goes there',
  })

const targetSchema = z.strictObject({
  pricePerSecond: commonTarget.pricePerSecond,
  inputs: commonTarget.inputs,
  kit: commonTarget.kit,
})

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: CogOptions): CommonOptions {
  return parseOptionsOf('cog', optionsSchema, options)
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): CogTarget & JsonObject {
  return parseTargetOf<CogTarget & JsonObject>('cog', targetSchema, target)
}
