import { writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test, vi } from 'vitest'
import { makeFolder, root, run, startGateway } from '../support/gateway.ts'
import { photo, vendorBinary } from './support.ts'

const script = join(root, 'test/vendors/replicate_client.py')
const photoPath = join(root, 'examples/photos/rocket.jpg')

/** Replicate's Python client, told nothing but another address, against a gateway that makes reliefs on this machine. */
async function setup(config: object = {}) {
  const cwd = makeFolder()
  writeFileSync(join(cwd, 'surefoot.config.mjs'), `export default ${JSON.stringify(config)}`)
  const { url } = await startGateway({ cwd })
  const python = vendorBinary('python')
  return async (verb: string, ...more: string[]) =>
    JSON.parse(await run(python, [script, verb, url, photoPath, ...more], { cwd })) as Record<string, unknown>
}

/** The file at an output's address begins as a splat does. */
async function expectSplat(output: unknown): Promise<void> {
  expect(await (await fetch(String(output))).text()).toMatch(/^ply\n/)
}

test('run() takes an open file and gives the output, blocking and polling', async () => {
  const say = await setup()
  const { urls } = await say('run')
  expect(urls).toHaveLength(2)
  for (const url of urls as string[]) await expectSplat(url)
})

test('predictions are created, reloaded with rising progress, listed and cancelled; an unknown one is 404', async () => {
  const say = await setup()
  const { output, ...rest } = await say('predictions')
  expect(rest).toEqual({ status: 'succeeded', rising: true, listed: true, canceled: 'canceled', missing: 404 })
  await expectSplat(output)
})

test('a model is shown, and runs by its version', async () => {
  const say = await setup()
  const { output, ...rest } = await say('by_version')
  expect(rest).toEqual({ name: 'surefoot/relief', status: 'succeeded', known: true })
  await expectSplat(output)
})

test('files are stored, shown, listed and deleted', async () => {
  const say = await setup()
  const size = photo.length
  expect(await say('files')).toEqual({ size, same: size, type: 'image/jpeg', listed: true, after: 404 })
})

test('stream() says at once that a model of files does not stream', async () => {
  const say = await setup()
  expect(await say('stream')).toEqual({ refused: 'Model does not support streaming' })
})

test('the asynchronous client runs and waits', async () => {
  const say = await setup()
  const { output, status } = await say('asynchronous')
  expect(status).toBe('succeeded')
  await expectSplat(output)
})

test("webhooks pass the client's own check, and changed ones do not", async () => {
  const received: { headers: IncomingHttpHeaders; body: string }[] = []
  const receiver = createServer((incoming, outgoing) => {
    void text(incoming).then(body => {
      received.push({ headers: incoming.headers, body })
      outgoing.end()
    })
  })
  await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    receiver.closeAllConnections()
    receiver.close()
  })
  const origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  const say = await setup({ webhookOrigins: [origin] })
  const { id } = await say('webhook', `${origin}/told`)
  const [told] = await vi.waitFor(() => {
    expect(received).toHaveLength(1)
    return received
  })
  const body = told?.body ?? ''
  expect(JSON.parse(body)).toMatchObject({ id, status: 'succeeded' })
  expect(await say('check', JSON.stringify(told?.headers), body)).toEqual({ valid: true, forged: 'refused', key: true })
})
