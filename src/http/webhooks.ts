import { z } from '@hono/zod-openapi'
import { readBytes } from './body.ts'
import type { App, AppDependencies } from './context.ts'
import { addRoute } from './route.ts'

/** A webhook carries a whole prediction with its logs and input, so more than the usual 100 kB. */
const webhookLimit = 5_000_000

/** `POST /v1/webhooks/{provider}/{attempt}/{secret}`: what providers tell us. Answered after the commit. */
export function addWebhooks(app: App, { engine }: AppDependencies): void {
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/webhooks/{provider}/{attempt}/{secret}',
      summary: "Take a provider's webhook",
      params: z.object({ provider: z.string(), attempt: z.string(), secret: z.string() }),
      responses: { 204: { description: 'Heard and stored.' } },
    },
    async (c, { params: { provider, attempt, secret } }) => {
      const body = await readBytes(c, webhookLimit)
      await engine.hear(provider, attempt, secret, { headers: c.req.raw.headers, body })
      return c.body(null, 204)
    },
  )
}
