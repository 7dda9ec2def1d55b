import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root, run } from '../support/gateway.ts'
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

/** The kit's folder with `modal_site.py` in it. */
async function assemble(model?: string): Promise<string> {
  const cwd = await assembleKit('modal', model)
  copyFileSync(join(root, 'test/vendors/modal_site.py'), join(cwd, 'modal_site.py'))
  return cwd
}

/** A gateway in front of the kit's web endpoint, which the modal package runs on this machine: Modal's cloud has no stand-in. */
async function setup(model: string = 'dummy') {
  const cwd = await assemble(model)
  const [port, gatewayPort] = [await freePort(), await freePort()]
  const trusts = [`http://127.0.0.1:${gatewayPort}`]
  const server = startVendor('python', ['modal_site.py', 'serve', String(port)], { cwd, model, trusts })
  await server.said(/running on http/)
  return await startVendorGateway({
    imports: 'modal',
    provider: `modal({ mode: 'web', baseUrl: 'http://127.0.0.1:${port}' })`,
    target: `{ url: 'http://127.0.0.1:${port}/', kit: true, pricePerSecond: 0.0005 }`,
    port: gatewayPort,
  })
}

test('the modal package makes of the app what its README says', async () => {
  const cwd = await assemble()
  const graph = JSON.parse(await run(vendorBinary('python'), ['modal_site.py', 'graph'], { cwd })) as object
  expect(graph).toMatchObject({
    app: 'surefoot-kit',
    functions: ['Kit.*'],
    classes: ['Kit'],
    web: ['Kit.web'],
    memory: 16 * 1024,
    volumes: { '/cache': expect.stringContaining('surefoot-kit-weights') },
  })
})

test('a photo becomes a verified splat, uploaded by the kit', async () => {
  const { url } = await setup()
  await predictSplat(url)
})

test('a model that refuses fails with its code, in its own words', async () => {
  const { url } = await setup('trial_model:refuses')
  const { prediction } = await settled(url, (await create(url)).id)
  expect(prediction.status).toBe('failed')
  expect(prediction.surefoot.failure).toMatchObject({
    code: 'input_invalid',
    message: expect.stringContaining('There is no scene in the photo'),
  })
})
