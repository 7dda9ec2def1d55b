import { createHash } from 'node:crypto'
import { refuse } from '../../core/failure.ts'
import type { Io } from '../contract.ts'
import { describeNetworkError } from '../http.ts'
import { checkBlobUrl, readBytes } from './bytes.ts'
import { type Rpc, readAnswer } from './sdk.ts'
import { blobCreatedSchema, blobSchema } from './wire.ts'

/** The vendor's store for inputs and results that are too large for its messages. */
export interface Blobs {
  /** Gives the blob's id. Fails like an RPC, or with `provider_unreachable` or `provider_error`. */
  upload(bytes: Uint8Array<ArrayBuffer>, io: Io): Promise<string>
  /** Null when it is larger than what is held in memory. Fails likewise. */
  download(id: string, io: Io): Promise<Uint8Array | null>
}

/** `isVendor`: the addresses that it names must be https. */
export function createBlobs(rpc: Rpc, isVendor: boolean): Blobs {
  async function send(io: Io, url: string, init: RequestInit): Promise<Response> {
    const more = { redirect: 'manual' as const, signal: io.signal }
    const response = await io.fetch(checkBlobUrl(url, isVendor), { ...init, ...more }).catch((cause: unknown) => {
      const words = describeNetworkError(cause, io.signal, url)
      return refuse('provider_unreachable', `Modal's store for bytes could not be reached: ${words}.`, { cause })
    })
    if (response.ok) return response
    await response.body?.cancel()
    return refuse('provider_error', `Modal's store for bytes answered ${response.status}.`)
  }

  return {
    async upload(bytes, io) {
      const digest = (algorithm: string) => createHash(algorithm).update(bytes).digest('base64')
      const contentMd5 = digest('md5')
      const answer = await rpc(
        'blobCreate',
        { contentMd5, contentSha256Base64: digest('sha256'), contentLength: bytes.byteLength },
        io,
      )
      const { blobId, uploadUrl } = readAnswer(blobCreatedSchema, answer, 'blobCreate')
      const headers = { 'content-type': 'application/octet-stream', 'content-md5': contentMd5 }
      const response = await send(io, uploadUrl, { method: 'PUT', headers, body: bytes })
      await response.body?.cancel()
      return blobId
    },
    async download(id, io) {
      const { downloadUrl } = readAnswer(blobSchema, await rpc('blobGet', { blobId: id }, io), 'blobGet')
      const response = await send(io, downloadUrl, {})
      return await readBytes(response).catch((cause: unknown) =>
        refuse('provider_unreachable', `A result broke off: ${describeNetworkError(cause, io.signal, downloadUrl)}.`, {
          cause,
        }),
      )
    },
  }
}
