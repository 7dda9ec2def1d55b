import { resolve } from 'node:path'
import { z } from 'zod'
import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import { sharpTargetShape } from './sharp-target.ts'

export interface LocalOptions {
  /** Work folder, one subfolder per attempt; e.g. `.surefoot/local`. Made when first needed. */
  readonly directory: string
  /** Memory for an engine's JavaScript objects, in MiB; pixels and splats lie outside of it. Default 1024. */
  readonly memoryMb?: number
  /** More engines: name -> URL of a module that exports `run` (see `engine.ts`). */
  readonly engines?: { readonly [name: string]: string | URL }
  /**
   * Environment variables that Apple's `sharp` gets: where programs, weights and GPUs are. Default none; a config's own
   * `local` gets those of the gateway that are not secrets. No other engine gets any.
   */
  readonly environment?: { readonly [name: string]: string }
  /** The host's name where no process may outlive a request: every start is refused there. Default null: it may. */
  readonly refusedBy?: string | null
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number
}

const optionsSchema = z.strictObject({
  directory: z.string().min(1),
  memoryMb: z.int().min(16).default(1024),
  engines: z.record(z.string(), z.union([z.string(), z.instanceof(URL)])).default({}),
  environment: z.record(z.string(), z.string()).default({}),
  refusedBy: z.string().nullable().default(null),
  now: z.custom<() => number>(value => typeof value === 'function').default(() => Date.now),
})

/** Options with their defaults, the folder as an absolute path. Throws `input_invalid`, naming the wrong option. */
export function parseOptions(options: LocalOptions): Required<LocalOptions> {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    refuse('input_invalid', `Option ${issue?.path.join('.')} of local(): ${issue?.message}.`)
  }
  return { ...parsed.data, directory: resolve(parsed.data.directory) }
}

/**
 * `{ engine? }`, and for the engine `sharp` `command`, `device` and `checkpoint` as well. Without an engine's name the model
 * chooses: `usual`. Throws `deployment_missing`, naming the wrong field.
 */
export function parseTarget(
  target: unknown,
  engines: readonly string[],
  usual: string | undefined,
): JsonObject & { readonly engine?: string } {
  const parsed = z.strictObject({ engine: z.enum(engines).optional(), ...sharpTargetShape }).safeParse(target ?? {})
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return refuse(
      'deployment_missing',
      `Target of a local deployment: ${issue?.path.join('.') || 'it'} is wrong: ${issue?.message}. Engines here: ${engines.join(', ')}.`,
    )
  }
  const { engine = usual, ...more } = parsed.data
  const settings = Object.entries(more).filter(([, value]) => value !== undefined)
  const [first] = settings
  if (first !== undefined && engine !== 'sharp')
    refuse('deployment_missing', `Target of a local deployment: only the engine sharp has "${first[0]}".`)
  return { ...(engine === undefined ? {} : { engine }), ...Object.fromEntries(settings) }
}
