import { accessOf } from './access.ts'
import type { App } from './context.ts'

/** `GET /openapi.json`: OpenAPI 3.1 of every route, made from the schemas that check their requests. */
export function addOpenApi(app: App): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description:
      'A token of `surefoot token create` with the scope that is named. Not needed on loopback while there is none.',
  })
  app.get('/openapi.json', async c => {
    await c.get('door').admit(c, accessOf('get', '/openapi.json'))
    return c.json(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Surefoot',
          version: '1',
          description: "Replicate's HTTP API, with one more key on predictions: `surefoot`.",
        },
        servers: [{ url: c.get('origin') }],
      }),
    )
  })
}
