import { lstat, open as openFile, rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { refuse, SurefootError } from '../core/failure.ts'
import type { FileStore, ListedFile, OpenedFile, PutOptions, PutResult, S3Options } from './contract.ts'
import { checkKey } from './keys.ts'
import { checkRange, readAll } from './read-file.ts'
import { receive } from './receive.ts'
import { createS3Access, load, type S3Limits, usualLimits } from './s3-client.ts'
import { readFault, toS3Error } from './s3-failure.ts'
import { createResumableWrites } from './s3-resumable.ts'
import { type ConditionalWrites, createObjectWriter, usualPartBytes } from './s3-writer.ts'
import { createTurns } from './turns.ts'
import { withSignal } from './with-signal.ts'

/** The longest life of a link by S3's rules; one that was signed by temporary credentials ends with them. */
const longestLinkSeconds = 7 * 24 * 60 * 60
/** How often what changes while it is copied is copied anew. */
const mostCopies = 3

/** What tests set. */
export interface S3FilesDependencies {
  readonly limits?: S3Limits
  /** Milliseconds since 1970. Default: this machine's clock. */
  readonly now?: () => number
  /** Of the parts in which large files are sent. Default: 8 MiB; S3 takes at least 5 MiB. */
  readonly partBytes?: number
}

/**
 * A file store in a bucket. An object becomes visible whole or not at all. The first complete write of a key wins by a
 * conditional write; where a store knows none, writes of this process take turns and look first, so that only two
 * processes that finish one key in the same moment could replace each other's file. Streams hold 8 MiB at most. The AWS
 * SDK is loaded at the first use. Fails as `toS3Error` says, besides what the contract says.
 */
export function createS3Files(
  options: S3Options,
  { limits = usualLimits, now = Date.now, partBytes = usualPartBytes }: S3FilesDependencies = {},
): FileStore & Required<Pick<FileStore, 'outside' | 'resumable'>> {
  const access = createS3Access(options, limits, options.endpoint)
  // For links only, and a link that held a checksum would take the one body that has it: an empty one.
  const outer = createS3Access({ ...options, checksums: false }, limits, options.publicEndpoint ?? options.endpoint)
  const conditional: ConditionalWrites = { supported: true }
  const turns = createTurns()

  /** Null where there is nothing. */
  async function head(key: string): Promise<{ readonly bytes: number; readonly etag: string | undefined } | null> {
    const { sdk, client, at, bucket } = await access()
    try {
      const { ContentLength = 0, ETag } = await client.send(new sdk.HeadObjectCommand(at(key)))
      return { bytes: ContentLength, etag: ETag }
    } catch (error) {
      if (isMissing(error)) return null
      throw toS3Error(error, bucket)
    }
  }

  async function put(key: string, body: AsyncIterable<Uint8Array>, more: PutOptions): Promise<PutResult> {
    checkKey(key)
    more.signal?.throwIfAborted()
    if ((await head(key)) !== null) {
      // Begun and left: a generator that was never begun would not close what it reads from.
      for await (const _ of withSignal(body, more.signal)) break
      return { kind: 'exists' }
    }
    const writer = createObjectWriter(await access(), key, conditional, {
      partBytes,
      signal: more.signal,
    })
    try {
      const received = await receive(body, more, writer.write)
      more.signal?.throwIfAborted()
      const isOurs = await turns.take(key, async () => (await head(key)) === null && (await writer.finish()))
      return isOurs ? { kind: 'stored', ...received } : { kind: 'exists' }
    } finally {
      await writer.abandon()
    }
  }

  async function get(key: string, range?: { start: number; end?: number }): Promise<OpenedFile | null> {
    checkKey(key)
    const { start, last } = checkRange(range)
    const { sdk, client, at, bucket } = await access()
    const isPart = range !== undefined
    const Range = last === Number.MAX_SAFE_INTEGER ? `bytes=${start}-` : `bytes=${start}-${last}`
    try {
      const answer = await client.send(new sdk.GetObjectCommand({ ...at(key), ...(isPart ? { Range } : {}) }))
      const bytes = answer.ContentLength ?? 0
      const total = Number(answer.ContentRange?.split('/')[1] ?? bytes)
      return { body: toBody(answer.Body as Readable, bucket), bytes, total }
    } catch (error) {
      if (isMissing(error)) return null
      if (readFault(error).status !== 416) throw toS3Error(error, bucket)
    }
    // No byte of it lies in the range: S3 says so instead of answering nothing.
    const whole = await head(key)
    return whole === null ? null : { body: new Blob([]).stream(), bytes: 0, total: whole.bytes }
  }

  async function remove(key: string): Promise<void> {
    checkKey(key)
    const { sdk, client, at, call } = await access()
    await call(() => client.send(new sdk.DeleteObjectCommand(at(key))))
  }

  async function* list(folder: string, after?: string): AsyncGenerator<ListedFile> {
    checkKey(folder)
    const { sdk, client, at, call } = await access()
    // What our own prefix adds to a key is not part of it.
    const { Bucket, Key: Prefix } = at(`${folder}/`)
    const own = Prefix.length - folder.length - 1
    const StartAfter = after === undefined ? undefined : at(after).Key
    let ContinuationToken: string | undefined
    do {
      const command = new sdk.ListObjectsV2Command({ Bucket, Prefix, StartAfter, ContinuationToken })
      const page = await call(() => client.send(command))
      for (const { Key, Size } of page.Contents ?? [])
        if (Key !== undefined) yield { key: Key.slice(own), bytes: Size ?? 0 }
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
  }

  /** True: copied. False: what is at `from` has changed meanwhile, or something is at `to`. */
  async function copy(from: string, to: string, etag: string | undefined, signal?: AbortSignal): Promise<boolean> {
    const { sdk, client, at, bucket } = await access()
    const source = at(from)
    const command = new sdk.CopyObjectCommand({
      ...at(to),
      CopySource: `${source.Bucket}/${source.Key.split('/').map(encodeURIComponent).join('/')}`,
      CopySourceIfMatch: etag,
    })
    try {
      await client.send(command, signal === undefined ? {} : { abortSignal: signal })
      return true
    } catch (error) {
      signal?.throwIfAborted()
      if (readFault(error).status === 412 || isMissing(error)) return false
      throw toS3Error(error, bucket)
    }
  }

  async function link(
    until: number,
    command: (open: Awaited<ReturnType<typeof outer>>) => unknown,
    signableHeaders?: Set<string>,
  ): Promise<string> {
    const opened = await outer()
    const { getSignedUrl } = await load('@aws-sdk/s3-request-presigner', () => import('@aws-sdk/s3-request-presigner'))
    const seconds = Math.min(Math.max(1, Math.ceil((until - now()) / 1000)), longestLinkSeconds)
    const made = command(opened) as InstanceType<typeof opened.sdk.GetObjectCommand>
    return await opened.call(() =>
      getSignedUrl(opened.client, made, { expiresIn: seconds, ...(signableHeaders && { signableHeaders }) }),
    )
  }

  return {
    put,
    async adopt(key, source, more) {
      checkKey(key)
      if ((await head(key)) !== null) return { kind: 'exists' }
      const found = await lstat(source).catch(() => null)
      if (!found?.isFile())
        refuse('output_invalid', 'There is no regular file at the path that was named as an output.')
      const file = await openFile(source, 'r')
      try {
        const result = await put(key, readAll(file), more)
        if (result.kind === 'stored') await rm(source, { force: true })
        return result
      } finally {
        await file.close()
      }
    },
    open: get,
    async stat(key) {
      checkKey(key)
      const found = await head(key)
      return found === null ? null : { bytes: found.bytes }
    },
    remove,
    list,
    resumable: createResumableWrites({
      access,
      conditional,
      turns,
      partBytes,
      has: async key => (await head(key)) !== null,
      remove,
      list,
    }),
    path(key) {
      checkKey(key)
      return null
    },
    outside: {
      async readUrl(key, until, { name, mediaType }) {
        checkKey(key)
        const more = {
          ResponseContentType: mediaType,
          ResponseContentDisposition: `attachment; filename="${plainName(name)}"`,
        }
        return await link(until, ({ sdk, at }) => new sdk.GetObjectCommand({ ...at(key), ...more }))
      },
      async writeUrl(key, until, exactly) {
        checkKey(key)
        if (exactly === undefined) return await link(until, ({ sdk, at }) => new sdk.PutObjectCommand(at(key)))
        const more = { ContentLength: exactly.bytes, ContentType: exactly.mediaType }
        // Left to itself the SDK signs the host only, and whoever has the link could send anything.
        const signed = new Set(['host', 'content-length', 'content-type'])
        return await link(until, ({ sdk, at }) => new sdk.PutObjectCommand({ ...at(key), ...more }), signed)
      },
      async take(from, to, { maxBytes, bytes, signal }) {
        checkKey(from)
        checkKey(to)
        return await turns.take(to, async () => {
          for (let tries = 0; tries < mostCopies; tries++) {
            signal?.throwIfAborted()
            if ((await head(to)) !== null) return 'exists'
            const found = await head(from)
            if (found === null) return 'missing'
            if (found.bytes > maxBytes)
              refuse('input_too_large', `The file is larger than the allowed ${maxBytes} bytes.`, { status: 413 })
            if (found.bytes !== (bytes ?? found.bytes))
              refuse('output_invalid', `The file has ${found.bytes} bytes, its sender stated ${bytes}.`)
            if (!(await copy(from, to, found.etag, signal))) continue
            await remove(from)
            return 'taken'
          }
          return refuse('provider_unreachable', 'What was uploaded changed while it was copied, again and again.')
        })
      },
    },
  }
}

/** What a header may hold between quotes. */
function plainName(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_')
}

function isMissing(error: unknown): boolean {
  const { name, status } = readFault(error)
  return status === 404 && name !== 'NoSuchBucket'
}

/** Read as fast as it is asked for; given up when it is cancelled, also before its first byte was asked for. */
function toBody(source: Readable, bucket: string): ReadableStream<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const next = await chunks.next()
          if (next.done) controller.close()
          else controller.enqueue(next.value as Uint8Array)
        } catch (error) {
          controller.error(SurefootError.is(error) ? error : toS3Error(error, bucket))
        }
      },
      cancel: () => void source.destroy(),
    },
    { highWaterMark: 0 },
  )
}
