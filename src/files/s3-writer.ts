import type { S3Access } from './s3-client.ts'
import { readFault, toS3Error } from './s3-failure.ts'

/** Part of a multipart upload; S3 takes 10,000 of at least 5 MiB. Also what a writer holds in memory. */
const partBytes = 8 * 1024 * 1024
/** For an end that nobody waits for any more. */
const abortMs = 10_000

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
  signal: AbortSignal | undefined,
): ObjectWriter {
  let pieces: Uint8Array[] = []
  let held = 0
  let uploadId: string | null = null
  let isDone = false
  const parts: { readonly PartNumber: number; readonly ETag: string | undefined }[] = []
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
    uploadId ??= await begin()
    const PartNumber = parts.length + 1
    const input = { ...at(key), UploadId: uploadId, PartNumber, Body: takeHeld() }
    const { ETag } = await send(() => client.send(new sdk.UploadPartCommand(input), options))
    parts.push({ PartNumber, ETag })
  }

  async function begin(): Promise<string> {
    const { UploadId } = await send(() => client.send(new sdk.CreateMultipartUploadCommand(at(key)), options))
    return UploadId ?? ''
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
        if (held === partBytes) await sendPart()
      }
    },
    async finish() {
      if (uploadId === null) {
        const Body = takeHeld()
        isDone = true
        return await once(more => client.send(new sdk.PutObjectCommand({ ...at(key), ...more, Body }), options))
      }
      if (held > 0) await sendPart()
      const input = { ...at(key), UploadId: uploadId, MultipartUpload: { Parts: parts } }
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
