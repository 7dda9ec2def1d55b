import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Replicate from 'replicate'
import { onTestFinished } from 'vitest'
import { refuse } from '../core/failure.ts'
import { defaultPolicy } from '../core/policy.ts'
import { systemClock } from '../engine/clock.ts'
import { createEngine } from '../engine/engine.ts'
import { createDiskFiles } from '../files/disk.ts'
import { createDownload } from '../files/download.ts'
import { createOutsidePost } from '../files/outside-post.ts'
import { createSigner } from '../files/signing.ts'
import type { Model } from '../models/contract.ts'
import type { Observation, Provider } from '../providers/contract.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { createApp } from './app.ts'
import { createProviderLinks } from './links.ts'
import { listen } from './node.ts'
import { sketch } from './test-support.ts'
import { createWebhookSender } from './webhooks-out.ts'

/** What a run at the hand provider makes unless the test says otherwise. */
export const splat = 'the bytes of a splat'

/** A provider whose runs go on until the test, or a cancel, ends them. */
export function createHandProvider() {
  let seen: Observation = { status: 'running', word: 'running', progress: { stage: 'draw', fraction: 0.25 } }
  const provider: Provider = {
    kind: 'hand',
    trustedOrigins: [],
    limits: {
      inputForms: ['data'],
      outputForms: ['data'],
      inlineOutputBytes: 1_000,
      resultKeptMs: 60_000,
      heldStart: false,
      startTimeoutMs: 5_000,
      callTimeoutMs: 5_000,
      pollMs: 20,
      thisHostOnly: false,
    },
    parseTarget: () => ({}),
    start: async () => ({ kind: 'accepted', handle: 'run' }),
    poll: async () => seen,
    async cancel() {
      seen = { status: 'canceled', word: 'canceled' }
      return 'ended'
    },
    cost: () => ({ amount: 0.01, currency: 'USD', estimated: false }),
    pricePerSecond: () => 0.001,
  }
  return {
    provider,
    succeed(bytes: string | Uint8Array = splat) {
      const uri = `data:application/octet-stream;base64,${Buffer.from(bytes).toString('base64')}`
      seen = { status: 'succeeded', word: 'succeeded', outputs: [{ kind: 'data', uri }] }
    },
    /** The run has ended, and says that its output is there. */
    succeedAt(url: string) {
      seen = { status: 'succeeded', word: 'succeeded', outputs: [{ kind: 'url', url }] }
    },
    /** The run is at this share of its work. */
    progress(fraction: number) {
      seen = { status: 'running', word: 'running', progress: { stage: 'draw', fraction } }
    },
  }
}

export interface GatewayOptions {
  readonly publicUrl?: string | null
  /** Default: `acme/sketch`. */
  readonly model?: Model
  /** Origins on this machine to which webhooks may go. Default: none. */
  readonly receivers?: readonly string[]
  /** Whoever sends it may do everything. Default: nobody may. */
  readonly ownerSecret?: string
}

/** The real engine, store and files behind a real port, and the published client with nothing changed but its base URL. */
export async function setupGateway({
  publicUrl = null,
  model = sketch,
  receivers = [],
  ownerSecret,
}: GatewayOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-client-'))
  const hand = createHandProvider()
  const store = await openSqliteStore({ path: ':memory:' })
  const files = createDiskFiles({ directory })
  const signer = createSigner('a secret for tests')
  let ids = 0
  const deployment = { name: 'sketch@hand', providerName: 'hand', provider: hand.provider, target: {}, concurrency: 4 }
  const routes = new Map([[model.name, { model, deployments: [deployment], policy: defaultPolicy }]])
  const log = () => undefined
  let url = ''
  const sender = createWebhookSender({
    secret: await store.secret('webhooks'),
    outside: createOutsidePost({ trustedOrigins: receivers }),
    signer,
    clock: systemClock,
    routes,
    origin: () => url,
    log,
  })
  const engine = createEngine({
    name: 'test',
    alone: true,
    store,
    files,
    download: createDownload(),
    routes,
    links: createProviderLinks(signer, publicUrl),
    serverKey: 'another secret for tests',
    clock: systemClock,
    random: () => 0.5,
    newId: () => `id${String(++ids).padStart(8, '0')}`,
    fetch: () => Promise.reject(new Error('nothing is fetched here')),
    notify: sender.send,
    checkWebhook: sender.check,
    log,
  })
  await engine.start()
  let app: ReturnType<typeof createApp> | undefined
  const server = await listen({
    port: 0,
    host: '127.0.0.1',
    publicUrl,
    app(address) {
      const access = { tokensRequired: false, ...(ownerSecret !== undefined && { ownerSecret }) }
      const common = { engine, store, files, signer, clock: systemClock, publicUrl, studio: null, log }
      app = createApp({ ...address, ...common, access })
      return app
    },
  })
  url = server.url
  onTestFinished(async () => {
    await server.close(0)
    await engine.stop()
    await store.close()
    rmSync(directory, { recursive: true })
  })
  return {
    ...hand,
    url,
    app: () => app ?? refuse('internal', 'There is no app yet.'),
    replicate: new Replicate({ auth: 'any', baseUrl: `${url}/v1` }),
  }
}
