import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createRandom, createRunpodEmulator, serveEmulator } from '../../src/emulators/index.ts'
import { systemClock } from '../../src/engine/clock.ts'
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

/** `kits/runpod` in the vendor's own worker loop, our emulator as the queue between it and a gateway. */
async function setup(model: string = 'dummy') {
  const emulator = createRunpodEmulator({
    clock: systemClock,
    random: createRandom(1),
    apiKey: 'rpa_test',
    workers: 'outside',
    work: () => Promise.reject(new Error('real workers do the work')),
  })
  const served = await serveEmulator(emulator)
  onTestFinished(served.close)
  const endpoint = `${served.origin}/v2/kit`
  const cwd = await assembleKit('runpod', model)
  const port = await freePort()
  const worker = startVendor('python', [join(cwd, 'handler.py')], {
    cwd,
    model,
    trusts: [`http://127.0.0.1:${port}`],
    env: {
      RUNPOD_WEBHOOK_GET_JOB: `${endpoint}/job-take/$ID?gpu=none`,
      RUNPOD_WEBHOOK_POST_OUTPUT: `${endpoint}/job-done/$RUNPOD_POD_ID/$ID?gpu=none`,
      RUNPOD_WEBHOOK_POST_STREAM: `${endpoint}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none`,
      RUNPOD_WEBHOOK_PING: `${endpoint}/ping/$RUNPOD_POD_ID`,
      RUNPOD_POD_ID: 'worker1',
      RUNPOD_AI_API_KEY: 'rpa_test',
      // Else it looks for a GPU and the internet before its first job.
      RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: 'true',
      RUNPOD_SKIP_GPU_CHECK: 'true',
    },
  })
  const gateway = await startVendorGateway({
    imports: 'runpod',
    provider: `runpod({ apiKey: 'rpa_test', baseUrl: '${served.origin}/v2' })`,
    target: `{ endpoint: 'kit', kit: true, pricePerSecond: 0.0005 }`,
    port,
  })
  return { ...gateway, emulator, worker }
}

test('a photo becomes a verified splat, uploaded by the kit, and the run is billed once', async () => {
  const { url, emulator } = await setup()
  const { attempts } = await predictSplat(url)
  expect(attempts[0]).toMatchObject({ word: 'COMPLETED' })
  expect(emulator.state()).toMatchObject({ submits: 1, running: 0, ledger: [{ status: 'COMPLETED' }] })
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

test('progress is seen while it works; a cancel stops the job in the worker, which takes the next one', async () => {
  const { url, emulator } = await setup('trial_model:waits')
  const isSeen = async (id: string) => {
    await vi.waitFor(
      async () => {
        const { progress } = (await look(url, id)).surefoot
        expect(progress).toMatchObject({ stage: 'predict' })
        expect(progress?.fraction).toBeGreaterThan(0.3)
      },
      { timeout: 30_000, interval: 100 },
    )
  }
  const cancel = async (id: string) => {
    await fetch(`${url}/v1/predictions/${id}/cancel`, { method: 'POST' })
    const { prediction, attempts } = await settled(url, id)
    expect(prediction.status).toBe('canceled')
    expect(attempts.map(({ state }) => state)).toEqual(['canceled'])
  }
  const first = await create(url)
  await isSeen(first.id)
  await cancel(first.id)
  // One job at a time: it is taken only when the first has left the worker.
  const second = await create(url)
  await isSeen(second.id)
  await cancel(second.id)
  expect(emulator.state().ledger.map(({ status }) => status)).toEqual(['CANCELLED', 'CANCELLED'])
})
