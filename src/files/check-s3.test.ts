import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { checkS3 } from './check-s3.ts'
import { startS3 } from './test-s3.ts'

async function setup(more: { conditional?: boolean } = { conditional: true }) {
  const s3 = await startS3(more)
  onTestFinished(s3.close)
  return {
    s3,
    check: async (options = {}, mayWrite = false, pages: readonly string[] = []) =>
      (await checkS3({ ...s3.options, ...options }, { fetch, mayWrite, marker: 'm1', pages })).map(
        ({ code, level, message }) => `${code} ${level}: ${message}`,
      ),
  }
}

function refuse(response: ServerResponse, status: number, code: string): true {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(`<Error><Code>${code}</Code><Message>No.</Message></Error>`)
  return true
}

test('a bucket that works is well, and is written only where that is allowed; nothing stays there', async () => {
  const { s3, check } = await setup()
  expect(await check()).toEqual([
    `bucket ok: The bucket files (${s3.endpoint}) answers and takes the credentials.`,
    `bucket-link ok: Links lead to ${s3.endpoint}, and are taken there.`,
    expect.stringMatching(/^bucket-write ok: Nothing was written/),
  ])
  expect(s3.requests.filter(line => /^(PUT|POST|DELETE)/.test(line))).toEqual([])
  expect((await check({}, true)).slice(2)).toEqual([
    'bucket-write ok: An object was uploaded by a link, copied, read and removed.',
    'bucket-conditions ok: It keeps the first of two writes of one key by itself.',
  ])
  const keys = (method: string) => s3.requests.flatMap(line => (line.startsWith(method) ? [line.split(/[ ?]/)[1]] : []))
  expect([...new Set(keys('PUT'))].filter(key => !keys('DELETE').includes(key))).toEqual([])
})

test('a store without conditional writes is told', async () => {
  const { check } = await setup({ conditional: false })
  expect((await check({}, true)).at(-1)).toMatch(/^bucket-conditions ok: It knows no conditional writes/)
})

test.each([
  ['wrong credentials', 403, 'InvalidAccessKeyId', /^bucket problem: The bucket files/],
  ['an overloaded store', 503, 'SlowDown', /^bucket problem: The bucket files/],
])('%s are a problem, and the only finding', async (_, status, code, says) => {
  const { s3, check } = await setup()
  s3.intercept = (_request, response) => refuse(response, status, code)
  const findings = await check()
  expect(findings).toEqual([expect.stringMatching(says)])
})

test('links that are not taken at the public address are a problem', async () => {
  const { s3, check } = await setup()
  s3.intercept = (request: IncomingMessage, response) =>
    request.method === 'GET' &&
    request.url?.includes('X-Amz-Signature') === true &&
    refuse(response, 403, 'SignatureDoesNotMatch')
  expect((await check())[1]).toMatch(/^bucket-link problem: .*403 instead of 404/)
})

test('uploads that are not taken are a problem', async () => {
  const { s3, check } = await setup()
  s3.intercept = (request, response) => {
    if (request.method !== 'PUT') return false
    request.resume()
    return refuse(response, 403, 'AccessDenied')
  }
  expect((await check({}, true)).at(-1)).toMatch(/^bucket-write problem: .*403 instead of 200/)
})

test('parts that nothing removes, and plain http, are warned of', async () => {
  const { s3, check } = await setup()
  s3.intercept = (request, response) =>
    request.url?.includes('lifecycle') === true && refuse(response, 404, 'NoSuchLifecycleConfiguration')
  const findings = await check({ publicEndpoint: 'http://s3.invalid' })
  expect(findings).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^bucket-parts warning: /),
      expect.stringMatching(/^bucket-address warning: http:\/\/s3\.invalid is plain http/),
    ]),
  )
})

test.each([
  ['by its origin', 'https://app.example', 'GET, PUT', 'Content-Type', 200, /^bucket-pages ok: Pages of https:\S+ may/],
  ['with stars', '*', 'PUT', '*', 200, /may upload/],
  ['another origin', 'https://other.example', 'PUT', '*', 200, /would not let pages/],
  ['only to read', '*', 'GET', '*', 200, /would not let pages/],
  ['without the type', '*', 'PUT', 'x-other', 200, /would not let pages/],
  ['nobody', '', '', '', 403, /would not let pages/],
])('a bucket that lets pages in %s is told as that', async (_, origin, methods, headers, status, says) => {
  const { s3, check } = await setup()
  const asked: unknown[] = []
  s3.intercept = (request, response) => {
    if (request.method !== 'OPTIONS') return false
    asked.push([request.headers.origin, request.headers['access-control-request-method']])
    response.writeHead(status, {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': methods,
      'access-control-allow-headers': headers,
    })
    response.end()
    return true
  }
  expect((await check({}, false, ['https://app.example']))[2]).toMatch(says)
  expect(asked).toEqual([['https://app.example', 'PUT']])
})
