import { z } from '@hono/zod-openapi'
import type { App, AppDependencies } from './context.ts'
import { cursorQuery, pageSize, parseCursor, toCursor, toPage } from './paging.ts'
import { findPrediction, readOwner } from './predictions.ts'
import { addRoute, json } from './route.ts'
import { pageSchema } from './schemas.ts'
import { toWebhookViews, webhookSchema } from './webhook-shapes.ts'

/** Webhooks to callers: how they fare, and sending once more what could not be delivered. */
export function addSentWebhooks(app: App, deps: AppDependencies): void {
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/webhooks',
      summary: 'How webhooks to callers fare: those of 100 predictions a page, newest first',
      query: z.object({
        cursor: cursorQuery,
        state: z.enum(['waiting', 'delivered', 'dead']).optional().openapi({
          description: 'Only these. Of a prediction with dead ones the others are not found by their state.',
        }),
        owner: z
          .string()
          .optional()
          .openapi({ description: "With the scope `admin`: another owner's, or `all`. Default: the caller's own." }),
      }),
      responses: { 200: { description: 'A page.', content: json(pageSchema(webhookSchema)) } },
    },
    async (c, { query: { cursor, state, owner } }) => {
      const rows = await deps.engine.list({
        owner: readOwner(c, owner),
        limit: pageSize + 1,
        webhook: state ?? 'any',
        ...(cursor === undefined ? {} : { before: parseCursor(cursor) }),
      })
      const { results, ...page } = toPage(rows, {
        view: stored => toWebhookViews(stored, state ?? null),
        next({ record }) {
          const url = new URL(`${c.get('origin')}/v1/webhooks`)
          if (state !== undefined) url.searchParams.set('state', state)
          if (owner !== undefined) url.searchParams.set('owner', owner)
          url.searchParams.set('cursor', toCursor(record))
          return url.href
        },
      })
      return c.json({ ...page, results: results.flat() })
    },
  )
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/predictions/{id}/webhooks/resend',
      summary: "Try a prediction's waiting webhook now, or send its dead ones again",
      params: z.object({ id: z.string() }),
      responses: {
        200: {
          description: 'All webhooks of the prediction.',
          content: json(z.object({ webhooks: z.array(webhookSchema) })),
        },
      },
    },
    async (c, { params: { id } }) => {
      const found = await findPrediction(deps, c, id)
      return c.json({ webhooks: toWebhookViews((await deps.engine.resend(id)) ?? found, null) })
    },
  )
}
