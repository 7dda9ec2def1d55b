import { cpSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { makeFolder, run } from '../support/gateway.ts'
import {
  assembleKit,
  create,
  freePort,
  predictSplat,
  settled,
  startVendor,
  startVendorGateway,
  vendorBinary,
} from './support.ts'

/**
 * `kits/baseten` under Truss's own server, laid out as Truss's Dockerfile lays it out, from the build context that Truss itself
 * makes (an image needs Docker, which is not asked for); Baseten's edge, which names requests, is ours.
 */
async function setup(model: string = 'dummy') {
  const [context, app] = [makeFolder(), makeFolder()]
  const kit = await assembleKit('baseten', model)
  await run(vendorBinary('truss'), ['image', 'build-context', join(context, 'made'), kit], { cwd: context })
  const made = join(context, 'made')
  cpSync(join(made, 'server'), app, { recursive: true })
  cpSync(join(made, 'model'), join(app, 'model'), { recursive: true })
  cpSync(join(made, 'config.yaml'), join(app, 'config.yaml'))
  const [port, gatewayPort] = [await freePort(), await freePort()]
  const server = startVendor('python', [join(app, 'main.py')], {
    of: 'truss',
    cwd: app,
    model,
    trusts: [`http://127.0.0.1:${gatewayPort}`],
    env: { INFERENCE_SERVER_PORT: String(port), PYTHONPATH: join(made, 'packages') },
  })
  await vi.waitFor(
    async () => {
      expect(server.child.exitCode).toBe(null)
      expect((await fetch(`http://127.0.0.1:${port}/v1/models/model`)).status).toBe(200)
    },
    { timeout: 60_000, interval: 200 },
  )
  const baseUrl = await startEdge(port)
  const gateway = await startVendorGateway({
    imports: 'baseten',
    provider: `baseten({ apiKey: 'any', mode: 'held', baseUrl: '${baseUrl}' })`,
    target: `{ model: 'abcd1234', kit: true, pricePerSecond: 0.0005 }`,
    port: gatewayPort,
  })
  return { ...gateway, server }
}

/** Passes a model's `predict` on to the server, under a request id, as Baseten's edge does. */
async function startEdge(port: number): Promise<string> {
  const edge = createServer((incoming, outgoing) => {
    const isPredict = incoming.url === '/model-abcd1234/production/predict'
    if (!isPredict) return outgoing.writeHead(404).end('{}')
    const headers = { ...incoming.headers, 'x-baseten-request-id': 'request1' }
    const options = { port, host: '127.0.0.1', method: 'POST', path: '/v1/models/model:predict', headers }
    const passed = request(options, answer => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>(resolve => edge.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    edge.closeAllConnections()
    edge.close()
  })
  return `http://127.0.0.1:${(edge.address() as AddressInfo).port}`
}

test('a photo becomes a verified splat, uploaded by the kit', async () => {
  const { url } = await setup()
  await predictSplat(url)
})

test.each([
  ['refuses', 'input_invalid', /There is no scene in the photo/],
  ['breaks', 'model_error', /ZeroDivisionError: division by zero/],
])('a model that %s fails with %s, in its own words', async (model, code, words) => {
  const { url } = await setup(`trial_model:${model}`)
  const { prediction } = await settled(url, (await create(url)).id)
  expect(prediction.status).toBe('failed')
  expect(prediction.surefoot.failure).toMatchObject({ code, message: expect.stringMatching(words) })
})
