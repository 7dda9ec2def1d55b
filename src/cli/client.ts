import { openAsBlob } from 'node:fs'
import { basename } from 'node:path'
import { createFailure, failureCodes, refuse, SurefootError } from '../core/failure.ts'
import type { MigrationAction } from '../core/migration.ts'
import { isTerminal } from '../core/prediction.ts'
import type { Wish } from '../core/recommend.ts'
import type { MigrationJson, MigrationsJson } from '../http/migration-shapes.ts'
import type { ProvidersJson } from '../http/provider-shapes.ts'
import type { AttemptsJson, ModelJson, PageJson, PredictionJson } from '../http/shapes.ts'
import type { CreateTokenBody, NewTokenJson, TokenJson, TokensJson } from '../http/token-shapes.ts'
import type { WarmPlanJson, WarmPlansJson, WarmUpJson, WarmUpsJson } from '../http/warm-shapes.ts'
import type { WebhookJson } from '../http/webhook-shapes.ts'
import { readEvents } from './event-stream.ts'

/** What commands ask of a gateway. Ends that the gateway states are `SurefootError`s in its own words; see also `isGone`. */
export interface Client {
  models(): Promise<readonly ModelJson[]>
  create(request: PhotoRequest): Promise<PredictionJson>
  get(id: string): Promise<PredictionJson>
  /** Newest first, at most 100: the caller's own, or everybody's. */
  list(options?: { readonly all: boolean }): Promise<readonly PredictionJson[]>
  attempts(id: string): Promise<AttemptsJson>
  cancel(id: string): Promise<PredictionJson>
  /** What traffic says about deployments of a model (`owner/name`), and which of them fits the wish. Default: all that it has. */
  providers(model: string, prefer: Wish['prefer'], deployments?: readonly string[]): Promise<ProvidersJson>
  /** Where each configured migration stands. */
  migrations(): Promise<readonly MigrationJson[]>
  /** What a person asks of one, by model (`owner/name`). */
  migrate(model: string, action: MigrationAction): Promise<MigrationJson>
  /** How deployments of a model (`owner/name`) would be warmed. */
  warmPlans(model: string): Promise<readonly WarmPlanJson[]>
  warm(
    model: string,
    request: { readonly deployments: readonly string[]; readonly run: boolean },
  ): Promise<readonly WarmUpJson[]>
  /** How far a run that warms is. */
  warmRun(model: string, id: string): Promise<WarmUpJson>
  createToken(body: CreateTokenBody): Promise<NewTokenJson>
  /** Newest first, those that are over too. */
  tokens(): Promise<readonly TokenJson[]>
  revokeToken(id: string): Promise<void>
  /** How webhooks of the newest 100 predictions that have some fare: the caller's own, or everybody's. */
  webhooks(options: { readonly dead: boolean; readonly all: boolean }): Promise<readonly WebhookJson[]>
  /** Tries a prediction's waiting webhook now, or sends its dead ones again. */
  resend(id: string): Promise<readonly WebhookJson[]>
  /** The prediction now and after each change, until it has ended. */
  watch(id: string): AsyncIterable<PredictionJson>
  /** The bytes behind a link in one of the answers. */
  open(link: string): Promise<ReadableStream<Uint8Array>>
  /** The same for a file that is made when it is asked for: waits for it. `sha256` is lower-case hex, null where it is not told. */
  openMade(link: string): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly sha256: string | null }>
}

/** A photo for a model. */
export interface PhotoRequest {
  /** Path of a file. */
  readonly photo: string
  /** `owner/name`. */
  readonly model: string
  /** Plain input fields, as text. */
  readonly fields: { readonly [name: string]: string }
  /** Seconds after which the prediction is to end, done or not. */
  readonly timeoutSeconds?: number
  /** Runs it on these deployments only. */
  readonly deployments?: readonly string[]
}

/** A client of the gateway at `origin`, over `fetch` or over an app's own function; `secret` is sent there and nowhere else. */
export function createClient(
  origin: string,
  fetch: (request: Request) => Promise<Response>,
  secret?: string | undefined,
): Client {
  function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const url = new URL(path, origin)
    const request = new Request(url, init)
    if (secret !== undefined && url.origin === new URL(origin).origin)
      request.headers.set('authorization', `Bearer ${secret}`)
    return orGone(fetch(request))
  }

  async function call(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await ask(path, init)
    return response.ok ? response : await refuseAs(response)
  }

  async function read<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await call(path, init)
    // Our own answers: what they hold is the contract of `http/shapes.ts`.
    return (await orGone(response.json())) as T
  }

  return {
    models: async () => (await read<PageJson<ModelJson>>('/v1/models')).results,
    async create({ photo, model, fields, timeoutSeconds, deployments }) {
      const form = new FormData()
      form.set('version', model)
      for (const [name, value] of Object.entries(fields)) form.set(name, value)
      if (deployments !== undefined) form.set('surefoot', JSON.stringify({ deployments }))
      // Read from the disk as it is sent.
      form.set('image', await openAsBlob(photo), basename(photo))
      const headers: Record<string, string> =
        timeoutSeconds === undefined ? {} : { 'cancel-after': `${timeoutSeconds}s` }
      return await read('/v1/predictions', { method: 'POST', body: form, headers })
    },
    get: id => read(`/v1/predictions/${encodeURIComponent(id)}`),
    list: async ({ all } = { all: false }) =>
      (await read<PageJson<PredictionJson>>(`/v1/predictions${all ? '?owner=all' : ''}`)).results,
    attempts: id => read(`/v1/predictions/${encodeURIComponent(id)}/attempts`),
    cancel: id => read(`/v1/predictions/${encodeURIComponent(id)}/cancel`, { method: 'POST' }),
    async webhooks({ dead, all }) {
      const query = new URLSearchParams({ ...(dead && { state: 'dead' }), ...(all && { owner: 'all' }) })
      return (await read<PageJson<WebhookJson>>(`/v1/webhooks?${query}`)).results
    },
    async resend(id) {
      const path = `/v1/predictions/${encodeURIComponent(id)}/webhooks/resend`
      return (await read<{ readonly webhooks: readonly WebhookJson[] }>(path, { method: 'POST' })).webhooks
    },
    providers(model, prefer, deployments) {
      const query = new URLSearchParams({ model, prefer })
      if (deployments !== undefined) query.set('deployments', deployments.join(','))
      return read(`/v1/providers?${query}`)
    },
    migrations: async () => (await read<MigrationsJson>('/v1/migrations')).migrations,
    migrate: (model, action) => read(`/v1/migrations/${model}/${action}`, { method: 'POST' }),
    warmPlans: async model => (await read<WarmPlansJson>(`/v1/models/${model}/warm`)).deployments,
    async warm(model, request) {
      const headers = { 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body: JSON.stringify(request) }
      return (await read<WarmUpsJson>(`/v1/models/${model}/warm`, init)).warmups
    },
    warmRun: (model, id) => read(`/v1/models/${model}/warm/${encodeURIComponent(id)}`),
    createToken: body =>
      read('/v1/tokens', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    tokens: async () => (await read<TokensJson>('/v1/tokens')).tokens,
    revokeToken: async id => void (await call(`/v1/tokens/${encodeURIComponent(id)}`, { method: 'DELETE' })),
    async *watch(id) {
      const { body } = await call(`/v1/predictions/${encodeURIComponent(id)}/events`)
      try {
        for await (const { event, data } of readEvents(body ?? emptyBody())) {
          if (event !== 'prediction') continue
          const prediction = JSON.parse(data) as PredictionJson
          yield prediction
          if (isTerminal(prediction.status)) return
        }
      } catch (cause) {
        throw goneError(cause)
      }
      throw goneError()
    },
    open: async link => (await call(link)).body ?? emptyBody(),
    async openMade(link) {
      for (;;) {
        // Held for most of a minute by the gateway, so asking again at once is no hurry.
        const response = await ask(link)
        if (response.status === 503 && (await isNotReady(response.clone()))) continue
        if (!response.ok) return await refuseAs(response)
        const sha256 = /^"([0-9a-f]{64})"$/.exec(response.headers.get('etag') ?? '')?.[1] ?? null
        return { body: response.body ?? emptyBody(), sha256 }
      }
    },
  }
}

async function isNotReady(response: Response): Promise<boolean> {
  const body = (await response.json().catch(() => null)) as { readonly code?: unknown } | null
  return body?.code === 'not_ready'
}

const goneStatus = 503

/** True where the gateway could not be reached or broke off in the middle: it may answer again, or somebody else may. */
export function isGone(error: unknown): boolean {
  return SurefootError.is(error) && error.failure.code === 'provider_unreachable' && error.status === goneStatus
}

function goneError(cause?: unknown): SurefootError {
  const failure = createFailure('provider_unreachable', 'The gateway went away.', {
    fault: 'surefoot',
    advice: 'What it was doing goes on as soon as it is started again.',
  })
  return new SurefootError(failure, { status: goneStatus, cause })
}

async function orGone<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    throw goneError(cause)
  }
}

/** The gateway's refusal as it words it; what is not in its words says at least the status. */
async function refuseAs(response: Response): Promise<never> {
  const body: unknown = await response.json().catch(() => null)
  const { detail, code } =
    typeof body === 'object' && body !== null ? (body as { detail?: unknown; code?: unknown }) : {}
  const message = typeof detail === 'string' ? detail : `The gateway answered with ${response.status}.`
  const known = failureCodes.find(candidate => candidate === code)
  if (known !== undefined) return refuse(known, message, { status: response.status })
  const advice = adviceFor(response.status)
  return refuse(response.status < 500 ? 'input_invalid' : 'internal', message, { status: response.status, advice })
}

function adviceFor(status: number): string {
  if (status === 401) return 'Set SUREFOOT_TOKEN to a good one, or run this as the user who owns the data folder.'
  if (status === 403) return 'Set SUREFOOT_TOKEN to one that may, or leave it out as the user who owns the data folder.'
  return status === 404 ? 'surefoot list shows what there is.' : 'Run the command again.'
}

function emptyBody(): ReadableStream<Uint8Array> {
  return new Blob([]).stream()
}
