import type { Clock, Random } from '../core/clock.ts'
import type { Links } from '../engine/contract.ts'
import type { Ask } from './simulation-host.ts'

/** The gateway as providers and their kits reach it: webhooks, hellos and uploads, without signed links. */
export interface Front {
  readonly links: Links
  /** What vendors send by. */
  readonly send: typeof globalThis.fetch
  /** Throws when a message was believed that did not know our secret. */
  check(): void
}

export interface FrontSetup {
  readonly clock: Clock
  readonly random: Random
  readonly weather: { readonly faults: boolean }
  /** A way to the gateway. */
  readonly connect: () => Ask
}

const origin = 'https://us.test'
const cutAfterMs = 60_000

/** Answers as the HTTP front would; now and then a forger posts what a vendor did, without knowing its whole address. */
export function createFront({ clock, random, weather, connect }: FrontSetup): Front {
  const believed: string[] = []

  async function hear(path: readonly string[], headers: Headers, body: Uint8Array): Promise<boolean> {
    const [provider = '', attemptId = '', secret = ''] = path
    const ask = connect()
    return await ask(engine => engine.hear(provider, attemptId, secret, { headers, body: async () => body })).then(
      () => true,
      () => false,
    )
  }

  async function forge([provider = '', attemptId = '', secret = '']: readonly string[], headers: Headers) {
    const wrong = secret.replace(/^./, first => (first === '0' ? '1' : '0'))
    const lie = { id: 'forged', status: 'COMPLETED', output: { url: 'https://forger.test/evil' } }
    const body = new TextEncoder().encode(JSON.stringify(lie))
    if (await hear([provider, attemptId, wrong], headers, body)) believed.push(attemptId)
  }

  async function upload([attemptId = '', name = '']: readonly string[], body: AsyncIterable<Uint8Array>) {
    const ask = connect()
    const storing = ask(engine => engine.upload(attemptId, name, body, {})).catch(() => null)
    // A process that dies answers nothing: then the connection breaks, and a file may be left that nobody knows of.
    const stored = await Promise.race([
      storing,
      new Promise<null>(resolve => void clock.after(cutAfterMs, () => resolve(null))),
    ])
    return stored === null ? 500 : { stored: 201, exists: 409, unknown: 404, over: 410 }[stored.kind]
  }

  return {
    links: {
      input: () => null,
      upload: (attemptId, name) => `${origin}/uploads/${attemptId}/${name}`,
      webhook: (provider, attemptId, secret) => `${origin}/webhooks/${provider}/${attemptId}/${secret}`,
    },
    async send(input, init) {
      const request = new Request(input, init)
      const [, verb, ...path] = new URL(request.url).pathname.split('/')
      if (verb === 'uploads') return new Response(null, { status: await upload(path, request.body ?? nothing()) })
      const body = await request.bytes()
      if (weather.faults && random() < 0.02) await forge(path, request.headers)
      return new Response(null, { status: (await hear(path, request.headers, body)) ? 200 : 500 })
    },
    check() {
      if (believed.length > 0) throw new Error(`a forged webhook was believed for attempt ${believed[0]}`)
    },
  }
}

/** The attempt that a webhook's address is about. */
export function attemptOfWebhook(url: string): string | null {
  return new URL(url).pathname.split('/')[3] ?? null
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
