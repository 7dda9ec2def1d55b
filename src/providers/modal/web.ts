import { createFailure, type Failure, refuse, SurefootError } from '../../core/failure.ts'
import type { Json } from '../../core/json.ts'
import { uploadKey } from '../../core/upload.ts'
import type { Io, Job, Observation, Provider, StartAnswer } from '../contract.ts'
import { describeNetworkError, surelyNotSent } from '../http.ts'
import { isSameOrigin, isThisMachine } from '../option-schemas.ts'
import { createVendorApi, isMissing, unknownStart } from '../vendor-api.ts'
import { checkWeb } from './check-web.ts'
import { failureBefore } from './failure.ts'
import { hear } from './hear.ts'
import { buildInput } from './inputs.ts'
import { type ModalWebOptions, type ModalWebTarget, parseWebTarget, warmthOf } from './options.ts'
import { priceOfContainer, pricesOfContainerAsOf } from './prices.ts'
import { callKey, judge, readWebAnswer, type WebAnswer } from './web-answer.ts'
import { type WebHandle, webHandleSchema } from './wire.ts'

/** An exchange ends with a redirect after 150 s; a little more, so that the redirect is what ends it. */
const exchangeMs = 165_000

/** Web endpoints, of which only the URL is known: the connection is the run until the first redirect. */
export function createWebProvider({ proxyKey, proxySecret, baseUrl }: ModalWebOptions): Provider {
  const credentials: { [name: string]: string } =
    proxyKey === undefined || proxySecret === undefined ? {} : { 'modal-key': proxyKey, 'modal-secret': proxySecret }

  async function exchange(url: string, init: RequestInit, io: Io): Promise<WebAnswer> {
    const headers = { 'user-agent': 'surefoot', ...init.headers, ...credentials }
    return readWebAnswer(await io.fetch(url, { ...init, headers, redirect: 'manual', signal: io.signal }), io.keep)
  }

  async function start(job: Job, io: Io): Promise<StartAnswer> {
    const target = parseWebTarget(job.target)
    const stored = target.kit ? uploadKey(job.marker.attemptId) : null
    let body: string
    try {
      body = JSON.stringify(await buildInput(job, { target, reachable: url => reachable(target, url) }))
      io.signal.throwIfAborted()
    } catch (error) {
      return { kind: 'rejected', failure: failureBefore(error, io.signal) }
    }

    let answer: WebAnswer
    try {
      const headers = { 'content-type': 'application/json' }
      answer = await exchange(target.url, { method: 'POST', headers, body }, io)
    } catch (error) {
      const words = describeNetworkError(error, io.signal, target.url)
      if (!surelyNotSent(error)) return unknownStart(`${words}.`)
      return {
        kind: 'rejected',
        failure: createFailure('provider_unreachable', `Modal could not be reached: ${words}.`),
      }
    }
    const verdict = judge(answer, stored)
    const handle = (result: string | null) => ({ result, ...(stored === null ? {} : { stored }) })
    if (verdict.kind === 'over') return { kind: 'accepted', handle: handle(null), seen: verdict.observation }
    if (verdict.kind === 'pending' && verdict.location !== null) {
      const result = resultUrl(target.url, verdict.location)
      if (result === null) return unknownStart(`Modal answered ${answer.status} and named no place for the result.`)
      return { kind: 'accepted', handle: handle(result), seen: { status: 'running', word: String(answer.status) } }
    }
    const failure = failureOf(answer)
    return isRefusal(answer) ? { kind: 'rejected', failure } : unknownStart(failure.message, failure.retryAfterMs)
  }

  return {
    kind: 'modal',
    trustedOrigins: baseUrl === undefined ? [] : [new URL(baseUrl).origin],
    limits: {
      inputForms: ['url', 'data'],
      outputForms: ['stored', 'url', 'data'],
      // Modal puts no limit on responses, and files in them are kept as they come.
      inlineOutputBytes: null,
      resultKeptMs: 7 * 24 * 60 * 60_000,
      heldStart: true,
      silent: true,
      startTimeoutMs: 8_000,
      callTimeoutMs: exchangeMs,
      // A question is held open by itself for as long as the run goes on.
      pollMs: 2_000,
      thisHostOnly: false,
    },
    parseTarget: parseWebTarget,
    start,
    async poll(stored, io): Promise<Observation> {
      const handle = readHandle(stored)
      const { result } = handle
      if (result === null) return { status: 'gone', word: 'ANSWERED' }
      const answer = await exchange(result, {}, io).catch((cause: unknown) => {
        const words = describeNetworkError(cause, io.signal, result)
        return refuse('provider_unreachable', `Modal could not be asked: ${words}.`, { cause })
      })
      const verdict = judge(answer, handle.stored ?? null)
      if (verdict.kind === 'over') return verdict.observation
      if (verdict.kind === 'pending') return { status: 'running', word: String(answer.status) }
      // The app is down, the result was kept too long, or it was read once before.
      if (isMissing(answer)) return { status: 'gone', word: String(answer.status) }
      throw new SurefootError(failureOf(answer))
    },
    hear: async (request, _io, _now, to) =>
      hear(request, to, (target, call, attemptId): WebHandle => {
        const { url, kit } = parseWebTarget(target)
        return { result: resultUrl(url, `?${callKey}=${call}`), ...(kit ? { stored: uploadKey(attemptId) } : {}) }
      }),
    warmth: target => warmthOf(parseWebTarget(target)),
    check: (target, io) => checkWeb(parseWebTarget(target).url, credentials, io),
    // Nothing that an endpoint answers tells how long it ran.
    cost: () => null,
    pricePerSecond: target => priceOfContainer(parseWebTarget(target)),
    pricesAsOf: target => pricesOfContainerAsOf(parseWebTarget(target)),
  }
}

/** A place at the target's own origin, since the credentials go there too; null for any other and for no result's. */
function resultUrl(targetUrl: string, location: string): string | null {
  if (!URL.canParse(location, targetUrl)) return null
  const url = new URL(location, targetUrl)
  return isSameOrigin(url.href, targetUrl) && url.searchParams.has(callKey) ? url.href : null
}

/** Modal's containers are elsewhere; an emulator's are on this machine and take http as well. */
function reachable(target: ModalWebTarget, url: string | null): string | null {
  return url?.startsWith('https:') || isThisMachine(new URL(target.url).hostname) ? url : null
}

function failureOf(answer: WebAnswer): Failure {
  const { failureOf: usual } = createVendorApi({
    name: 'Modal',
    baseUrl: '',
    authorization: null,
    codeOf: ({ status, text }) => (status === 404 && /is disabled/.test(text) ? 'account_locked' : undefined),
  })
  return usual(answer)
}

/** 408 and 409 may come from anything in between, after the request went on. */
function isRefusal({ status }: WebAnswer): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 409
}

function readHandle(handle: Json): WebHandle {
  const parsed = webHandleSchema.safeParse(handle)
  return parsed.success ? parsed.data : refuse('internal', 'A stored handle is not one of the modal adapter.')
}
