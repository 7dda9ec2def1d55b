import type { App } from './context.ts'

/** `GET /openapi.json`: OpenAPI 3.1 of every route, made from the schemas that check their requests. */
export function addOpenApi(app: App): void {
  app.get('/openapi.json', c =>
    c.json(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Surefoot',
          version: '1',
          description: "Replicate's HTTP API, with one more key on predictions: `surefoot`.",
        },
        servers: [{ url: c.get('origin') }],
      }),
    ),
  )
}
