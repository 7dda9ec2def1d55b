import { z } from '@hono/zod-openapi'
import { readBytes } from './body.ts'
import type { App, AppDependencies } from './context.ts'
import { addRoute, json } from './route.ts'
import { ownerSecretOf, toWebhookKey } from './webhooks-out.ts'

/** A webhook carries a whole prediction with its logs and input, so more than the usual 100 kB. */
const webhookLimit = 5_000_000

/** Webhooks in (what providers tell us, answered after the commit), and the key by which callers check ours. */
export function addWebhooks(app: App, { engine, store }: AppDependencies): void {
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/webhooks/{provider}/{attempt}/{secret}',
      summary: "Take a provider's webhook",
      params: z.object({ provider: z.string(), attempt: z.string(), secret: z.string() }),
      // 200 and nothing else: RunPod's documents promise to stop only on that one.
      responses: { 200: { description: 'Heard and stored.', content: json(z.object({ heard: z.literal(true) })) } },
    },
    async (c, { params: { provider, attempt, secret } }) => {
      const body = () => readBytes(c, webhookLimit)
      await engine.hear(provider, attempt, secret, { headers: c.req.raw.headers, body })
      return c.json({ heard: true as const })
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/webhooks/default/secret',
      summary: 'The key that signs webhooks to callers',
      responses: { 200: { description: 'The key.', content: json(z.object({ key: z.string() })) } },
    },
    async c => c.json({ key: toWebhookKey(ownerSecretOf(await store.secret('webhooks'), c.get('caller').owner)) }),
  )
}
