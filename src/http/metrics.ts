import { z } from '@hono/zod-openapi'
import type { App, AppDependencies } from './context.ts'
import { chooseExposition } from './exposition.ts'
import { metrics } from './metric-list.ts'
import { createProcessFigures } from './process-figures.ts'
import type { RequestTally } from './request-tally.ts'
import { addRoute } from './route.ts'

const text = { schema: z.string() }

/** `GET /metrics`: what Prometheus scrapes; docs/operating.md lists it. */
export function addMetrics(
  app: App,
  { engine }: Pick<AppDependencies, 'engine'>,
  counts: { readonly requests: RequestTally; openStreams(): number },
): void {
  const readProcess = createProcessFigures()
  addRoute(
    app,
    {
      method: 'get',
      path: '/metrics',
      summary: 'Metrics for Prometheus',
      headers: z.object({
        accept: z.string().optional().openapi({ description: 'OpenMetrics where it is asked for.' }),
      }),
      responses: {
        200: {
          description: "OpenMetrics 1.0, or Prometheus' text format 0.0.4.",
          content: { 'text/plain': text, 'application/openmetrics-text': text },
        },
      },
    },
    async c => {
      const figures = {
        engine: await engine.figures(),
        requests: counts.requests,
        openStreams: counts.openStreams(),
        process: readProcess(),
      }
      const { mediaType, write } = chooseExposition(c.req.header('accept'))
      const families = metrics.map(({ read, ...metric }) => ({ ...metric, samples: read(figures) }))
      return c.body(write(families), 200, { 'content-type': mediaType })
    },
  )
}
