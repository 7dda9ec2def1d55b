import type * as S3 from '@aws-sdk/client-s3'
import { SurefootError } from '../../core/failure.ts'
import type { Io, JobFile } from '../contract.ts'
import type { Answer } from '../http.ts'
import { type Call, isMissing, isSuccess, type VendorApi } from '../vendor-api.ts'
import { createAwsApi, errorNameOf, type Look } from './api.ts'
import type { AwsBucket } from './options.ts'
import { loadSdk, untilAborted } from './sdk.ts'
import type { Signer } from './signer.ts'

/** The longest life of a link by the vendor's rules; one that was signed by temporary credentials ends with them. */
const longestLinkMs = 7 * 24 * 60 * 60_000

/** Objects of one bucket. Every verb fails with `SurefootError` like a vendor's call. */
export interface Bucket {
  readonly prefix: string
  /** `s3://bucket/key` */
  uri(key: string): string
  put(key: string, text: string, mediaType: string, io: Io): Promise<void>
  /** Streams a file of the job; its length is known. */
  putFile(key: string, file: JobFile, io: Io): Promise<void>
  /** A small object's text; null when there is none. */
  text(key: string, io: Io): Promise<string | null>
  has(key: string, io: Io): Promise<boolean>
  /** Puts an object where there is none; false where there is one. */
  putOnce(key: string, text: string, io: Io): Promise<boolean>
  /** A link that anybody may GET for so long. */
  getLink(key: string, forMs: number, io: Io): Promise<string>
  /** A link that anybody may PUT to; `once`: with `If-None-Match: *`, which the link demands, and never over another. */
  putLink(key: string, forMs: number, io: Io, more?: { readonly once: boolean }): Promise<string>
  remove(key: string, io: Io): Promise<void>
  /** Whether something keeps the bucket from being opened to the public. */
  blocksPublic(io: Io): Promise<Look<boolean>>
  /** Whether a rule deletes what is old. */
  expires(io: Io): Promise<Look<boolean>>
}

type Command =
  | S3.PutObjectCommand
  | S3.GetObjectCommand
  | S3.DeleteObjectCommand
  | S3.GetPublicAccessBlockCommand
  | S3.GetBucketLifecycleConfigurationCommand

export function createBucket({ bucket, prefix }: Required<AwsBucket>, signer: Signer): Bucket {
  const api = createAwsApi('Amazon S3')
  const load = ({ signal }: Io) => loadSdk('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'), signal)
  const at = (key: string) => ({ Bucket: bucket, Key: key })

  async function signed(make: (sdk: typeof S3) => Command, io: Io): Promise<Call> {
    const sdk = await load(io)
    return signer.sign(config => {
      const client = new sdk.S3Client(config)
      return { client, send: () => client.send(make(sdk) as S3.GetObjectCommand) }
    }, io.signal)
  }

  async function link(make: (sdk: typeof S3) => Command, forMs: number, io: Io, kept: string[] = []): Promise<string> {
    const sdk = await load(io)
    const { getSignedUrl } = await loadSdk(
      '@aws-sdk/s3-request-presigner',
      () => import('@aws-sdk/s3-request-presigner'),
      io.signal,
    )
    const expiresIn = Math.ceil(Math.min(Math.max(forMs, 1000), longestLinkMs) / 1000)
    const client = signer.client(config => new sdk.S3Client(config))
    const options = { expiresIn, unhoistableHeaders: new Set(kept), signableHeaders: new Set(['host', ...kept]) }
    return await untilAborted(getSignedUrl(client, make(sdk) as S3.GetObjectCommand, options), io.signal)
  }

  /** A setting of the bucket's, as XML; null where nothing was set. */
  async function setting(make: (sdk: typeof S3) => Command, io: Io): Promise<Look<string>> {
    const answer = await api.ask(await signed(make, io), io)
    if (isSuccess(answer)) return { kind: 'told', value: answer.text }
    if (errorNameOf(answer) === 'AccessDenied') return { kind: 'denied' }
    return answer.status === 404 ? { kind: 'missing' } : refuseAnswer(api, answer)
  }

  return {
    prefix,
    uri: key => `s3://${bucket}/${key}`,
    async put(key, text, mediaType, io) {
      const make = (sdk: typeof S3) => new sdk.PutObjectCommand({ ...at(key), Body: text, ContentType: mediaType })
      await expectSuccess(api, await signed(make, io), io)
    },
    async putFile(key, file, io) {
      const path = await link(sdk => new sdk.PutObjectCommand(at(key)), 60 * 60_000, io)
      const headers = { 'content-type': file.mediaType, 'content-length': String(file.bytes) }
      await expectSuccess(api, { method: 'PUT', path, headers, body: await file.open() }, io)
    },
    async text(key, io) {
      const answer = await api.ask(await signed(sdk => new sdk.GetObjectCommand(at(key)), io), io)
      if (isMissing(answer)) return null
      return isObject(answer) ? answer.text : refuseAnswer(api, answer)
    },
    async has(key, io) {
      // One byte of it rather than a HEAD, whose refusals have no words. An empty object has no first byte: 416.
      const make = (sdk: typeof S3) => new sdk.GetObjectCommand({ ...at(key), Range: 'bytes=0-0' })
      const answer = await api.ask(await signed(make, io), io)
      if (isMissing(answer)) return false
      return answer.status === 416 || isObject(answer) || refuseAnswer(api, answer)
    },
    async putOnce(key, text, io) {
      const make = (sdk: typeof S3) => new sdk.PutObjectCommand({ ...at(key), Body: text, IfNoneMatch: '*' })
      const answer = await api.ask(await signed(make, io), io)
      if (answer.status === 412) return false
      return isSuccess(answer) || refuseAnswer(api, answer)
    },
    getLink: (key, forMs, io) => link(sdk => new sdk.GetObjectCommand(at(key)), forMs, io),
    putLink: (key, forMs, io, { once } = { once: false }) =>
      once
        ? link(sdk => new sdk.PutObjectCommand({ ...at(key), IfNoneMatch: '*' }), forMs, io, ['if-none-match'])
        : link(sdk => new sdk.PutObjectCommand(at(key)), forMs, io),
    async remove(key, io) {
      await expectSuccess(api, await signed(sdk => new sdk.DeleteObjectCommand(at(key)), io), io)
    },
    async blocksPublic(io) {
      const told = await setting(sdk => new sdk.GetPublicAccessBlockCommand({ Bucket: bucket }), io)
      return told.kind === 'told' ? { kind: 'told', value: !/>\s*false\s*</.test(told.value) } : told
    },
    async expires(io) {
      const make = (sdk: typeof S3) => new sdk.GetBucketLifecycleConfigurationCommand({ Bucket: bucket })
      const told = await setting(make, io)
      const isOn = (text: string) => /<Expiration>/.test(text) && /<Status>Enabled</.test(text)
      return told.kind === 'told' ? { kind: 'told', value: isOn(told.value) } : told
    },
  }
}

/** Every object has an ETag; a page or an error of something in between has none. */
function isObject(answer: Answer): boolean {
  return isSuccess(answer) && answer.headers.has('etag')
}

async function expectSuccess(api: VendorApi, call: Call, io: Io): Promise<void> {
  const answer = await api.ask(call, io)
  if (!isSuccess(answer)) refuseAnswer(api, answer)
}

function refuseAnswer(api: VendorApi, answer: Answer): never {
  const failure = api.failureOf(answer)
  if (answer.status !== 403) throw new SurefootError(failure)
  // Without the right to list, an object that is not there yet is answered with 403.
  const rights = 's3:PutObject, s3:GetObject and, so that a missing object is a 404, s3:ListBucket'
  throw new SurefootError({ ...failure, advice: `Allow the credentials ${rights} on the bucket.` })
}
