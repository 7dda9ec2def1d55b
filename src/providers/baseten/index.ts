import { refuse } from '../../core/failure.ts'
import type { Json } from '../../core/json.ts'
import type { CancelAnswer, Health, Io, Observation, Provider } from '../contract.ts'
import { ok } from '../finding.ts'
import { idleOf, isSameOrigin } from '../option-schemas.ts'
import { priceOf, pricesAsOf } from '../price-list.ts'
import { createVendorApi, isMissing, type VendorApi } from '../vendor-api.ts'
import { check } from './check.ts'
import { judgeHealth } from './health.ts'
import { hear } from './hear.ts'
import { fullStatus, startHeld } from './held.ts'
import { observe } from './observe.ts'
import {
  type BasetenOptions,
  type BasetenTarget,
  createTargetParser,
  modelUrl,
  parseOptions,
  placeOf,
  vendorBaseUrl,
} from './options.ts'
import { prices } from './prices.ts'
import { start } from './start.ts'
import { wake } from './warm.ts'
import {
  canceledSchema,
  type Handle,
  handleSchema,
  queueSchema,
  statusSchema,
  timeOf,
  type WireStatus,
} from './wire.ts'

export type { BasetenOptions, BasetenTarget } from './options.ts'

/**
 * Models on Baseten. Fails with `input_invalid` when an option is wrong. There is no `find`: the vendor has no list of
 * requests, so a start whose answer was lost is known again by a kit's hello or the webhook of its end. In held mode there
 * is nothing to ask or to hear either: the connection is the job, and a kit's hello would only say what it shows.
 *
 * @example
 * const provider = baseten({ apiKey: process.env.BASETEN_API_KEY ?? '' })
 * const target = provider.parseTarget({ model: 'abcd1234', hardware: 'l4', kit: true })
 */
export function baseten(options: BasetenOptions): Provider {
  const { apiKey, mode, webhookSecrets, baseUrl } = parseOptions(options)
  const parseTarget = createTargetParser(mode)
  const isVendor = isSameOrigin(baseUrl, vendorBaseUrl)
  const isHeld = mode === 'held'
  // The vendor's replicas are elsewhere; an emulator's are on this machine and take http as well.
  const reachable = (url: string | null) => (url?.startsWith('https:') || !isVendor ? url : null)

  const management = createVendorApi({
    name: 'Baseten',
    baseUrl: `${baseUrl}/v1`,
    authorization: `Api-Key ${apiKey}`,
  })

  function apiOf(model: string): VendorApi {
    return createVendorApi({
      name: 'Baseten',
      baseUrl: modelUrl(baseUrl, model),
      authorization: `Api-Key ${apiKey}`,
      ...(isHeld ? { inline: { within: null, bareBase64: true } } : {}),
      codeOf: ({ status }) => (status === fullStatus ? 'no_capacity' : undefined),
    })
  }

  /** Null: unknown, forgotten an hour after its end, or the model's deployment is deactivated: the vendor does not tell which. */
  async function statusOf({ model, id }: Handle, io: Io): Promise<WireStatus | null> {
    const api = apiOf(model)
    const answer = await api.ask({ method: 'GET', path: pathOf(id) }, io)
    if (isMissing(answer)) return null
    const status = api.read(answer, statusSchema)
    if (status.request_id !== id) refuse('provider_error', 'Baseten answered with another request.')
    return status
  }

  const provider: Provider = {
    kind: 'baseten',
    trustedOrigins: isVendor ? [] : [new URL(baseUrl).origin],
    limits: {
      inputForms: ['url', 'data'],
      // In the queue's mode every way back, the webhook included, leads to an address of ours.
      outputForms: isHeld ? ['stored', 'url', 'data'] : ['stored'],
      // Held: files in answers are kept as they come. A webhook is taken up to 5 MB, and base64 makes four bytes of three.
      inlineOutputBytes: isHeld ? null : 3_750_000,
      // The status; results are never kept.
      resultKeptMs: 60 * 60_000,
      heldStart: isHeld,
      silent: true,
      // Must stay well below what is left of an engine's lease of 15 s between renewals.
      startTimeoutMs: 8_000,
      // A webhook must be answered within 10 s, and hearing one makes a call.
      callTimeoutMs: 8_000,
      pollMs: 2_000,
      thisHostOnly: false,
    },
    parseTarget,
    start(job, io) {
      const target = parseTarget(job.target)
      return (isHeld ? startHeld : start)(job, target, reachable, apiOf(target.model), io)
    },
    warmth: target => ({
      ...idleOf(parseTarget(target), vendorIdleSeconds),
      bills: ['boot', 'idle'],
      wokenBy: 'call',
      keptBy: 'run',
    }),
    warm(target, io) {
      const parsed = parseTarget(target)
      return wake(parsed, { api: apiOf(parsed.model), management }, io)
    },
    cost({ status, word, metrics }, target) {
      const price = priceOf(parseTarget(target), prices)
      // Only what never ran can be cancelled or expire.
      const totalMs = word === 'EXPIRED' || status === 'canceled' ? 0 : metrics?.totalMs
      if (price === null || totalMs === undefined) return null
      return { amount: Math.ceil(totalMs / 1000) * price, currency: 'USD', estimated: true }
    },
    pricePerSecond: target => priceOf(parseTarget(target), prices),
    pricesAsOf: target => pricesAsOf(parseTarget(target), prices),
  }
  async function queueOf(target: BasetenTarget, io: Io): Promise<Health> {
    return judgeHealth(await apiOf(target.model).get(`${placeOf(target)}/async_queue_status`, queueSchema, io))
  }

  // A held run never waits in the queue; that the model has one shows that it is there.
  if (isHeld) {
    return {
      ...provider,
      async check(target, io, intent) {
        const parsed = parseTarget(target)
        await queueOf(parsed, io)
        const there = ok('baseten-model', 'Baseten: the key is accepted, and the model is there.')
        return [there, ...(await check(parsed, mode, management, io, intent))]
      },
    }
  }

  return {
    ...provider,
    hear: (request, io, now, to) =>
      hear(request, now, to, {
        secrets: webhookSecrets,
        parseTarget,
        async createdAt(handle, target) {
          if (priceOf(target, prices) === null) return null
          // The result is at hand: that its cost cannot be told must not lose it.
          const status = await statusOf(handle, io).catch(() => null)
          return timeOf(status?.created_at)
        },
      }),
    async poll(handle, io): Promise<Observation> {
      const read = readHandle(handle)
      const status = await statusOf(read, io)
      return status === null ? { status: 'gone', word: 'not found' } : observe(status, read.stored ?? null)
    },
    async cancel(handle, io): Promise<CancelAnswer> {
      const { model, id } = readHandle(handle)
      const api = apiOf(model)
      const answer = await api.ask({ method: 'DELETE', path: pathOf(id) }, io)
      // `canceled: false` may mean that it runs, that it is over or that it was never known: what polls say decides.
      if (!isMissing(answer)) api.read(answer, canceledSchema)
      return 'requested'
    },
    health: (target, io) => queueOf(parseTarget(target), io),
    check: (target, io, intent) => check(parseTarget(target), mode, management, io, intent),
  }
}

/** The scale-down delay unless somebody sets another. Source: docs.baseten.co/deployment/autoscaling/overview. */
const vendorIdleSeconds = 900

/** Where a request is asked for and cancelled: ids are unique across environments. */
function pathOf(id: string): string {
  return `/async_request/${encodeURIComponent(id)}`
}

function readHandle(handle: Json): Handle {
  const parsed = handleSchema.safeParse(handle)
  return parsed.success ? parsed.data : refuse('internal', 'A stored handle is not one of the baseten adapter.')
}
