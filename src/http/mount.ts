import type { Engine } from '../engine/contract.ts'
import type { createApp } from './app.ts'
import type { Visitor } from './context.ts'
import { carriesPermission } from './safety.ts'
import { digestOf, isDigestOf } from './secrets.ts'

/** What an app's own sign-in answers: who it is; null, for nobody who may come in; or an answer of its own. */
export type Authorize = (request: Request) => Visitor | Response | null | Promise<Visitor | Response | null>

export interface MountOptions {
  /** Under which path the outer app passes requests on, such as `/api/surefoot`. */
  readonly base: string
  /** Asked for every request that needs somebody. Without it nobody comes in but by tokens and signed links. */
  readonly authorize?: Authorize | undefined
  /** What whoever calls `tick` sends as a bearer token; null: nobody may. */
  readonly tickSecret: string | null
  /**
   * Keeps this process alive until `work` has ended, although its request was answered: Next.js's `after`, `waitUntil`
   * elsewhere. Without it answers wait for what they have begun, for the turn's time at most.
   */
  readonly after?: ((work: Promise<unknown>) => void) | undefined
}

export interface MountDependencies {
  readonly app: Pick<ReturnType<typeof createApp>, 'fetch' | 'recognise'>
  readonly engine: Pick<Engine, 'turn'>
}

/** How long one tick may drive on at most. */
const longestTickSeconds = 900
/** Of a tick's time, for giving back what it holds. */
const tickMarginMs = 1_000

/**
 * Puts the HTTP front into another app, below `base`, with that app's own sign-in. Each request is a turn of the engine
 * (see `Engine.turn`): a question is answered after what was due is done, so that it tells of it; what a request begins is
 * seen through as far as its time goes; an event stream drives for as long as it is open. `POST tick` (or GET, as some
 * hosts' cron sends it) advances everything that is due and keeps house; `?seconds=50` drives on for so long.
 */
export function createMount(
  { app, engine }: MountDependencies,
  options: MountOptions,
): (request: Request) => Promise<Response> {
  const { base, authorize, tickSecret, after } = options
  const tickDigest = tickSecret === null ? null : digestOf(`Bearer ${tickSecret}`)

  async function tick(request: Request): Promise<Response> {
    if (request.method !== 'POST' && request.method !== 'GET')
      return refuse(405, 'method_not_allowed', 'A tick is a POST.')
    if (tickDigest === null)
      return refuse(
        403,
        'tick_closed',
        'Set tickSecret in the config, or SUREFOOT_TICK_SECRET, to call this: 16 characters or more.',
      )
    if (!isDigestOf(tickDigest, request.headers.get('authorization') ?? ''))
      return refuse(401, 'token_invalid', 'This is not the secret of ticks.')
    const seconds = new URL(request.url).searchParams.get('seconds')
    if (
      seconds !== null &&
      !(/^\d{1,3}$/.test(seconds) && Number(seconds) >= 1 && Number(seconds) <= longestTickSeconds)
    )
      return refuse(422, 'input_invalid', `seconds: takes 1 to ${longestTickSeconds}.`)
    await runTick(engine, seconds === null ? undefined : Number(seconds))
    return Response.json({ status: 'ok' }, { headers: { 'cache-control': 'no-store' } })
  }

  return async outer => {
    const request = toInner(outer, base)
    if (request === null) return refuse(404, 'not_found', `Surefoot is mounted at ${base}, and this is not below it.`)
    const { pathname } = new URL(request.url)
    if (pathname === '/tick') return await tick(request)

    let answer: Response | null = null
    const visitor = once(async () => {
      const found = (await authorize?.(outer)) ?? null
      if (!(found instanceof Response)) return found
      answer = found
      return null
    })
    const ask = async (closing: AbortSignal): Promise<Response> => {
      const response = await app.fetch(request, { base, closing, visitor })
      // The sign-in's own answer stands for the refusal of nobody, not for what nobody may have.
      return response.status === 401 ? (answer ?? response) : response
    }
    const isQuestion = request.method === 'GET' || request.method === 'HEAD'
    if (carriesPermission(pathname)) {
      const response = await ask(request.signal)
      // What a webhook or an upload has told is stored and due now. What was refused moves nothing.
      if (!isQuestion && response.ok) await seeThrough(engine.turn(turn => turn.advance()))
      return response
    }
    // Health checks, preflights and the like ask for nobody, and nobody moves anything.
    const isOpen = !pathname.startsWith('/v1/') || request.method === 'OPTIONS'
    const header = request.headers.get('authorization') ?? undefined
    const caller = isOpen ? null : await app.recognise(header, { visitor })
    if (caller === null) return await ask(request.signal)
    const id = isQuestion ? predictionIn(pathname) : undefined
    const { owner } = caller
    return await inTurn(isQuestion, id === undefined ? {} : caller.seesAll ? { id } : { id, owner }, ask)
  }

  async function seeThrough(work: Promise<unknown>): Promise<void> {
    if (after === undefined) await work
    else after(work)
  }

  /** Answers as soon as there is an answer, where the host lets the turn go on after it. */
  async function inTurn(
    isQuestion: boolean,
    about: { readonly id?: string; readonly owner?: string },
    ask: (closing: AbortSignal) => Promise<Response>,
  ): Promise<Response> {
    const early = Promise.withResolvers<Response>()
    let endStream = async () => {}
    const whole = engine.turn(async turn => {
      if (isQuestion) await turn.advance(about)
      const response = await ask(turn.signal)
      if (response.body !== null && response.headers.get('content-type')?.startsWith('text/event-stream')) {
        const { readable, read, end } = passOn(response.body)
        endStream = end
        early.resolve(new Response(readable, response))
        await untilEither(read, turn.signal)
        return response
      }
      if (after !== undefined) early.resolve(response)
      if (!isQuestion) await turn.advance()
      return response
    })
    whole.then(early.resolve, early.reject)
    // A stream ends after its turn, because the host lets us live for as long as somebody reads.
    const ended = whole.catch(() => {}).then(() => endStream())
    after?.(ended)
    return await early.promise
  }
}

/** The same bytes in a stream that ends when it is told to: in order where all was read by then, else it is cut off. */
function passOn(body: ReadableStream<Uint8Array>) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const cut = new AbortController()
  let isRead = false
  const read = body.pipeTo(writable, { preventClose: true, signal: cut.signal }).then(
    () => {
      isRead = true
    },
    () => {},
  )
  return {
    readable,
    read,
    async end(): Promise<void> {
      if (isRead) return await writable.close().catch(() => {})
      // Whoever stopped reading comes back, as after any cut.
      cut.abort()
    },
  }
}

function untilEither(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      signal.removeEventListener('abort', end)
      resolve()
    }
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', end)
    void work.then(end)
  })
}

/** Advances everything that is due and keeps house; with `seconds`, 1 to 900, drives on for so long. */
export async function runTick(engine: Pick<Engine, 'turn'>, seconds?: number): Promise<void> {
  await engine.turn(
    async turn => {
      await turn.keepHouse()
      await turn.advance(seconds === undefined ? {} : { forMs: seconds * 1000 - tickMarginMs })
    },
    { others: Number.POSITIVE_INFINITY, ...(seconds === undefined ? {} : { limitMs: seconds * 1000 }) },
  )
}

/** The same request with the path below `base`, under the origin that its sender used; null where it is not below it. */
function toInner(request: Request, base: string): Request | null {
  const url = new URL(request.url)
  if (url.pathname !== base && !url.pathname.startsWith(`${base}/`)) return null
  const { headers } = request
  const host = first(headers.get('x-forwarded-host')) ?? headers.get('host')
  const scheme = first(headers.get('x-forwarded-proto'))
  if (scheme === 'http' || scheme === 'https') url.protocol = scheme
  // Frameworks put the address that they listen on into it, and links would lead there.
  if (host !== null && URL.canParse(`http://${host}`)) {
    const { hostname, port } = new URL(`${url.protocol}//${host}`)
    url.hostname = hostname
    url.port = port
  }
  url.pathname = url.pathname.slice(base.length) || '/'
  return new Request(url, request)
}

function first(list: string | null): string | undefined {
  return list?.split(',')[0]?.trim() || undefined
}

function predictionIn(path: string): string | undefined {
  return /^\/v1\/predictions\/(\w+)(?:\/|$)/.exec(path)?.[1]
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | null = null
  return () => (result ??= work())
}

function refuse(status: number, code: string, detail: string): Response {
  return Response.json({ detail, status, code }, { status, headers: { 'cache-control': 'no-store' } })
}
