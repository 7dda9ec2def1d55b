import { setTimeout as pause } from 'node:timers/promises'
import { createReplicate } from '@ai-sdk/replicate'
import { createFalClient } from '@fal-ai/client'
import { generateImage } from 'ai'
import Replicate from 'replicate'
import { type Contender, download, type Job, model, toDataUri } from './contender.ts'
import { createFalQueue } from './fal-queue.ts'

/** Each client as its README shows it, with all its defaults; none of them cancels, waits or retries by our hand. */
export const clients: readonly Contender[] = [
  contender('replicate', async ({ photo, baseUrl }) => {
    const replicate = new Replicate({ auth: 'any', baseUrl })
    return await download(await replicate.run(model, { input: { image: toDataUri(photo) } }))
  }),
  contender('AI SDK', async ({ photo, baseUrl }) => {
    const replicate = createReplicate({ apiToken: 'any', baseURL: baseUrl })
    const prompt = { text: 'a relief', images: [photo] }
    const { image } = await generateImage({ model: replicate.image(model), prompt })
    return image.uint8Array
  }),
  {
    ...contender('fal', async ({ photo, baseUrl }) => {
      const fal = createFalClient({ credentials: 'any', fetch: createFalQueue(baseUrl) })
      const result: { data: unknown } = await fal.subscribe(model, { input: { image: toDataUri(photo) } })
      const { data } = result
      return await download(typeof data === 'object' && data !== null && 'output' in data ? data.output : data)
    }),
    // Its queue has three status words, and says nothing of how it words what Replicate words so.
    takes: fault => !/^(aborted|weird-status|boot-timeout|data-removed)/.test(fault),
  },
  contender('poll loop', pollLoop),
]

function contender(name: string, work: (job: Job) => Promise<unknown>): Contender {
  return { name, begin: async job => ({ ending: work(job) }) }
}

interface Prediction {
  readonly id: string
  readonly status: string
  readonly output: unknown
  readonly error: unknown
  readonly detail?: string
}

/** As the vendor's guides have it: create, then ask once a second until the status is one of the two that were expected. */
async function pollLoop({ photo, baseUrl }: Job): Promise<unknown> {
  const headers = { authorization: 'Bearer any', 'content-type': 'application/json' }
  const body = JSON.stringify({ input: { image: toDataUri(photo) } })
  let response = await fetch(`${baseUrl}/models/${model}/predictions`, { method: 'POST', headers, body })
  let prediction = (await response.json()) as Prediction
  if (response.status !== 201) throw new Error(prediction.detail)
  while (prediction.status !== 'succeeded' && prediction.status !== 'failed') {
    await pause(1_000)
    response = await fetch(`${baseUrl}/predictions/${prediction.id}`, { headers })
    prediction = (await response.json()) as Prediction
    if (response.status !== 200) throw new Error(prediction.detail)
  }
  if (prediction.status === 'failed') throw new Error(String(prediction.error))
  return await download(prediction.output)
}
