import { page } from '../answers.ts'
import { type CogEmulatorOptions, createCogEmulator } from '../cog/index.ts'
import { connectionReset, pause } from '../connection.ts'
import type { Emulator } from '../contract.ts'
import { createDice, type FaultRule, parseFault } from '../faults.ts'
import { createInstance } from './instance.ts'
import { createManagement } from './management.ts'

/** A Cog server behind Koyeb's edge; `bootMs` is the model's setup, after the instance has woken. */
export interface KoyebEmulatorOptions extends CogEmulatorOptions {
  /** From the waking request to an instance that can be reached. Default 2 s. */
  readonly wakeMs?: number
  /** Without public traffic for this long the instance sleeps. Default: the vendor's, 5 minutes. */
  readonly idleMs?: number
  /** What a request gets that finds no instance yet. Which of them Koyeb does is not documented. Default 503. */
  readonly whileWaking?: 404 | 503 | 'hold'
  /** How long the edge lets one request take before it answers 504. Not documented; default 100 s. */
  readonly requestMs?: number
  /** Begins awake, and sets up. Default: asleep. */
  readonly awake?: boolean
  /** Koyeb's API token; default: any. */
  readonly token?: string
  /** The service's id. Default `service-1`. */
  readonly service?: string
}

export interface KoyebEmulator extends Emulator {
  /** The instance is gone, with all that ran in it; the next request wakes another one. */
  redeploy(): void
}

/** Faults of a waking, and of a start at the edge; all others are the server's. */
const wakeFaults: ReadonlySet<string> = new Set(['boot-forever', 'boot-slow'])
const edgeFaults: ReadonlySet<string> = new Set(['edge-404', 'sleeps-while-working'])

/**
 * A Koyeb service on an injected clock: an edge in front of a Cog server whose one instance scales to zero, wakes by public
 * requests only, is cut off when it sleeps or a request takes too long; and the part of Koyeb's API that tells of it
 * (`/v1/services`, `/v1/instances`); with faults on demand. Source: see `docs/providers/koyeb.md`.
 */
export function createKoyebEmulator(options: KoyebEmulatorOptions): KoyebEmulator {
  const { clock, random, wakeMs = 2000, idleMs = 300_000, whileWaking = 503, requestMs = 100_000 } = options
  const { pricePerSecond = 0.000278, service = 'service-1', awake = false, bootMs = 2000 } = options
  const cog = createCogEmulator({ ...options, bootMs, pricePerSecond, faults: [] })
  const closed = new AbortController()
  const timers = new Set<() => void>()
  let rollWake = createDice([], random)
  let rollEdge = createDice([], random)
  let hiddenUntil = 0
  const instance = createInstance({
    clock,
    wakeMs,
    idleMs,
    awake,
    roll: () => rollWake(),
    started: () => cog.replace(),
    stopped: () => cog.replace(),
  })
  const manage = createManagement({
    ...{ token: options.token, service, state: instance.state },
    settings: options.settings,
  })
  setFaults(options.faults ?? [])

  function setFaults(faults: readonly (string | FaultRule)[]): void {
    const rules = faults.map(fault => (typeof fault === 'string' ? parseFault(fault) : fault))
    rollWake = createDice(
      rules.filter(({ name }) => wakeFaults.has(name)),
      random,
    )
    rollEdge = createDice(
      rules.filter(({ name }) => edgeFaults.has(name)),
      random,
    )
    cog.setFaults(rules.filter(({ name }) => !wakeFaults.has(name) && !edgeFaults.has(name)))
  }

  function later(ms: number, then: () => void): void {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel)
      then()
    })
    timers.add(cancel)
  }

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/v1/')) return manage(request)
    // Where outputs are uploaded to is no part of the service.
    if (pathname.startsWith('/bucket/')) return cog.fetch(request)
    const traffic = instance.enter()
    try {
      const response = (await refusal(request)) ?? (await pass(request))
      response.headers.set('x-koyeb-glb', 'fra')
      return response
    } finally {
      traffic.done()
    }
  }

  /** What the edge says where it has nowhere to pass a request on to; null: it has. */
  async function refusal(request: Request): Promise<Response | null> {
    if (instance.state() !== 'awake') {
      if (whileWaking === 503) return page(503, 'Service is starting')
      if (whileWaking === 404 || !(await isAwakeInTime(request))) return noService(whileWaking === 404 ? 404 : 504)
    }
    if (isStart(request)) strike()
    return clock.now() < hiddenUntil ? noService(404) : null
  }

  async function isAwakeInTime(request: Request): Promise<boolean> {
    const woken = new AbortController()
    const forget = instance.whenAwake(() => woken.abort())
    await pause(clock, requestMs, woken.signal, request.signal, closed.signal).catch(() => undefined)
    forget()
    if (request.signal.aborted || closed.signal.aborted) throw connectionReset()
    return woken.signal.aborted
  }

  function strike(): void {
    const faults = rollEdge()
    if (faults.has('edge-404')) hiddenUntil = clock.now() + faults.number('edge-404') * 1000
    if (faults.has('sleeps-while-working')) later(faults.number('sleeps-while-working') * 1000, instance.sleep)
  }

  async function pass(request: Request): Promise<Response> {
    const limit = new AbortController()
    const cancel = clock.after(requestMs, () => limit.abort(new Error('the edge waits no longer')))
    try {
      return await cog.fetch(new Request(request, { signal: AbortSignal.any([request.signal, limit.signal]) }))
    } catch (error) {
      if (!limit.signal.aborted) throw error
      return page(504, '504 Gateway Timeout')
    } finally {
      cancel()
    }
  }

  return {
    setFaults,
    state: cog.state,
    redeploy: instance.sleep,
    async fetch(request) {
      request.signal.throwIfAborted()
      if (closed.signal.aborted) throw connectionReset()
      return await answer(request)
    },
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const cancel of timers) cancel()
      instance.close()
      cog.close()
    },
  }
}

function isStart({ method, url }: Request): boolean {
  return /^\/predictions(\/[^/]+)?$/.test(new URL(url).pathname) && (method === 'PUT' || method === 'POST')
}

function noService(status: number): Response {
  return new Response(`${status}: No active service`, { status, headers: { 'content-type': 'text/plain' } })
}
