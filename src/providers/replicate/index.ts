import { refuse } from '../../core/failure.ts'
import type { Json } from '../../core/json.ts'
import type { CancelAnswer, Observation, Provider } from '../contract.ts'
import { isSameOrigin } from '../option-schemas.ts'
import { priceOf, pricesAsOf } from '../price-list.ts'
import { createVendorApi } from '../vendor-api.ts'
import { check } from './check.ts'
import { find } from './find.ts'
import { createHear } from './hear.ts'
import { observe } from './observe.ts'
import { parseOptions, parseTarget, type ReplicateOptions, vendorBaseUrl, warmthOf } from './options.ts'
import { prices } from './prices.ts'
import { start } from './start.ts'
import { handleSchema, predictionSchema } from './wire.ts'

export type { ReplicateOptions, ReplicateTarget } from './options.ts'

/**
 * Replicate, or anything that speaks its HTTP API. Fails with `input_invalid` when an option is wrong.
 *
 * @example
 * const provider = replicate({ token: process.env.REPLICATE_API_TOKEN ?? '' })
 * const target = provider.parseTarget({ version: 'owner/name:5c7d...', hardware: 'gpu-l40s', inputs: { image: 'photo' } })
 */
export function replicate(options: ReplicateOptions): Provider {
  const { token, baseUrl, preferUpload } = parseOptions(options)
  const api = createVendorApi({
    name: 'Replicate',
    baseUrl,
    authorization: `Bearer ${token}`,
    inline: { within: 'output', bareBase64: false },
  })
  const isVendor = isSameOrigin(baseUrl, vendorBaseUrl)

  return {
    kind: 'replicate',
    trustedOrigins: isVendor ? [] : [new URL(baseUrl).origin],
    limits: {
      inputForms: ['data', 'url', 'upload'],
      outputForms: ['url', 'data'],
      inlineOutputBytes: null,
      resultKeptMs: 60 * 60_000,
      heldStart: false,
      // Must stay well below what is left of an engine's lease of 15 s between renewals, uploads included.
      startTimeoutMs: 8_000,
      callTimeoutMs: 20_000,
      pollMs: 2_000,
      thisHostOnly: false,
    },
    parseTarget,
    start: (job, io) => start(job, parseTarget(job.target), { preferUpload, plainWebhooks: !isVendor }, api, io),
    async poll(handle, io): Promise<Observation> {
      const id = idOf(handle)
      const answer = await api.ask({ method: 'GET', path: `/predictions/${id}` }, io)
      // A 404 that is no JSON comes from something in between, not from Replicate.
      if ((answer.status === 404 || answer.status === 410) && answer.json !== undefined)
        return { status: 'gone', word: String(answer.status) }
      const prediction = api.read(answer, predictionSchema)
      if (encodeURIComponent(prediction.id) !== id)
        refuse('provider_error', 'Replicate answered with another prediction.')
      return observe(prediction)
    },
    find: (marker, since, io) => find(marker, since, api, io),
    async cancel(handle, io): Promise<CancelAnswer> {
      const answer = await api.ask({ method: 'POST', path: `/predictions/${idOf(handle)}/cancel` }, io)
      // Unknown or already over: what the next poll says decides.
      if ([400, 404, 409, 410, 422].includes(answer.status) && answer.json !== undefined) return 'requested'
      api.read(answer, predictionSchema)
      return 'requested'
    },
    hear: createHear(api),
    check: (target, io, intent) => check(parseTarget(target), api, io, intent),
    warmth: target => warmthOf(parseTarget(target)),
    cost(observation, target) {
      // A deadline that came before the start costs nothing; Replicate says so.
      if (observation.word === 'aborted') return { amount: 0, currency: 'USD', estimated: false }
      const price = priceOf(parseTarget(target), prices)
      const runMs = observation.metrics?.runMs
      if (price === null || runMs === undefined) return null
      // Deployments are also billed for booting and idling, which no prediction reports.
      return { amount: (price * runMs) / 1000, currency: 'USD', estimated: 'deployment' in target }
    },
    pricePerSecond: target => priceOf(parseTarget(target), prices),
    pricesAsOf: target => pricesAsOf(parseTarget(target), prices),
  }
}

function idOf(handle: Json): string {
  const parsed = handleSchema.safeParse(handle)
  if (!parsed.success) refuse('internal', 'A stored handle is not one of the replicate adapter.')
  return encodeURIComponent(parsed.data.id)
}
