import type { S3Access } from './s3-client.ts'
import { readFault, toS3Error } from './s3-failure.ts'

/** Part of a multipart upload; S3 takes 10,000 of at least 5 MiB. Also what a writer holds in memory. */
export const usualPartBytes: number = 8 * 1024 * 1024
/** For an end that nobody waits for any more. */
const abortMs = 10_000

/** A multipart upload that was begun, as far as it got. */
export interface BegunUpload {
  readonly id: string
  /** In order, from the first. */
  readonly parts: readonly { readonly etag: string; readonly bytes: number }[]
}

export interface WriterOptions {
  readonly partBytes: number
  readonly signal?: AbortSignal | undefined
  /** What to go on with. Default: nothing was begun. */
  readonly begun?: BegunUpload | undefined
  /** Waited for when an upload has begun, and after each part of full size. */
  readonly onPart?: (upload: BegunUpload) => Promise<void>
}

/** Whether a store honours `If-None-Match` on writes; learned from its own word, once. */
export interface ConditionalWrites {
  supported: boolean
}

/** Writes one object: small ones by one PUT, larger ones in parts, of which never more than one is in memory. */
export interface ObjectWriter {
  write(chunk: Uint8Array): Promise<void>
  /** Makes the object visible; false when the store says that there is one already. */
  finish(): Promise<boolean>
  /** Takes back what was not finished, so that no parts stay behind and cost money. Never fails. */
  abandon(): Promise<void>
}

export function createObjectWriter(
  { sdk, client, at, bucket }: S3Access,
  key: string,
  conditional: ConditionalWrites,
  { partBytes, signal, begun, onPart }: WriterOptions,
): ObjectWriter {
  let pieces: Uint8Array[] = []
  let held = 0
  let uploadId = begun?.id ?? null
  let isDone = false
  const parts = [...(begun?.parts ?? [])]
  const options = signal === undefined ? {} : { abortSignal: signal }

  async function send<T>(use: () => Promise<T>): Promise<T> {
    try {
      return await use()
    } catch (error) {
      signal?.throwIfAborted()
      throw toS3Error(error, bucket)
    }
  }

  function takeHeld(): Uint8Array {
    const whole = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces, held)
    pieces = []
    held = 0
    return whole
  }

  async function sendPart(): Promise<void> {
    const UploadId = uploadId ?? (await begin())
    const Body = takeHeld()
    const input = { ...at(key), UploadId, PartNumber: parts.length + 1, Body }
    const { ETag = '' } = await send(() => client.send(new sdk.UploadPartCommand(input), options))
    parts.push({ etag: ETag, bytes: Body.byteLength })
  }

  async function begin(): Promise<string> {
    const { UploadId = '' } = await send(() => client.send(new sdk.CreateMultipartUploadCommand(at(key)), options))
    uploadId = UploadId
    await onPart?.({ id: UploadId, parts })
    return UploadId
  }

  /** Under the condition that nothing is there, as far as the store knows conditions. */
  async function once(use: (condition: { IfNoneMatch?: '*' }) => Promise<unknown>): Promise<boolean> {
    for (;;) {
      const condition = conditional.supported ? { IfNoneMatch: '*' as const } : {}
      try {
        await use(condition)
        return true
      } catch (error) {
        signal?.throwIfAborted()
        const { status, name } = readFault(error)
        if (status === 412) return false
        if (status !== 501 && name !== 'NotImplemented') throw toS3Error(error, bucket)
        if (!conditional.supported) throw toS3Error(error, bucket)
        conditional.supported = false
      }
    }
  }

  return {
    async write(chunk) {
      // Copied: whoever sends it may use its buffer again.
      for (let from = 0; from < chunk.byteLength; ) {
        const piece = chunk.slice(from, from + partBytes - held)
        pieces.push(piece)
        held += piece.byteLength
        from += piece.byteLength
        if (held < partBytes) continue
        await sendPart()
        if (uploadId !== null) await onPart?.({ id: uploadId, parts })
      }
    },
    async finish() {
      if (uploadId === null) {
        const Body = takeHeld()
        isDone = true
        return await once(more => client.send(new sdk.PutObjectCommand({ ...at(key), ...more, Body }), options))
      }
      if (held > 0) await sendPart()
      const Parts = parts.map(({ etag }, index) => ({ PartNumber: index + 1, ETag: etag }))
      const input = { ...at(key), UploadId: uploadId, MultipartUpload: { Parts } }
      const stored = await once(more =>
        client.send(new sdk.CompleteMultipartUploadCommand({ ...input, ...more }), options),
      )
      isDone = stored
      return stored
    },
    async abandon() {
      if (uploadId === null || isDone) return
      const command = new sdk.AbortMultipartUploadCommand({ ...at(key), UploadId: uploadId })
      await client.send(command, { abortSignal: AbortSignal.timeout(abortMs) }).catch(() => {})
    },
  }
}
