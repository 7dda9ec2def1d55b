import type { Io, Job, JobFile, Provider } from '../contract.ts'
import { modal } from './index.ts'
import type { GrpcMiddleware } from './options.ts'

/** One RPC as it left the SDK. */
export interface SentRpc {
  readonly name: string
  readonly request: { readonly [field: string]: unknown }
  readonly metadata: readonly [string, readonly (string | Uint8Array)[]][]
}

/** What a server answers: a message, or an error. */
export type Script = { readonly [name: string]: object | Error | ((request: object) => object) }

/** An error as the transport throws it. */
export function grpcError(
  code: number,
  details: string,
  path: string = '/modal.client.ModalClient/FunctionMap',
): Error {
  return Object.assign(new Error(details), { code, details, path })
}

/** A function that is there, and takes what we send. */
export const found: Script = {
  FunctionGet: { functionId: 'fu-1', handleMetadata: { webUrl: '', supportedInputFormats: [1, 4] } },
  FunctionMap: { functionCallId: 'fc-1', pipelinedInputs: [] },
}

/** A provider through the real SDK, whose RPCs are noted and answered by a script instead of a server. */
export function setup(
  script: Script,
  fetch: typeof globalThis.fetch = () => Promise.reject(new Error('nobody is asked')),
  options: { readonly baseUrl?: string; readonly environment?: string } = {},
): { readonly provider: Provider; readonly io: Io; readonly sent: SentRpc[] } {
  const sent: SentRpc[] = []
  const grpcMiddleware = [answerBy(script, sent)]
  const provider = modal({ tokenId: 'ak-1', tokenSecret: 'as-secret', grpcMiddleware, ...options })
  return { provider, sent, io: { fetch, signal: new AbortController().signal } }
}

function answerBy(script: Script, sent: SentRpc[]): GrpcMiddleware {
  return async function* answer({ method, request }, { metadata }) {
    // A middleware is a generator, which of a unary call yields nothing.
    yield* []
    const name = method.path.split('/').at(-1) ?? ''
    sent.push({ name, request: { ...request }, metadata: [...(metadata ?? [])] })
    const next = script[name] ?? grpcError(12, `no script for ${name}`)
    if (next instanceof Error) throw next
    return typeof next === 'function' ? next(request) : next
  }
}

/** An input file of so many bytes. */
export function file(bytes: number, url: string | null = null): JobFile {
  const open = async () => new Blob([new Uint8Array(bytes).fill(65)]).stream()
  return { name: 'photo.jpg', mediaType: 'image/jpeg', bytes, sha256: 'ab'.repeat(32), url, path: null, open }
}

/** A start of a function with a small photo, or what `more` makes of it. */
export function job(more: Partial<Job> = {}): Job {
  return {
    marker: { attemptId: 'attempt-1', secret: 'whisper' },
    model: 'surefoot/sharp',
    target: { app: 'sharp', function: 'predict' },
    input: { focal_length: 30 },
    files: { image: file(3) },
    webhookUrl: 'https://us.test/hooks/whisper',
    uploadUrl: name => `https://us.test/uploads/${name}?signature=1`,
    runLimitMs: 600_000,
    deadlineInMs: 1_800_000,
    ...more,
  }
}
