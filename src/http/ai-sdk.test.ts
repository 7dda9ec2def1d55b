import { createReplicate } from '@ai-sdk/replicate'
import { generateImage } from 'ai'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createImageInput, defineModel } from '../models/index.ts'
import { setupGateway } from './test-gateway.ts'
import { png } from './test-support.ts'

/** A model that takes what the AI SDK sends. */
const painter = defineModel({
  name: 'acme/painter',
  description: 'Paints over a photo.',
  input: z.object({
    image: z.string(),
    prompt: z.string(),
    num_outputs: z.int().default(1),
    seed: z.int().optional(),
    aspect_ratio: z.string().optional(),
    guidance_scale: z.number().optional(),
  }),
  files: { image: createImageInput('image') },
  output: { name: 'painting.png', mediaType: 'image/png', maxBytes: 1_000 },
})

async function setup() {
  const gateway = await setupGateway({ model: painter })
  const provider = createReplicate({ apiToken: 'any', baseURL: `${gateway.url}/v1` })
  return { ...gateway, provider }
}

const prompt = { text: 'as an oil painting', images: [png] }

test.each<[string, string, object]>([
  ['by the name of a model, holding the request', 'acme/painter', {}],
  ['by a version', `acme/painter:${painter.version}`, { maxWaitTimeInSeconds: 5 }],
  ['with options of its own', 'acme/painter', { guidance_scale: 7.5, maxWaitTimeInSeconds: 5 }],
])('the AI SDK makes an image %s, with nothing changed but its base URL', async (_, id, options) => {
  const { provider, succeed } = await setup()
  succeed(png)
  const model = provider.image(id)
  const request = {
    model,
    prompt,
    seed: 7,
    aspectRatio: '1:1',
    providerOptions: { replicate: { ...options } },
  } as const
  const { image, warnings } = await generateImage(request)
  expect(Buffer.from(image.uint8Array)).toEqual(Buffer.from(png))
  expect(image.mediaType).toBe('image/png')
  expect(warnings).toEqual([])
})

test('the AI SDK polls on when the wait runs out first', async () => {
  const { url, succeed } = await setup()
  let polls = 0
  const provider = createReplicate({
    apiToken: 'any',
    baseURL: `${url}/v1`,
    async fetch(input, init) {
      if (String(input).startsWith(`${url}/v1/predictions/`) && ++polls === 3) succeed(png)
      return await fetch(input, init)
    },
  })
  const providerOptions = { replicate: { maxWaitTimeInSeconds: 1, pollIntervalMillis: 20 } }
  const { image } = await generateImage({ model: provider.image('acme/painter'), prompt, providerOptions })
  expect(Buffer.from(image.uint8Array)).toEqual(Buffer.from(png))
  expect(polls).toBeGreaterThan(3)
})

test('the AI SDK tells its caller our own words when a request is refused or a prediction is cancelled', async () => {
  const { provider, replicate } = await setup()
  const refused = generateImage({ model: provider.image('acme/other'), prompt, maxRetries: 0 })
  await expect(refused).rejects.toThrow('There is no model acme/other here.')
  const making = generateImage({ model: provider.image('acme/painter'), prompt, maxRetries: 0 })
  const outcome = expect(making).rejects.toThrow('canceled')
  await expect.poll(async () => (await replicate.predictions.list()).results.length).toBe(1)
  const [prediction] = (await replicate.predictions.list()).results
  await replicate.predictions.cancel(prediction?.id ?? '')
  await outcome
})
