import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { digest, sampleBody } from '../testing/describe-files.ts'
import { createS3Files, type S3FilesDependencies } from './s3.ts'
import { startS3 } from './test-s3.ts'

const roomy = { maxBytes: 1_000_000_000 }
const mebibyte = 1024 * 1024

async function setup(more: { conditional?: boolean; dependencies?: S3FilesDependencies } = {}) {
  const s3 = await startS3(more)
  onTestFinished(s3.close)
  return { s3, files: createS3Files(s3.options, more.dependencies) }
}

function chunkOf(index: number): Uint8Array {
  return new Uint8Array(mebibyte).fill(index)
}

async function* body(mebibytes: number) {
  for (let index = 0; index < mebibytes; index++) yield chunkOf(index)
}

function answer(response: ServerResponse, status: number, code: string, message = 'No.'): true {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`)
  return true
}

function isPart(request: IncomingMessage): boolean {
  return request.method === 'PUT' && request.url?.includes('partNumber') === true
}

test('a large file goes in parts, comes back whole, and leaves no parts behind', async () => {
  const { s3, files } = await setup({ conditional: true })
  const whole = Buffer.concat(Array.from({ length: 21 }, (_, index) => chunkOf(index)))
  expect(await files.put('large', body(21), roomy)).toEqual({
    kind: 'stored',
    bytes: whole.length,
    sha256: digest(whole),
  })
  const read = await files.open('large', { start: 8 * mebibyte - 1, end: 8 * mebibyte })
  expect(Buffer.from(await new Response(read?.body).arrayBuffer())).toEqual(Buffer.from([7, 8]))
  expect((await files.stat('large'))?.bytes).toBe(whole.length)
  expect(s3.requests.filter(line => line.includes('partNumber'))).toHaveLength(3)
  expect(await s3.pending()).toEqual([])
})

test.for([true, false])('of two large files at once one wins, whole (conditional: %s)', async conditional => {
  const { s3, files } = await setup({ conditional })
  const results = await Promise.all([files.put('key', body(9), roomy), files.put('key', body(10), roomy)])
  expect(results.map(({ kind }) => kind).sort()).toEqual(['exists', 'stored'])
  const winner = results[0]?.kind === 'stored' ? 9 : 10
  expect((await files.stat('key'))?.bytes).toBe(winner * mebibyte)
  expect(await s3.pending()).toEqual([])
})

test('of two processes that complete one key the store lets the first win', async () => {
  const { s3, files } = await setup({ conditional: true })
  const other = createS3Files(s3.options)
  // The other process completes in the moment between the look and the write.
  let isBetween = true
  s3.intercept = (request, response) => {
    if (request.method !== 'POST' || !request.url?.includes('uploadId') || !isBetween) return false
    isBetween = false
    void other.put('key', sampleBody('other'), roomy).then(() => s3.handle(request, response))
    return true
  }
  expect(await files.put('key', body(9), roomy)).toEqual({ kind: 'exists' })
  expect(await new Response((await files.open('key'))?.body).text()).toBe('other')
  expect(await s3.pending()).toEqual([])
})

test.for(['body fails', 'store fails'])('when the %s half way, no parts stay behind', async what => {
  const { s3, files } = await setup()
  if (what === 'store fails')
    s3.intercept = (request, response) =>
      isPart(request) && request.url?.includes('partNumber=2') === true && answer(response, 400, 'InvalidPart')
  async function* failing() {
    yield* body(17)
    if (what === 'body fails') throw new Error('connection cut')
  }
  await expect(files.put('key', failing(), roomy)).rejects.toThrow(
    what === 'body fails' ? 'connection cut' : /InvalidPart/,
  )
  expect(await s3.pending()).toEqual([])
  expect(await files.stat('key')).toBe(null)
})

test('an abort while a part is sent ends at once, and takes back what was sent', async () => {
  const { s3, files } = await setup()
  const controller = new AbortController()
  const reason = new Error('deadline')
  s3.intercept = request => {
    if (!isPart(request)) return false
    controller.abort(reason)
    return true
  }
  await expect(files.put('key', body(9), { ...roomy, signal: controller.signal })).rejects.toBe(reason)
  s3.intercept = () => false
  expect(await s3.pending()).toEqual([])
})

test('a store that says it knows no conditions is written without them from then on', async () => {
  const { s3, files } = await setup()
  let refused = 0
  s3.intercept = (request, response) => {
    if (request.headers['if-none-match'] === undefined) return false
    refused += 1
    request.resume()
    return answer(response, 501, 'NotImplemented')
  }
  for (const key of ['one', 'two'])
    expect(await files.put(key, sampleBody('x'), roomy)).toMatchObject({ kind: 'stored' })
  expect(refused).toBe(1)
})

test.for([
  { status: 403, code: 'AccessDenied', message: 'No.', failure: 'auth_rejected' },
  { status: 403, code: 'AccessDenied', message: 'Cannot upload files, storage cap exceeded.', failure: 'storage_full' },
  { status: 403, code: 'RequestTimeTooSkewed', message: 'No.', failure: 'auth_rejected' },
  { status: 404, code: 'NoSuchBucket', message: 'No.', failure: 'deployment_missing' },
  { status: 400, code: 'AuthorizationHeaderMalformed', message: 'No.', failure: 'deployment_missing' },
  { status: 507, code: 'XMinioStorageFull', message: 'No.', failure: 'storage_full' },
  { status: 418, code: 'Teapot', message: 'No.', failure: 'provider_unreachable' },
])('$status $code "$message" is $failure', async ({ status, code, message, failure }) => {
  const { s3, files } = await setup()
  s3.intercept = (request, response) => {
    if (request.method !== 'PUT') return false
    request.resume()
    return answer(response, status, code, message)
  }
  const error = await files.put('key', sampleBody('x'), roomy).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ failure: { code: failure, message: expect.stringContaining(`files: ${code}`) } })
})

const hasty: S3FilesDependencies = { limits: { connectMs: 200, requestMs: 200 } }

test('a store that never answers is given up, not waited for', async () => {
  const { s3, files } = await setup({ dependencies: hasty })
  s3.intercept = () => true
  await expect(files.stat('key')).rejects.toMatchObject({ failure: { code: 'provider_unreachable' } })
})

test('a body that stalls half way is given up, not waited for', async () => {
  const { s3, files } = await setup({ dependencies: hasty })
  s3.intercept = (request, response) => {
    if (request.method !== 'GET') return false
    response.writeHead(200, { 'content-length': '10', etag: '"x"' })
    response.write('half')
    return true
  }
  // In one: on a busy machine the answer's beginning may be too late already.
  const reading = files.open('key').then(opened => new Response(opened?.body).text())
  await expect(reading).rejects.toMatchObject({ failure: { code: 'provider_unreachable' } })
})

test('a place where nothing listens is unreachable', async () => {
  const { s3, files } = await setup({ dependencies: hasty })
  await s3.close()
  await expect(files.stat('key')).rejects.toMatchObject({ failure: { code: 'provider_unreachable' } })
})
