import type { Finding } from '../providers/contract.ts'
import type { S3Options } from './contract.ts'
import { createS3Files } from './s3.ts'
import { createS3Access, usualLimits } from './s3-client.ts'
import { readFault, toS3Error } from './s3-failure.ts'

export interface CheckS3Options {
  readonly fetch: typeof globalThis.fetch
  /** Small objects may be written, and are removed again. */
  readonly mayWrite: boolean
  /** Unguessable; part of the keys that are tried. */
  readonly marker: string
  /** Origins of pages that may want to upload into the bucket. Default: none. */
  readonly pages?: readonly string[]
}

const linkMs = 60_000
const written = 'surefoot doctor'

/**
 * Whether the bucket is there and takes our credentials, whether links to it work from here, and, where writing is allowed,
 * whether all that the store does with it works. Lists and changes nothing else. Never throws.
 */
export async function checkS3(
  options: S3Options,
  { fetch, mayWrite, marker, pages = [] }: CheckS3Options,
): Promise<Finding[]> {
  const files = createS3Files(options)
  const key = `doctor/${marker}`
  const address = options.endpoint ?? `AWS, ${options.region}`
  const findings: Finding[] = []
  try {
    await files.stat(key)
    findings.push(ok('bucket', `The bucket ${options.bucket} (${address}) answers and takes the credentials.`))
    findings.push(await checkReading(files.outside.readUrl(key, Date.now() + linkMs, plain), fetch))
    const place = await files.outside.writeUrl(key, Date.now() + linkMs, { bytes: 1, mediaType: plain.mediaType })
    for (const page of pages) findings.push(await checkPage(place, page, fetch))
    findings.push(...(await checkParts(options)))
    findings.push(...(mayWrite ? await checkWriting(options, key, fetch) : [notWritten]))
  } catch (error) {
    const { message, advice } = toS3Error(error, options.bucket).failure
    findings.push(problem('bucket', message, advice))
  }
  return [...findings, ...checkAddress(options)]
}

const plain = { name: 'doctor.txt', mediaType: 'text/plain' }

const notWritten: Finding = ok(
  'bucket-write',
  'Nothing was written: --probe tries that, with small objects that are removed.',
)

/** By a link to what is not there: 404 means that the signature was taken. */
async function checkReading(link: Promise<string>, fetch: typeof globalThis.fetch): Promise<Finding> {
  const url = await link
  const { origin } = new URL(url)
  const status = await statusOf(fetch(url, { signal: AbortSignal.timeout(usualLimits.requestMs) }))
  if (status === 404) return ok('bucket-link', `Links lead to ${origin}, and are taken there.`)
  return problem(
    'bucket-link',
    `A link to ${origin} is answered with ${status ?? 'nothing'} instead of 404.`,
    "Correct `publicEndpoint` and `pathStyle` in files.s3, look at this machine's clock, and let the credentials list the bucket.",
  )
}

/** By the question that a browser asks before a page may PUT (Fetch standard, CORS protocol); nothing is written. */
async function checkPage(place: string, page: string, fetch: typeof globalThis.fetch): Promise<Finding> {
  const headers = {
    origin: page,
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'content-type',
  }
  const asked = fetch(place, { method: 'OPTIONS', headers, signal: AbortSignal.timeout(usualLimits.requestMs) })
  const answer = await asked.catch(() => null)
  await answer?.body?.cancel()
  const allows = (name: string, value: string) =>
    (answer?.headers.get(`access-control-allow-${name}`) ?? '')
      .split(',')
      .some(each => ['*', value].includes(each.trim().toLowerCase()))
  if (answer?.ok && allows('origin', page) && allows('methods', 'put') && allows('headers', 'content-type'))
    return ok('bucket-pages', `Pages of ${page} may upload into it.`)
  return ok(
    'bucket-pages',
    `Browsers would not let pages of ${page} upload into it: no CORS rule of the bucket allows them to PUT.`,
    'Where pages are to upload photos by themselves, give the bucket the CORS rule of docs/storage.md.',
  )
}

/** Parts of uploads that a process left when it died cost money and are seen nowhere. */
async function checkParts(options: S3Options): Promise<Finding[]> {
  const { sdk, client } = await createS3Access(options, usualLimits, options.endpoint)()
  const command = new sdk.GetBucketLifecycleConfigurationCommand({ Bucket: options.bucket })
  const told = await client.send(command).then(
    ({ Rules = [] }) => Rules.some(rule => rule.Status === 'Enabled' && rule.AbortIncompleteMultipartUpload),
    // Whoever may not read it, or does not have it, has said nothing.
    (error: unknown) => (readFault(error).name === 'NoSuchLifecycleConfiguration' ? false : null),
  )
  if (told !== false) return []
  const words = 'Nothing removes parts of uploads that a process left when it died.'
  return [warning('bucket-parts', words, 'Set a lifecycle rule that aborts incomplete multipart uploads after a day.')]
}

/** The whole way of a kit's output: PUT by a link, taken, read by a link, removed; and whether writes may be conditional. */
async function checkWriting(options: S3Options, key: string, fetch: typeof globalThis.fetch): Promise<Finding[]> {
  const files = createS3Files(options)
  const [upload, taken] = [`${key}/upload`, `${key}/taken`]
  const until = Date.now() + linkMs
  try {
    const put = { method: 'PUT', body: written, signal: AbortSignal.timeout(usualLimits.requestMs) }
    const status = await statusOf(fetch(await files.outside.writeUrl(upload, until), put))
    if (status !== 200)
      return [writeProblem(`An upload by a link is answered with ${status ?? 'nothing'} instead of 200.`)]
    const result = await files.outside.take(upload, taken, { maxBytes: 1_000 })
    const opened = await files.open(taken)
    const read = opened === null ? null : await new Response(opened.body).text()
    if (result !== 'taken' || read !== written)
      return [writeProblem('What was uploaded by a link does not come back as it was.')]
    return [
      ok('bucket-write', 'An object was uploaded by a link, copied, read and removed.'),
      await checkConditions(options, taken),
    ]
  } finally {
    await Promise.allSettled([files.remove(upload), files.remove(taken)])
  }
}

/** By trying to replace what is there. */
async function checkConditions(options: S3Options, key: string): Promise<Finding> {
  const { sdk, client, at } = await createS3Access(options, usualLimits, options.endpoint)()
  const refused = await client.send(new sdk.PutObjectCommand({ ...at(key), Body: written, IfNoneMatch: '*' })).then(
    () => false,
    (error: unknown) => readFault(error).status === 412,
  )
  if (refused) return ok('bucket-conditions', 'It keeps the first of two writes of one key by itself.')
  return ok(
    'bucket-conditions',
    'It knows no conditional writes: within one process the first of two writes of one key is kept all the same.',
    'With several processes two that end in the same moment can replace each other; both files would be whole.',
  )
}

function checkAddress({ endpoint, publicEndpoint }: S3Options): Finding[] {
  const plainText = [endpoint, publicEndpoint].find(url => url?.startsWith('http:') && !isHere(url))
  if (plainText === undefined) return []
  const words = `${plainText} is plain http: photos and outputs can be read on their way, and vendors' workers are given no such links.`
  return [warning('bucket-address', words, 'Use https.')]
}

function isHere(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}

async function statusOf(response: Promise<Response>): Promise<number | null> {
  try {
    const { status, body } = await response
    await body?.cancel()
    return status
  } catch {
    return null
  }
}

function ok(code: string, message: string, advice: string | null = null): Finding {
  return { code, level: 'ok', message, advice }
}

function warning(code: string, message: string, advice: string): Finding {
  return { code, level: 'warning', message, advice }
}

function problem(code: string, message: string, advice: string): Finding {
  return { code, level: 'problem', message, advice }
}

function writeProblem(message: string): Finding {
  const advice =
    'Let the credentials put, get and delete objects, and correct `publicEndpoint` and `pathStyle` in files.s3.'
  return problem('bucket-write', message, advice)
}
