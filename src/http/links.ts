import { z } from '@hono/zod-openapi'
import type { PredictionRecord, StoredInput } from '../core/prediction.ts'
import type { Links as ProviderLinks } from '../engine/contract.ts'
import type { Signer } from '../files/signing.ts'
import type { FileRow } from '../store/contract.ts'
import type { AppDependencies, Context } from './context.ts'
import { refuseHttp } from './errors.ts'

const hour = 3_600_000

/** The addresses that answers carry: all on the origin that the caller used, those of bytes signed and expiring. */
export interface Links {
  readonly origin: string
  /** Signed address of a prediction's output. */
  output(record: PredictionRecord): string | null
  /** Signed address of a file that can be made of a prediction's output. */
  derivative(id: string, name: string): string
  /** Signed address of the stored file of an input field. */
  input(file: StoredInput): string
  /** Signed address of an uploaded file's bytes. */
  download(row: FileRow): string
  /** Signed address to which a file's bytes may be PUT until then (milliseconds since 1970). */
  content(id: string, until: number): string
}

/**
 * Links for one request. Expiries are whole hours, one to two hours away: the same address comes back from every poll
 * within the hour, so that browsers and clients can cache by it.
 */
export function createLinks({ signer, clock }: Pick<AppDependencies, 'signer' | 'clock'>, origin: string): Links {
  const expiresAt = (Math.ceil(clock.now() / hour) + 1) * hour
  const signed = (path: string, parts: readonly string[], more = '') =>
    `${origin}${path}?expiry=${expiresAt / 1000}${more}&signature=${signer.sign(parts, expiresAt)}`
  return {
    origin,
    output: ({ id, output }) =>
      output === null
        ? null
        : signed(`/v1/outputs/${id}/${encodeURIComponent(output.name)}`, ['output', id, output.name]),
    derivative: (id, name) => signed(`/v1/outputs/${id}/${encodeURIComponent(name)}`, ['output', id, name]),
    input: ({ key, name }) => origin + toInputPath(signer, key, name, expiresAt),
    download: ({ id, owner }) =>
      signed(`/v1/files/${id}/download`, ['file', owner, id], `&owner=${encodeURIComponent(owner)}`),
    content(id, until) {
      const expiry = wholeSeconds(until)
      const signature = signer.sign(['content', id], expiry * 1000)
      return `${origin}/v1/files/${id}/content?expiry=${expiry}&signature=${signature}`
    },
  }
}

/** Seconds since 1970 as our links have them: one text for one moment, not `1e9` or `0x3b9aca00` besides. */
export const secondsQuery: z.ZodType<number> = z
  .string()
  .regex(/^[1-9]\d{0,14}$/, 'is not in whole seconds since 1970')
  .transform(Number)
  .openapi({ type: 'integer', exclusiveMinimum: 0 })

/** Lets a request pass whose link is signed for `parts` and still good; `expiry` is in seconds since 1970. */
export function checkLink(
  { signer, clock }: Pick<AppDependencies, 'signer' | 'clock'>,
  parts: readonly string[],
  { expiry, signature }: { readonly expiry: number; readonly signature: string },
): void {
  const verdict = signer.verify(parts, expiry * 1000, signature, clock.now())
  if (verdict === 'forged')
    refuseHttp('link_forged', 'The signature of this link is not ours, or the link was changed.')
  if (verdict === 'expired') refuseHttp('link_expired', 'This link has expired; ask for the prediction or file again.')
}

/** The addresses by which providers and their kits reach us; all null without a public base URL. */
export function createProviderLinks(signer: Signer, publicUrl: string | null): ProviderLinks {
  const on = (path: string) => (publicUrl === null ? null : publicUrl + path)
  return {
    input: (key, name, expiresAt) => on(toInputPath(signer, key, name, expiresAt)),
    upload(attemptId, name, expiresAt) {
      const expiry = wholeSeconds(expiresAt)
      const signature = signer.sign(['upload', attemptId, name], expiry * 1000)
      return on(`/v1/uploads/${attemptId}/${name}?expires=${expiry}&signature=${signature}`)
    },
    webhook: (provider, attemptId, secret) => on(`/v1/webhooks/${encodeURIComponent(provider)}/${attemptId}/${secret}`),
  }
}

/** The file's name stands at the end of the path: models at providers tell types by it. */
function toInputPath(signer: Signer, key: string, name: string, expiresAt: number): string {
  const expiry = wholeSeconds(expiresAt)
  const signature = signer.sign(['input', key, name], expiry * 1000)
  return `/v1/inputs/${encodeURIComponent(name)}?key=${encodeURIComponent(key)}&expiry=${expiry}&signature=${signature}`
}

/** Links carry seconds, and what is signed must come back from the link. */
function wholeSeconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000)
}

/** What an id of a file looks like; no URL does. */
const bareId = /^[\w-]{1,64}$/

/** The id of one of our own files: by itself, or in an address of it (`urls.get` or a download link). Null for any other text. */
export function ownFileId(c: Context, hosts: readonly string[], value: unknown): string | null {
  if (typeof value !== 'string') return null
  if (bareId.test(value)) return value
  if (!URL.canParse(value)) return null
  const url = new URL(value)
  const place = url.origin + url.pathname
  const base = c.get('origin')
  const isOwnHost = url.protocol.startsWith('http') && hosts.includes(url.host)
  const path = place.startsWith(`${base}/`) ? place.slice(base.length) : isOwnHost ? url.pathname : ''
  return /^\/v1\/files\/([\w-]+)(?:\/download)?$/.exec(path)?.[1] ?? null
}
