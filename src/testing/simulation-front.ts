import type { Random } from '../core/clock.ts'
import { uploadKey } from '../core/upload.ts'
import type { Engine, Links } from '../engine/contract.ts'
import type { FileStore } from '../files/contract.ts'
import { textModel } from './text-model.ts'

/** The gateway as providers and their kits reach it: webhooks, hellos and uploads, without signed links. */
export interface Front {
  readonly links: Links
  /** What vendors send by. */
  readonly send: typeof globalThis.fetch
  /** Throws when a message was believed that did not know our secret. */
  check(): void
}

export interface FrontSetup {
  readonly random: Random
  readonly weather: { readonly faults: boolean }
  readonly files: Pick<FileStore, 'put'>
  /** A process of the simulation's choice. */
  readonly process: () => Engine | undefined
}

const origin = 'https://us.test'

/** Answers as the HTTP front would; now and then a forger posts what a vendor did, without knowing its whole address. */
export function createFront({ random, weather, files, process }: FrontSetup): Front {
  const believed: string[] = []

  async function hear(path: readonly string[], headers: Headers, body: Uint8Array): Promise<boolean> {
    const [provider = '', attemptId = '', secret = ''] = path
    const heard = process()?.hear(provider, attemptId, secret, { headers, body: async () => body })
    return (
      (await heard?.then(
        () => true,
        () => false,
      )) === true
    )
  }

  async function forge([provider = '', attemptId = '', secret = '']: readonly string[], headers: Headers) {
    const wrong = secret.replace(/^./, first => (first === '0' ? '1' : '0'))
    const lie = { id: 'forged', status: 'COMPLETED', output: { url: 'https://forger.test/evil' } }
    const body = new TextEncoder().encode(JSON.stringify(lie))
    if (await hear([provider, attemptId, wrong], headers, body)) believed.push(attemptId)
  }

  async function upload([attemptId = '', name = '']: readonly string[], body: AsyncIterable<Uint8Array>) {
    const { maxBytes } = textModel.output
    const stored = await files.put(uploadKey(attemptId, name), body, { maxBytes }).catch(() => null)
    return stored === null ? 500 : stored.kind === 'exists' ? 409 : 201
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
