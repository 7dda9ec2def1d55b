import { z } from 'zod'
import { refuse } from '../core/failure.ts'
import type { Warmth } from './contract.ts'

/** An address to which a secret is sent: https, or http on this machine. Slashes at its end go. */
export function vendorUrl(byDefault?: string): z.ZodType<string, string | undefined> {
  const url = z
    .url({ abort: true })
    .refine(isSafe, 'must be https, or http on this machine: the secret goes there')
    .transform(value => value.replace(/\/+$/, ''))
  return byDefault === undefined ? (url as z.ZodType<string, string | undefined>) : url.default(byDefault)
}

function isSafe(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || (protocol === 'http:' && isThisMachine(hostname))
}

/** A name or address that never leaves this machine. */
export function isThisMachine(hostname: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

/** A name or address that is not the internet's by its looks: this machine, a private network, a name without a dot. */
export function isPrivateHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return /^\[(::1|f[cd]|fe[89ab])/.test(hostname)
  if (
    /^(10|127|192\.168|169\.254|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.[\d.]+$/.test(hostname)
  )
    return true
  return !hostname.includes('.') || /\.(local|internal|lan|home\.arpa|localhost)$/.test(hostname)
}

/** Whether an address is the vendor's own, in contrast to an emulator or a proxy. */
export function isSameOrigin(one: string, other: string): boolean {
  return new URL(one).origin === new URL(other).origin
}

/** Fields that every target with a price and names of its own has. */
export const commonTarget: {
  readonly hardware: z.ZodOptional<z.ZodString>
  readonly pricePerSecond: z.ZodOptional<z.ZodNumber>
  readonly inputs: z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodString>>
  readonly kit: z.ZodOptional<z.ZodBoolean>
} = {
  hardware: z.string().optional(),
  pricePerSecond: z.number().nonnegative().optional(),
  inputs: z.record(z.string(), z.string().min(1)).optional(),
  kit: z.boolean().optional(),
}

/** What the fields of `commonTarget` mean. */
export interface CommonTarget {
  /** Key of the vendor's price table. */
  readonly hardware?: string
  /** USD; wins over the table. */
  readonly pricePerSecond?: number
  /** Our input field -> the model's own name for it. Fields that are not named keep their name. */
  readonly inputs?: { readonly [field: string]: string }
  /** The model is one of our kits: it says who it is and takes keys of ours besides its input. */
  readonly kit?: boolean
}

/** A field of targets whose workers stay for a while after their last run. */
export const idleTarget: { readonly idleSeconds: z.ZodOptional<z.ZodNumber> } = {
  idleSeconds: z.number().nonnegative().max(86_400).optional(),
}

/** What the field of `idleTarget` means. */
export interface IdleTarget {
  /**
   * How long a worker stays there after its last run, as it is set at the vendor: for when to warm it again, and for what that
   * costs. Nothing is set by it. Default: the vendor's default, where it has one.
   */
  readonly idleSeconds?: number
}

/** How long a worker stays, and who says so: the target, else the vendor's default in seconds, null where it has none. */
export function idleOf({ idleSeconds }: IdleTarget, vendors: number | null): Pick<Warmth, 'idleMs' | 'idleBy'> {
  if (idleSeconds !== undefined) return { idleMs: idleSeconds * 1000, idleBy: 'target' }
  return { idleMs: vendors === null ? null : vendors * 1000, idleBy: 'vendor' }
}

/** Options in their schema's shape; fails with `input_invalid` naming the function and the wrong field. */
export function parseOptionsOf<T>(factory: string, schema: z.ZodType<T>, options: unknown): T {
  const result = schema.safeParse(options)
  return result.success ? result.data : refuse('input_invalid', `${factory}(): ${explain(result.error)}.`)
}

/** A target in its schema's shape; fails with `deployment_missing` naming the kind and the wrong field. */
export function parseTargetOf<T>(kind: string, schema: z.ZodType<T>, target: unknown): T {
  const result = schema.safeParse(target)
  return result.success ? result.data : refuse('deployment_missing', `${kind} target: ${explain(result.error)}.`)
}

function explain(error: z.ZodError): string {
  const [issue] = error.issues
  if (issue === undefined) return error.message
  return issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : issue.message
}
