import { z } from '@hono/zod-openapi'
import type { App, AppDependencies } from './context.ts'
import { refuseHttp } from './errors.ts'
import { readDigest, readLength } from './headers.ts'
import { checkLink, secondsQuery } from './links.ts'
import { addRoute } from './route.ts'

/**
 * `PUT /v1/uploads/{attempt}/{name}`: where kits put their outputs. The first complete upload of a name wins; what comes
 * later is refused, so a run that was started twice cannot replace a verified file.
 */
export function addUploads(app: App, deps: AppDependencies): void {
  const { engine } = deps
  addRoute(
    app,
    {
      method: 'put',
      path: '/v1/uploads/{attempt}/{name}',
      summary: 'Upload an output of an attempt by a signed link',
      params: z.object({
        attempt: z.string().regex(/^[\w-]{1,100}$/, 'is not an attempt id'),
        name: z.string().regex(/^(?!\.)[\w.-]{1,100}$/, 'is not a plain file name'),
      }),
      query: z.object({ expires: secondsQuery, signature: z.string() }),
      headers: z.object({ 'x-content-sha256': z.string().optional(), 'content-digest': z.string().optional() }),
      body: { content: { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } } },
      responses: {
        201: { description: 'Stored.' },
        409: { description: 'Something is stored there already.' },
        410: { description: 'The attempt has ended without it.' },
      },
    },
    async (c, { params: { attempt, name }, query: { expires, signature } }) => {
      checkLink(deps, ['upload', attempt, name], { expiry: expires, signature })
      const bytes = readLength(c)
      const sha256 = readDigest(c)
      const result = await engine.upload(attempt, name, c.req.raw.body ?? empty(), {
        signal: c.req.raw.signal,
        ...(bytes === undefined ? {} : { bytes }),
        ...(sha256 === undefined ? {} : { sha256 }),
      })
      if (result.kind === 'unknown') return refuseHttp('not_found', 'There is no such attempt here.')
      if (result.kind === 'over')
        return refuseHttp('attempt_over', 'The attempt has ended; nobody needs its output any more.')
      if (result.kind === 'exists')
        return refuseHttp('already_uploaded', `${name} was uploaded for this attempt before.`)
      return c.json({ bytes: result.bytes, sha256: result.sha256 }, 201)
    },
  )
}

async function* empty(): AsyncGenerator<Uint8Array> {}
