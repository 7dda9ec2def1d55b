import { expect, test, vi } from 'vitest'
import type { CogMode } from '../../src/providers/cog/options.ts'
import {
  assembleKit,
  create,
  freePort,
  look,
  predictSplat,
  settled,
  startVendor,
  startVendorGateway,
} from './support.ts'

interface Setup {
  readonly mode?: CogMode
  readonly model?: string
  readonly attempts?: number
}

/** `kits/cog` under Cog's own server, as its image runs it, and a gateway in front. */
async function setup({ mode = 'webhook', model = 'dummy', attempts = 3 }: Setup = {}) {
  const cwd = await assembleKit('cog', model)
  const [port, gatewayPort] = [await freePort(), await freePort()]
  const server = startVendor('python', ['-m', 'cog.server.http', '--host', '127.0.0.1'], {
    cwd,
    model,
    trusts: [`http://127.0.0.1:${gatewayPort}`],
    env: { PORT: String(port), COG_PREDICT_TYPE_STUB: 'run.py:Runner' },
  })
  const baseUrl = `http://127.0.0.1:${port}`
  await vi.waitFor(
    async () => {
      expect(server.child.exitCode).toBe(null)
      const told = (await (await fetch(`${baseUrl}/health-check`)).json()) as { status: string }
      expect(told.status).toBe('READY')
    },
    { timeout: 60_000, interval: 200 },
  )
  const gateway = await startVendorGateway({
    imports: 'cog',
    provider: `cog({ baseUrl: '${baseUrl}', mode: '${mode}' })`,
    target: '{ kit: true }',
    policy: { attempts },
    port: gatewayPort,
  })
  return { ...gateway, baseUrl, server }
}

test('a photo becomes a verified splat, uploaded by the kit, whose end a webhook tells', async () => {
  const { url } = await setup()
  await predictSplat(url)
})

test('the same without webhooks, on a held request', async () => {
  const { url } = await setup({ mode: 'held' })
  await predictSplat(url)
})

test.each([
  ['refuses', 'input_invalid', /There is no scene in the photo/],
  ['breaks', 'model_error', /ZeroDivisionError: division by zero/],
])('a model that %s fails with %s, in its own words', async (model, code, words) => {
  const { url } = await setup({ model: `trial_model:${model}` })
  const { prediction } = await settled(url, (await create(url)).id)
  expect(prediction.status).toBe('failed')
  expect(prediction.surefoot.failure).toMatchObject({ code, message: expect.stringMatching(words) })
})

test('a worker that dies is a lost worker, not a broken model', async () => {
  const { url } = await setup({ model: 'trial_model:vanishes', attempts: 1 })
  const { prediction } = await settled(url, (await create(url)).id)
  expect([prediction.status, prediction.surefoot.failure?.code]).toEqual(['failed', 'worker_lost'])
})

test('progress is seen while it works, and a cancel ends the run at the server', async () => {
  const { url, baseUrl } = await setup({ model: 'trial_model:waits' })
  const { id } = await create(url)
  await vi.waitFor(
    async () => {
      const { surefoot } = await look(url, id)
      expect(surefoot.progress).toMatchObject({ stage: 'predict' })
      expect(surefoot.progress?.fraction).toBeGreaterThan(0.3)
    },
    { timeout: 30_000, interval: 100 },
  )
  await fetch(`${url}/v1/predictions/${id}/cancel`, { method: 'POST' })
  const { prediction, attempts } = await settled(url, id)
  expect(prediction.status).toBe('canceled')
  expect(attempts.map(({ state }) => state)).toEqual(['canceled'])
  // One run at a time: the next one works only if the first is gone.
  await vi.waitFor(async () => {
    const told = (await (await fetch(`${baseUrl}/health-check`)).json()) as { status: string }
    expect(told.status).toBe('READY')
  })
})
