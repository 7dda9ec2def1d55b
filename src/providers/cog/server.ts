import { refuse } from '../../core/failure.ts'
import type { Json, JsonObject } from '../../core/json.ts'
import type { CancelAnswer, Finding, Health, Intent, Io, Observation, Provider } from '../contract.ts'
import type { InlineFiles } from '../long-texts.ts'
import type { VendorApi } from '../vendor-api.ts'
import { check, openKit } from './check.ts'
import { judgeHealth } from './health.ts'
import { hear } from './hear.ts'
import { observeHealth } from './observe.ts'
import type { CogMode, CogTarget } from './options.ts'
import { type Edge, start } from './start.ts'
import { emptySchema, type Handle, handleSchema, healthSchema } from './wire.ts'

/** Cog writes files as data URIs, into `output` and nowhere else; `input` comes back from 0.16. */
export const filesInOutput: InlineFiles = { within: 'output', bareBase64: false }

/** What to do where something before a Cog server refuses our calls; Cog itself has no accounts. */
export function authorizationAdvice(factory: string): string {
  return `The server, or what stands before it, wants another \`authorization\` header: set that option of ${factory}().`
}

/** What differs between places at which a Cog server runs. */
export interface CogServer<Target extends CogTarget> {
  readonly kind: string
  readonly api: VendorApi
  readonly mode: CogMode
  readonly webhookToken: string | undefined
  readonly kitSecret: string | undefined
  readonly trustedOrigins: readonly string[]
  parseTarget(target: unknown): Target & JsonObject
  pricePerSecond(target: Target): number | null
  /** A URL of ours as the server can reach it, or null. Default: it is our neighbour, and reaches any. */
  readonly reachable?: (url: string | null) => string | null
  readonly edge?: Edge
  /** Who is asked for health; null: nobody. Default: the server. */
  readonly health?: ((io: Io) => Promise<Health>) | null
  /** Whether anybody on the internet reaches the server, as far as its address tells. */
  readonly isOpen: boolean
  /** What else can be looked at without starting anything. Default: the server's version and its model's input. */
  readonly check?: (target: Target, io: Io, intent: Intent) => Promise<readonly Finding[]>
}

/**
 * A provider whose runs are predictions of one Cog server. Where a request is held open there is nothing to ask, to hear or
 * to cancel: the connection is the run, and a kit's hello would only say what it shows.
 */
export function createCogProvider<Target extends CogTarget>(server: CogServer<Target>): Provider {
  const { kind, api, mode, webhookToken, kitSecret, trustedOrigins, parseTarget, pricePerSecond, edge } = server
  const reachable = server.reachable ?? (url => url)
  const { name } = api.vendor
  const isHeld = mode === 'held'
  const health =
    server.health === undefined
      ? async (io: Io) => judgeHealth(await api.get('/health-check', healthSchema, io), name)
      : server.health
  const provider: Provider = {
    kind,
    trustedOrigins,
    limits: {
      inputForms: ['url', 'data'],
      outputForms: ['stored', 'url', 'data'],
      // In base64 four bytes carry three: a webhook may have 5 MB here, with logs. Files in answers are kept as they come.
      inlineOutputBytes: isHeld ? null : 3_500_000,
      // Nothing can be asked for. The last webhook is tried again for 320 s (0.16) to 409 s (coglet).
      resultKeptMs: isHeld ? 0 : 320_000,
      heldStart: isHeld,
      needsCallback: !isHeld,
      // Must stay well below what is left of an engine's lease of 15 s between renewals.
      startTimeoutMs: 8_000,
      callTimeoutMs: 20_000,
      pollMs: 5_000,
      thisHostOnly: false,
    },
    parseTarget,
    start(job, io) {
      const target = parseTarget(job.target)
      const setting = { api, mode, kitSecret, target, reachable, ...(edge === undefined ? {} : { edge }) }
      return start(job, setting, io)
    },
    ...(health === null ? {} : { health: (_target, io) => health(io) }),
    async check(target, io, intent) {
      const parsed = parseTarget(target)
      const isOpen = server.isOpen && parsed.kit === true && kitSecret === undefined
      const findings = await (server.check?.(parsed, io, intent) ?? check(parsed, mode, api, io, intent))
      return isOpen ? [...findings, openKit(api.vendor.name)] : findings
    },
    cost({ metrics }, target) {
      const price = pricePerSecond(parseTarget(target))
      if (price === null || metrics?.runMs === undefined) return null
      // What is paid is the machine, for as long as it is there; the run knows only its own share of that.
      return { amount: (metrics.runMs / 1000) * price, currency: 'USD', estimated: true }
    },
    pricePerSecond: target => pricePerSecond(parseTarget(target)),
  }
  if (isHeld) return provider

  return {
    ...provider,
    async poll(_handle, io): Promise<Observation> {
      const answer = await api.ask({ method: 'GET', path: '/health-check' }, io)
      return edge?.observe(answer) ?? observeHealth(api.read(answer, healthSchema), name)
    },
    async cancel(handle, io): Promise<CancelAnswer> {
      const path = `/predictions/${encodeURIComponent(readHandle(handle, kind).id)}/cancel`
      const answer = await api.ask({ method: 'POST', path }, io)
      // The server's own 404 has an empty object: nothing of that id is in flight. Any other one comes from something in between.
      if (answer.status === 404 && answer.text.trim() === '{}') return 'ended'
      api.read(answer, emptySchema)
      return 'requested'
    },
    async hear(request, _io, _now, to) {
      if (to.target === null)
        return refuse('deployment_missing', 'A webhook came for a deployment that is not configured.')
      return hear(request, to, parseTarget(to.target), webhookToken, name)
    },
  }
}

function readHandle(handle: Json, kind: string): Handle {
  const parsed = handleSchema.safeParse(handle)
  return parsed.success ? parsed.data : refuse('internal', `A stored handle is not one of the ${kind} adapter.`)
}
