import { z } from '@hono/zod-openapi'
import { refuse } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import { fileLimit, readJson } from './body.ts'
import type { CreateUploadBody, UploadJson } from './browser-upload-shapes.ts'
import type { App, AppDependencies } from './context.ts'
import { refuseHttp } from './errors.ts'
import { linkQuery, mediaTypeSchema, mostMetadata } from './files.ts'
import { readLength } from './headers.ts'
import { checkLink, createLinks } from './links.ts'
import { addRoute, json, parse } from './route.ts'
import { toTime } from './view.ts'

const bodySchema: z.ZodType<CreateUploadBody> = z
  .strictObject({
    filename: z.string().min(1).max(255),
    type: mediaTypeSchema,
    bytes: z.int().min(1).openapi({ description: 'Exact size; at most 100 MB, or less where the token allows less.' }),
    metadata: z
      .record(z.string(), z.unknown())
      .refine(
        value => JSON.stringify(value).length <= mostMetadata,
        `is longer than ${mostMetadata} characters as JSON`,
      )
      .optional(),
  })
  .openapi('CreateUpload')

const uploadSchema: z.ZodType<UploadJson> = z
  .object({
    id: z.string(),
    upload: z.object({ method: z.literal('PUT'), url: z.url(), headers: z.record(z.string(), z.string()) }),
    expires_at: z.iso.datetime(),
    urls: z.object({ get: z.url() }),
  })
  .openapi('Upload')

/** Uploads that pass no app's limits on requests: a place is asked for, and the bytes go there by a signed PUT. */
export function addBrowserUploads(app: App, deps: AppDependencies): void {
  const { engine } = deps

  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/files/uploads',
      summary: 'Get a signed address to which one file may be PUT',
      body: { content: json(bodySchema) },
      responses: { 201: { description: 'Where to put it.', content: json(uploadSchema) } },
    },
    async c => {
      const { filename: name, type: mediaType, bytes, metadata } = parse(bodySchema, await readJson(c), 'body')
      const { owner, limits } = c.get('caller')
      const place = await engine.addPlace({
        ...{ owner, limits, name, mediaType, bytes },
        // It came out of JSON.parse, so its values are JSON.
        metadata: (metadata ?? {}) as JsonObject,
        maxBytes: fileLimit,
      })
      const { origin, content } = createLinks(deps, c.get('origin'))
      const { id, until } = place
      const view: UploadJson = {
        id,
        upload: {
          method: 'PUT',
          url: place.url ?? content(id, until),
          headers: { 'content-type': place.mediaType },
        },
        expires_at: toTime(until),
        urls: { get: `${origin}/v1/files/${id}` },
      }
      return c.json(view, 201)
    },
  )
  addRoute(
    app,
    {
      method: 'put',
      path: '/v1/files/{id}/content',
      summary: "Upload a file's bytes by a signed link",
      params: z.object({ id: z.string() }),
      query: linkQuery,
      body: { content: { '*/*': { schema: z.string().openapi({ format: 'binary' }) } } },
      responses: {
        201: { description: 'Stored.' },
        409: { description: 'One is stored there already.' },
      },
    },
    async (c, { params: { id }, query: { expiry, signature } }) => {
      checkLink(deps, ['content', id], { expiry, signature })
      const bytes = readLength(c)
      const result = await engine.putFile(id, c.req.raw.body ?? refuse('input_invalid', 'There is no body.'), {
        mediaType: c.req.header('content-type') ?? '',
        signal: c.req.raw.signal,
        ...(bytes === undefined ? {} : { bytes }),
      })
      if (result === 'unknown') return refuseHttp('not_found', `There is no place for a file ${id} here any more.`)
      if (result === 'exists') return refuseHttp('already_uploaded', 'A file was uploaded there before, and stays.')
      return c.json({ id }, 201)
    },
  )
}
