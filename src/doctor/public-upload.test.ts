import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { tryUpload } from './public-upload.ts'

/** A real server on loopback, because what matters is that it answers before the body is there. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const gateway: RequestListener = (_request, response) => {
  response.writeHead(403, { 'content-type': 'application/json' })
  response.end('{"code":"link_forged"}')
}

/** A proxy in front of the gateway that takes bodies of up to a megabyte. */
const narrow: RequestListener = (request, response) => {
  if (Number(request.headers['content-length']) <= 1_000_000) return gateway(request, response)
  response.writeHead(413, { 'content-type': 'text/html' })
  response.end('<html>')
}

test('an upload that the gateway itself refuses would get through', async () => {
  const announced: (string | undefined)[] = []
  const url = await serve((request, response) => {
    announced.push(request.headers['content-length'])
    gateway(request, response)
  })
  expect(await tryUpload(url, 66_061_086, fetch)).toMatchObject({
    level: 'ok',
    message: `An upload of 66.1 MB is let through ${url}.`,
  })
  expect(announced).toEqual(['66061086'])
})

test('a proxy that takes less is a problem, with what to raise', async () => {
  const url = await serve(narrow)
  expect(await tryUpload(url, 66_061_086, fetch)).toMatchObject({
    level: 'problem',
    message: expect.stringContaining('refuses an upload of 66.1 MB (it answers 413)'),
    advice: expect.stringContaining('client_max_body_size'),
  })
  expect(await tryUpload(url, 900_000, fetch)).toMatchObject({ level: 'ok' })
})

test('somebody else who answers is a problem', async () => {
  const url = await serve((_request, response) => response.writeHead(502).end('<html>'))
  expect(await tryUpload(url, 1_000, fetch)).toMatchObject({
    level: 'problem',
    message: expect.stringContaining('502'),
  })
})

test('where nothing answers before the end of the body, only a probe tells', async () => {
  const silent: typeof globalThis.fetch = () => Promise.reject(new DOMException('timeout', 'TimeoutError'))
  expect(await tryUpload('https://us.test', 1_000, silent)).toMatchObject({
    level: 'ok',
    advice: expect.stringContaining('--probe'),
  })
})
