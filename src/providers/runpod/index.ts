import { refuse } from '../../core/failure.ts'
import type { Json } from '../../core/json.ts'
import type { CancelAnswer, Observation, Provider } from '../contract.ts'
import { idleOf, isSameOrigin } from '../option-schemas.ts'
import { priceOf, pricesAsOf } from '../price-list.ts'
import { createVendorApi, isMissing } from '../vendor-api.ts'
import { check } from './check.ts'
import { judgeHealth } from './health.ts'
import { hear } from './hear.ts'
import { maxRequestBytes } from './inputs.ts'
import { observe } from './observe.ts'
import { parseOptions, parseTarget, type RunpodOptions, vendorBaseUrl, vendorManagementUrl } from './options.ts'
import { prices } from './prices.ts'
import { start } from './start.ts'
import { judgeWorkers } from './warm.ts'
import { type Handle, handleSchema, healthSchema, jobSchema } from './wire.ts'

export type { RunpodOptions, RunpodTarget } from './options.ts'

/**
 * Queue-based endpoints of RunPod Serverless. Fails with `input_invalid` when an option is wrong. There is no `find`: the
 * vendor has no list of jobs, so a start whose answer was lost is known again by a kit's hello or the webhook of its end.
 *
 * @example
 * const provider = runpod({ apiKey: process.env.RUNPOD_API_KEY ?? '' })
 * const target = provider.parseTarget({ endpoint: 'abc123def456', hardware: 'l40s', kit: true })
 */
export function runpod(options: RunpodOptions): Provider {
  const { apiKey, baseUrl } = parseOptions(options)
  const api = createVendorApi({
    name: 'RunPod',
    baseUrl,
    authorization: `Bearer ${apiKey}`,
    inline: { within: 'output', bareBase64: true },
  })
  const isVendor = isSameOrigin(baseUrl, vendorBaseUrl)
  const management = createVendorApi({
    name: 'RunPod',
    baseUrl: isVendor ? vendorManagementUrl : new URL(baseUrl).origin,
    authorization: `Bearer ${apiKey}`,
  })
  // The vendor's workers are elsewhere; an emulator's are on this machine and take http as well.
  const reachable = (url: string | null) => (url?.startsWith('https:') || !isVendor ? url : null)

  return {
    kind: 'runpod',
    trustedOrigins: isVendor ? [] : [new URL(baseUrl).origin],
    limits: {
      inputForms: ['url', 'data'],
      outputForms: ['stored', 'url', 'data'],
      // The same limit holds for results, and base64 makes four bytes of three.
      inlineOutputBytes: (maxRequestBytes * 3) / 4,
      resultKeptMs: 30 * 60_000,
      heldStart: false,
      // Must stay well below what is left of an engine's lease of 15 s between renewals.
      startTimeoutMs: 8_000,
      callTimeoutMs: 20_000,
      pollMs: 2_000,
      thisHostOnly: false,
    },
    parseTarget,
    start: (job, io) => start(job, parseTarget(job.target), reachable, api, io),
    async poll(handle, io): Promise<Observation> {
      const { id, stored, path } = readHandle(handle)
      const answer = await api.ask({ method: 'GET', path: path('status') }, io)
      // Unknown, kept too long after its end, or its time to live is over: the vendor does not tell which.
      if (isMissing(answer)) return { status: 'gone', word: String(answer.status) }
      const job = api.read(answer, jobSchema)
      if (job.id !== id) refuse('provider_error', 'RunPod answered with another job.')
      return observe(job, stored ?? null)
    },
    async cancel(handle, io): Promise<CancelAnswer> {
      const answer = await api.ask({ method: 'POST', path: readHandle(handle).path('cancel') }, io)
      // Unknown or already over: what the next poll says decides.
      if ([400, 409].includes(answer.status) || isMissing(answer)) return 'requested'
      // CANCELLED only repeats what was asked; a worker may still be busy with it.
      api.read(answer, jobSchema)
      return 'requested'
    },
    hear: async (request, _io, _now, to) => hear(request, to),
    async health(target, io) {
      const answer = await api.ask({ method: 'GET', path: `/${parseTarget(target).endpoint}/health` }, io)
      return judgeHealth(api.read(answer, healthSchema))
    },
    check: (target, io, intent) => check(parseTarget(target), management, io, intent),
    warmth: target => ({
      ...idleOf(parseTarget(target), vendorIdleSeconds),
      bills: ['boot', 'idle'],
      wokenBy: 'run',
      keptBy: 'run',
    }),
    async warm(target, io) {
      const answer = await api.ask({ method: 'GET', path: `/${parseTarget(target).endpoint}/health` }, io)
      return judgeWorkers(api.read(answer, healthSchema))
    },
    cost({ word, metrics }, target) {
      const price = priceOf(parseTarget(target), prices)
      // Over without having been on a worker: only a worker's time is told, and billed.
      const runMs = metrics?.runMs ?? (['TIMED_OUT', 'CANCELLED'].includes(word) ? 0 : undefined)
      if (price === null || runMs === undefined) return null
      // Billed are whole seconds of a worker from its start to its stop; the job knows only its own share of that.
      return { amount: Math.ceil(runMs / 1000) * price, currency: 'USD', estimated: true }
    },
    pricePerSecond: target => priceOf(parseTarget(target), prices),
    pricesAsOf: target => pricesAsOf(parseTarget(target), prices),
  }
}

/** An endpoint's idle timeout unless somebody sets another. Source: docs.runpod.io, endpoint configurations. */
const vendorIdleSeconds = 5

/** A stored handle, with the path of a call about its job. */
function readHandle(handle: Json): Handle & { path(verb: string): string } {
  const parsed = handleSchema.safeParse(handle)
  if (!parsed.success) return refuse('internal', 'A stored handle is not one of the runpod adapter.')
  const { endpoint, id } = parsed.data
  const path = (verb: string) => `/${encodeURIComponent(endpoint)}/${verb}/${encodeURIComponent(id)}`
  return { ...parsed.data, path }
}
