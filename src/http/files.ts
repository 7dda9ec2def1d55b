import { z } from '@hono/zod-openapi'
import { refuse } from '../core/failure.ts'
import { toFileName } from '../core/file-name.ts'
import type { FileRow, ListQuery } from '../store/contract.ts'
import { fileLimit } from './body.ts'
import { mediaTypeOf, serveFile } from './bytes.ts'
import { type App, type AppDependencies, type Context, maySee } from './context.ts'
import { serveDerivative } from './derivatives.ts'
import { refuseHttp } from './errors.ts'
import { parseJson } from './json.ts'
import { checkLink, createLinks, secondsQuery } from './links.ts'
import { isMultipart, readMultipart } from './multipart.ts'
import { cursorQuery, pageSize, toPage } from './paging.ts'
import { addRoute, json, parse } from './route.ts'
import { convertingSchema, fileSchema, pageSchema } from './schemas.ts'
import { toFileView } from './view.ts'

/** Characters of a file's metadata as JSON: every list of files shows a hundred of them whole. */
export const mostMetadata = 16_384

const idParams = z.object({ id: z.string() })
/** The query of links that begin with a GET or PUT of a file; `expiry` in seconds since 1970. */
export const linkQuery: z.ZodObject<{ expiry: z.ZodType<number>; signature: z.ZodString }> = z.object({
  expiry: secondsQuery,
  signature: z.string(),
})
/** A media type without parameters. */
export const mediaTypeSchema: z.ZodString = z
  .string()
  .regex(/^[\w.+-]+\/[\w.+-]+$/, 'is not a media type')
  .max(100)
const fileFormSchema = z.object({
  filename: z.string().min(1).max(255).optional(),
  type: mediaTypeSchema.optional().openapi({ description: "The file's media type, where its part does not state it." }),
  metadata: z
    .string()
    .max(mostMetadata, `is longer than ${mostMetadata} characters`)
    .refine(isJsonObject, 'is not a JSON object')
    .optional(),
})
const bytes = { '*/*': { schema: z.string().openapi({ format: 'binary' }) } }
const bytesResponses = {
  200: { description: 'The bytes.', content: bytes },
  206: { description: 'The range that was asked for.', content: bytes },
  304: { description: 'The caller has them already.' },
}
const bytesHeaders = z.object({
  range: z.string().optional().openapi({ description: 'One range: `bytes=0-99`.' }),
  'if-none-match': z.string().optional().openapi({ description: 'The `ETag` of an earlier answer.' }),
})
const file = { description: 'The file.', content: json(fileSchema) }

/** Replicate's Files API, and the signed links under which bytes go out. */
export function addFiles(app: App, deps: AppDependencies): void {
  const { store, files, clock } = deps

  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/files',
      summary: 'Store a file for later use as an input',
      body: {
        content: {
          'multipart/form-data': {
            schema: fileFormSchema.extend({ content: z.string().openapi({ format: 'binary' }) }),
          },
        },
      },
      responses: { 201: file },
    },
    async c => c.json(toFileView(await addFile(deps, c), createLinks(deps, c.get('origin'))), 201),
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/files',
      summary: 'List files, newest first, 100 a page',
      query: z.object({ cursor: cursorQuery }),
      responses: { 200: { description: 'A page.', content: json(pageSchema(fileSchema)) } },
    },
    async (c, { query: { cursor } }) => {
      const links = createLinks(deps, c.get('origin'))
      const rows = await store.listFiles({
        owner: c.get('caller').owner,
        limit: pageSize + 1,
        ...(cursor === undefined ? {} : { after: cursor }),
      })
      return c.json(
        toPage(rows, {
          view: row => toFileView(row, links),
          next: ({ id }) => `${links.origin}/v1/files?cursor=${encodeURIComponent(id)}`,
        }),
      )
    },
  )
  addRoute(
    app,
    { method: 'get', path: '/v1/files/{id}', summary: 'Get a file', params: idParams, responses: { 200: file } },
    async (c, { params: { id } }) =>
      c.json(toFileView(await findFile(deps, c, id), createLinks(deps, c.get('origin')))),
  )
  addRoute(
    app,
    {
      method: 'delete',
      path: '/v1/files/{id}',
      summary: 'Delete a file',
      params: idParams,
      responses: { 204: { description: 'Deleted.' } },
    },
    async (c, { params: { id } }) => {
      const row = await findFile(deps, c, id)
      const user = await findUser(deps, row)
      if (user !== null) refuseHttp('file_in_use', `Prediction ${user} still needs this file; wait for its end.`)
      await deps.engine.removeFile(row.id)
      return c.body(null, 204)
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/files/{id}/download',
      summary: "Get a file's bytes by a signed link",
      params: idParams,
      query: linkQuery.extend({ owner: z.string() }),
      headers: bytesHeaders,
      responses: bytesResponses,
    },
    async (c, { params: { id }, query: { owner, expiry, signature } }) => {
      checkLink(deps, ['file', owner, id], { expiry, signature })
      const row = await store.getFile(id)
      if (row === null || row.owner !== owner) return missing(id)
      return serveFile(c, files, { ...row, expiry }, clock.now())
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/outputs/{prediction}/{name}',
      summary: "Get a prediction's verified output, or a file that is made of it, by a signed link",
      params: z.object({ prediction: z.string(), name: z.string() }),
      query: linkQuery,
      headers: bytesHeaders.extend({
        prefer: z.string().optional().openapi({
          description:
            '`respond-async`: 202 with the progress instead of waiting for a file that is made of the output.',
        }),
      }),
      responses: { ...bytesResponses, 202: { description: 'Being made.', content: json(convertingSchema) } },
    },
    async (c, { params: { prediction, name }, query: { expiry, signature } }) => {
      checkLink(deps, ['output', prediction, name], { expiry, signature })
      const record = (await store.get(prediction))?.record
      const output = record?.output
      if (record?.dataRemovedAt !== undefined)
        return refuseHttp('not_found', `It was kept until ${new Date(record.dataRemovedAt).toISOString()}.`)
      if (record === undefined || output == null) return refuseHttp('not_found', 'There is no such output.')
      if (output.name !== name) return await serveDerivative(c, deps, { record, name, expiry })
      return serveFile(c, files, { ...output, expiry }, clock.now())
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/inputs/{name}',
      summary: 'Get the stored file of an input by a signed link',
      params: z.object({ name: z.string() }),
      query: linkQuery.extend({ key: z.string() }),
      headers: bytesHeaders,
      responses: bytesResponses,
    },
    async (c, { params: { name }, query: { key, expiry, signature } }) => {
      checkLink(deps, ['input', key, name], { expiry, signature })
      const stat = await files.stat(key)
      if (stat === null) return refuseHttp('not_found', 'The file is no longer kept here.')
      const served = { key, name, bytes: stat.bytes, mediaType: mediaTypeOf(name), sha256: null, expiry }
      return serveFile(c, files, served, clock.now())
    },
  )
}

/** Stores the `content` part as it arrives; name and metadata may come after it, so the row is completed at the end. */
async function addFile(deps: AppDependencies, c: Context): Promise<FileRow> {
  if (!isMultipart(c)) {
    refuseHttp('unsupported_media_type', 'Send the file as multipart/form-data with a part named "content".')
  }
  let row: FileRow | undefined
  try {
    const parts = await readMultipart(c, {
      isFile: field => field === 'content',
      async onFile({ name, mediaType, body }) {
        if (row !== undefined) refuse('input_invalid', 'content: came twice.')
        const request = {
          owner: c.get('caller').owner,
          name,
          mediaType,
          metadata: {},
          body,
          limits: c.get('caller').limits,
          maxBytes: fileLimit,
          signal: c.req.raw.signal,
        }
        row = await deps.engine.addFile(request)
      },
    })
    if (row === undefined) return refuse('input_invalid', 'content: is missing.')
    const { filename, type, metadata } = parse(fileFormSchema, Object.fromEntries(parts), 'form')
    const completed = {
      ...row,
      name: filename === undefined ? row.name : toFileName(filename),
      mediaType: type ?? row.mediaType,
      metadata: metadata ?? row.metadata,
    }
    return await deps.store.putFile(completed)
  } catch (error) {
    if (row !== undefined) await deps.engine.removeFile(row.id)
    throw error
  }
}

/** A prediction that is not settled and has the file as its input; a next attempt of it would find nothing. */
async function findUser({ engine }: AppDependencies, row: FileRow): Promise<string | null> {
  let before: ListQuery['before']
  for (;;) {
    const query = { owner: row.owner, limit: pageSize, createdAfter: row.createdAt, ...(before && { before }) }
    const page = await engine.list(query)
    for (const { record } of page) {
      const uses = Object.values(record.files).some(({ key }) => key === row.key)
      if (uses && record.settledAt === null) return record.id
    }
    const last = page.at(-1)?.record
    if (last === undefined || page.length < pageSize) return null
    before = { createdAt: last.createdAt, id: last.id }
  }
}

async function findFile({ engine }: AppDependencies, c: Context, id: string): Promise<FileRow> {
  return (await engine.findFile(id, row => maySee(c, row))) ?? missing(id)
}

function missing(id: string): never {
  return refuseHttp('not_found', `There is no file ${id} here.`)
}

function isJsonObject(text: string): boolean {
  try {
    const value = parseJson(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
