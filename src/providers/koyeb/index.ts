import { authorizationAdvice, createCogProvider, filesInOutput } from '../cog/server.ts'
import type { Health, Io, Provider } from '../contract.ts'
import { idleOf, isPrivateHost, isThisMachine } from '../option-schemas.ts'
import { priceOf, pricesAsOf } from '../price-list.ts'
import { createVendorApi, type VendorApi } from '../vendor-api.ts'
import { check } from './check.ts'
import { checkReady, failureOfWaking, isEdges, wake } from './edge.ts'
import { judgeHealth } from './health.ts'
import { type KoyebOptions, type ParsedOptions, parseOptions, parseTarget } from './options.ts'
import { prices } from './prices.ts'
import { instancesSchema, serviceSchema } from './wire.ts'

export type { KoyebOptions, KoyebTarget } from './options.ts'

/**
 * A service of Koyeb whose container is a Cog server. Koyeb has no jobs: runs are the container's, as with `cog()`. What is
 * added: a service that sleeps is woken and waited for, without failing and without being sent a run that may be lost;
 * polls go through the public route, which keeps the service awake while a run goes on. Fails with `input_invalid` when
 * an option is wrong.
 *
 * @example
 * const provider = koyeb({ baseUrl: 'https://cog-acme.koyeb.app' })
 * const target = provider.parseTarget({ hardware: 'gpu-nvidia-l4', kit: true })
 */
export function koyeb(options: KoyebOptions): Provider {
  const parsed = parseOptions(options)
  const { baseUrl, authorization, mode, webhookToken, kitSecret, outputOrigins } = parsed
  const api = createVendorApi({
    name: 'Koyeb',
    baseUrl,
    authorization: authorization ?? null,
    inline: filesInOutput,
    // The edge's 404 tells of no deployment that would have to be corrected.
    codeOf: answer => (isEdges(answer) ? 'provider_error' : undefined),
    adviceOf: code => (code === 'auth_rejected' ? authorizationAdvice('koyeb') : undefined),
  })
  const access = accessOf(parsed)
  const server = createCogProvider({
    kind: 'koyeb',
    api,
    mode,
    webhookToken,
    kitSecret,
    isOpen: authorization === undefined && !isPrivateHost(new URL(baseUrl).hostname),
    trustedOrigins: [new URL(baseUrl).origin, ...outputOrigins],
    parseTarget,
    pricePerSecond: target => priceOf(target, prices),
    // The vendor's instances are elsewhere; an emulator's are on this machine and take http as well.
    reachable: url => (url?.startsWith('https:') || isThisMachine(new URL(baseUrl).hostname) ? url : null),
    health: healthOf(access),
    check: (target, io) => check(target, access, io),
    edge: {
      ready: io => checkReady(api, io),
      // Where there is no instance nothing was passed on; its 5xx may come after that.
      refusal: answer => (isEdges(answer) ? failureOfWaking(`its edge answers ${answer.status}`) : null),
      // What ran may be lost, or an instance be back in a moment: this tells neither.
      observe: answer => (isEdges(answer) ? { status: 'unclear', word: `edge ${answer.status}` } : null),
    },
  })
  return {
    ...server,
    // The edge may hold the first request for as long as the service takes to wake.
    limits: { ...server.limits, heldStart: true },
    warmth: target => ({
      ...idleOf(parseTarget(target), vendorIdleSeconds),
      bills: ['boot', 'idle'],
      wokenBy: 'call',
      keptBy: 'call',
    }),
    warm: (_target, io) => wake(api, io),
    pricesAsOf: target => pricesAsOf(parseTarget(target), prices),
  }
}

/** A service's idle period unless its plan lets one set another. Source: koyeb.com/docs/run-and-scale/scale-to-zero. */
const vendorIdleSeconds = 300

/** Koyeb's own API, for what is asked of the service without waking it; null without a token. */
interface Access {
  readonly api: VendorApi
  readonly service: string
}

function accessOf({ token, service, apiUrl }: ParsedOptions): Access | null {
  if (token === undefined || service === undefined) return null
  return { api: createVendorApi({ name: 'Koyeb', baseUrl: apiUrl, authorization: `Bearer ${token}` }), service }
}

function healthOf(access: Access | null): ((io: Io) => Promise<Health>) | null {
  if (access === null) return null
  const { api, service } = access
  return async io => {
    const told = await api.get(`/v1/services/${service}`, serviceSchema, io)
    const deployment = told.service.active_deployment_id
    const which = deployment === undefined ? '' : `&deployment_id=${deployment}`
    return judgeHealth(
      told,
      await api.get(`/v1/instances?service_id=${service}${which}&limit=100`, instancesSchema, io),
    )
  }
}
