import { createHash } from 'node:crypto'
import type { Clock, Random } from '../../core/clock.ts'
import { connectionReset, pause } from '../connection.ts'
import type { Emulator, Work } from '../contract.ts'
import { deliver } from '../deliver.ts'
import { createDice, type FaultRule } from '../faults.ts'
import { createInputs } from '../inputs.ts'
import { loseCreate, misanswerStatus, refuseCreate, type Wording } from '../misbehave.ts'
import { createBucket } from '../rate-limit.ts'
import type { Settings } from '../settings.ts'
import { type Call, isExpired, isOver } from './call.ts'
import { grpcWording } from './grpc.ts'
import { createLife } from './life.ts'
import { createPool, type Pool } from './pool.ts'
import type { Answers } from './results.ts'
import { answerRpc } from './rpcs.ts'
import { badMethod, callKey, seeOther, webAnswer, webWording } from './web.ts'

export { type GrpcMiddleware, grpcOverFetch } from './grpc-over-fetch.ts'

export interface ModalEmulatorOptions {
  readonly clock: Clock
  readonly random: Random
  readonly work: Work
  readonly faults?: readonly (string | FaultRule)[]
  /** The one token that the API accepts; without it any is. */
  readonly tokenId?: string
  readonly tokenSecret?: string
  /** The one proxy token that web endpoints accept; without it they ask for none. */
  readonly proxyKey?: string
  readonly proxySecret?: string
  /** How its bucket's URLs begin; default: as the caller reached it. */
  readonly origin?: string
  /** Carries the functions' own calls: inputs, a kit's hello and upload. Default: the real `fetch`. */
  readonly send?: typeof globalThis.fetch
  /** How functions that are none of our kits give files back. Default `bucket`. */
  readonly answers?: Answers
  /** Cold start of a container. Default 2 s. */
  readonly bootMs?: number
  /** USD per second of a container. Default: the vendor's price of an L40S. */
  readonly pricePerSecond?: number
  /** Containers per function, and how long one idles. Defaults: 10, and the vendor's 60 s. */
  readonly maxContainers?: number
  readonly idleMs?: number
  /** The functions' own `timeout=`. Default: the vendor's 300 s. */
  readonly timeoutMs?: number
  /** After this long an exchange with a web endpoint ends in a redirect. Default: the vendor's 150 s. */
  readonly exchangeMs?: number
  /** Of `function`; see `Settings`. */
  readonly settings?: Settings
}

/** Calls and HTTP requests of a new account. Source: modal.com/docs/guide/webhooks. */
const perSecond = 200
const burst = 1000

/**
 * Modal on an injected clock: the RPCs of its API that calling a function needs, as gRPC in a `Request`; the store for
 * blobs; web endpoints under `/web/<label>`, whose exchanges end in a redirect after 150 s. Containers scale from zero,
 * idle and are billed for all of it; inputs begin again when a container is taken away; results are kept for 7 days; with
 * faults on demand. Any function exists. A call whose input holds `surefoot` is played as our own kit would. Sources: see
 * `docs/providers/modal.md`.
 */
export function createModalEmulator(options: ModalEmulatorOptions): Emulator {
  const { clock, random, work, pricePerSecond = 0.000542, exchangeMs = 150_000 } = options
  const send = options.send ?? globalThis.fetch
  const closed = new AbortController()
  const calls = new Map<string, Call>()
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>()
  const pools = new Map<string, Pool>()
  const room = createBucket(clock, perSecond * 60, burst)
  const life = createLife({
    clock,
    work,
    answers: options.answers ?? 'bucket',
    timeoutMs: options.timeoutMs ?? 300_000,
    send,
    closed: closed.signal,
    poolOf,
    fetchFiles: fetchFiles(createInputs(send)),
  })
  let roll = createDice(options.faults ?? [], random)

  function newId(prefix: string): string {
    const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
    return `${prefix}-${Array.from({ length: 22 }, () => letters[Math.floor(random() * letters.length)]).join('')}`
  }

  function poolOf(functionName: string): Pool {
    const known = pools.get(functionName)
    if (known !== undefined) return known
    const pool = createPool({
      clock,
      bootMs: options.bootMs ?? 2000,
      idleMs: options.idleMs ?? 60_000,
      maxContainers: options.maxContainers ?? 10,
      newContainerId: () => newId('ta'),
      run: life.run,
    })
    pools.set(functionName, pool)
    return pool
  }

  async function spawn(
    functionName: string,
    input: Call['input'],
    request: Request,
    wording: Wording,
  ): Promise<{ call: Call | null; answer: Response | null }> {
    const { ok, resetSeconds } = room.take()
    if (!ok) return { call: null, answer: wording.throttled('seconds', resetSeconds, clock.now()) }
    const faults = roll()
    const refusal = refuseCreate(faults, clock.now(), wording)
    if (refusal !== null) return { call: null, answer: refusal }
    const call: Call = {
      id: newId('fc'),
      inputId: newId('in'),
      functionName,
      input,
      origin: options.origin ?? new URL(request.url).origin,
      faults,
      createdAt: clock.now(),
      startedAt: null,
      endedAt: null,
      status: null,
      exception: '',
      value: undefined,
      files: [],
      restarts: 0,
      isCleared: false,
      forgotten: false,
      billedMs: 0,
      execution: null,
      shown: new Map(),
      timers: new Set(),
      waiters: new Set(),
    }
    calls.set(call.id, call)
    life.begin(call)
    return { call, answer: await loseCreate(faults, [request.signal, closed.signal], wording) }
  }

  async function waitFor(call: Call, ms: number, request: Request): Promise<void> {
    const woken = new AbortController()
    const wake = () => {
      if (isOver(call)) woken.abort()
    }
    call.waiters.add(wake)
    wake()
    if (ms > 0) await pause(clock, ms, woken.signal, request.signal, closed.signal).catch(() => undefined)
    call.waiters.delete(wake)
    if (closed.signal.aborted || request.signal.aborted) throw connectionReset()
  }

  const rpcTools = {
    clock,
    closed: closed.signal,
    calls,
    blobs,
    newId,
    settings: options.settings,
    waitFor,
    cancel: life.cancel,
    async spawn(functionName: string, input: Call['input'], request: Request) {
      const { call, answer } = await spawn(functionName, input, request, grpcWording)
      return answer ?? call ?? grpcWording.refusal(500)
    },
    stats(functionName: string) {
      const { waiting, containers } = poolOf(functionName)
      const running = [...calls.values()].filter(call => call.functionName === functionName && call.execution !== null)
      return { waiting, containers, running: running.length }
    },
  }

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const [first, second = '', third = ''] = url.pathname.split('/').filter(part => part !== '')
    if (first === 'modal.client.ModalClient') {
      const { tokenId, tokenSecret } = options
      if (!accepts(request, { 'x-modal-token-id': tokenId, 'x-modal-token-secret': tokenSecret }))
        return grpcWording.refusal(401)
      return await answerRpc(rpcTools, request)
    }
    if (first === 'blobs') return await answerBlob(request, second)
    if (first === 'bucket') return deliverFile(request, second, Number(third))
    if (first === 'web' && second !== '') return await answerWeb(request, url)
    return webWording.refusal(404)
  }

  async function answerBlob(request: Request, id: string): Promise<Response> {
    if (request.method === 'PUT') {
      const blob = new Uint8Array(await request.arrayBuffer())
      blobs.set(id, blob)
      // The Python package compares it with its own sum, as S3 answers it.
      return new Response(null, { headers: { etag: `"${createHash('md5').update(blob).digest('hex')}"` } })
    }
    const blob = blobs.get(id)
    return blob === undefined ? new Response('no such blob', { status: 404 }) : new Response(blob)
  }

  async function answerWeb(request: Request, url: URL): Promise<Response> {
    const { proxyKey, proxySecret } = options
    if (!accepts(request, { 'modal-key': proxyKey, 'modal-secret': proxySecret })) return webWording.refusal(401)
    const id = url.searchParams.get(callKey)
    if (id !== null) {
      if (request.method !== 'GET') return badMethod()
      const call = calls.get(id)
      if (call === undefined || isExpired(call, clock.now())) return webWording.refusal(404)
      const wrong = await misanswerStatus(call, clock, [request.signal, closed.signal], webWording)
      return wrong ?? (await hold(call, request, url))
    }
    const input = { ...((await request.json().catch(() => null)) as object | null) }
    const { call, answer } = await spawn(url.pathname.slice(1), input, request, webWording)
    return answer ?? (call === null ? webWording.refusal(500) : await hold(call, request, url))
  }

  async function hold(call: Call, request: Request, url: URL): Promise<Response> {
    await waitFor(call, exchangeMs, request)
    return isOver(call) ? webAnswer(call) : seeOther(url, call)
  }

  function deliverFile(request: Request, id: string, index: number): Response {
    const call = calls.get(id)
    const file = call?.files[index]
    if (call === undefined || file === undefined || isFileExpired(call))
      return new Response('<Error><Code>NoSuchKey</Code></Error>', {
        status: 404,
        headers: { 'content-type': 'application/xml' },
      })
    return deliver(request, { ...file, faults: call.faults, clock, closed: closed.signal })
  }

  function isFileExpired({ faults, endedAt }: Call): boolean {
    return (
      faults.has('output-expired') &&
      endedAt !== null &&
      clock.now() >= endedAt + faults.number('output-expired') * 1000
    )
  }

  return {
    async fetch(request) {
      request.signal.throwIfAborted()
      if (closed.signal.aborted) throw connectionReset()
      const response = await answer(request)
      response.headers.set('date', new Date(clock.now()).toUTCString())
      return response
    },
    setFaults(faults) {
      roll = createDice(faults, random)
    },
    state() {
      for (const pool of pools.values()) pool.charge()
      const ledger = [...calls.values()].map(({ id, status, input, billedMs }) => ({
        id,
        status: status === null ? 'PENDING' : String(status),
        isRunning: status === null,
        input,
        label: null,
        webhook: null,
        billedMs,
        amount: (billedMs / 1000) * pricePerSecond,
      }))
      return { submits: calls.size, running: [...calls.values()].filter(call => !isOver(call)).length, ledger }
    },
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const call of calls.values()) life.stop(call)
      for (const pool of pools.values()) pool.close()
    },
  }
}

/** Whether a request has the headers that are asked for. */
function accepts({ headers }: Request, wanted: { readonly [name: string]: string | undefined }): boolean {
  return Object.entries(wanted).every(([name, value]) => value === undefined || headers.get(name) === value)
}

/** Files come as URLs and data URIs, or as bytes. */
function fetchFiles(fetchUrls: ReturnType<typeof createInputs>): ReturnType<typeof createInputs> {
  return async (input, signal) => {
    const files: { [field: string]: Blob } = { ...(await fetchUrls(input, signal)) }
    for (const [field, value] of Object.entries(input))
      if (value instanceof Uint8Array) files[field] = new Blob([new Uint8Array(value)])
    return files
  }
}
