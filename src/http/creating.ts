import { isSureRefusal, refuse, SurefootError } from '../core/failure.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { Route } from '../engine/contract.ts'
import type { FileRow, StoredPrediction } from '../store/contract.ts'
import { fileLimit, readJson } from './body.ts'
import { type AppDependencies, type Context, isOwn } from './context.ts'
import { readCancelAfter, readIdempotencyKey } from './headers.ts'
import { parseJson } from './json.ts'
import { ownFileId } from './links.ts'
import { isMultipart, readMultipart } from './multipart.ts'
import { parse } from './route.ts'
import { createForModelSchema, createSchema } from './schemas.ts'
import type { CreateBody } from './shapes.ts'

/** Parts of a form that are not fields of the model's input. */
const ownParts = ['version', 'model', 'input', 'webhook', 'webhook_events_filter', 'surefoot']

/** What arrived, before the model has looked at it. */
interface Draft {
  readonly body: CreateBody
  /** Plain parts of a form: input fields as text. */
  readonly texts: ReadonlyMap<string, string>
  /** File parts of a form, stored already. */
  readonly files: ReadonlyMap<string, FileRow>
}

/**
 * Creates a prediction from a JSON or multipart request. `model` is the one that the path names, or null where the body
 * does; `deployment` is the one that the path names, or null. When it is refused, files that came with the form are removed
 * again.
 */
export async function createPrediction(
  deps: AppDependencies,
  c: Context,
  model: Route | null,
  deployment: string | null,
): Promise<StoredPrediction> {
  const cancelAfterMs = readCancelAfter(c)
  const idempotencyKey = readIdempotencyKey(c)
  const stored = new Map<string, FileRow>()
  let isAsked = false
  try {
    const draft = isMultipart(c)
      ? await readForm(deps, c, model, stored)
      : { body: parseBody(await readJson(c), model), texts: new Map(), files: stored }
    const route = model ?? findRoute(deps, draft.body)
    const { input, files } = await resolveInput(deps, c, route, draft)
    const { webhook, webhook_events_filter: filter, surefoot } = draft.body
    if (deployment !== null && surefoot?.deployments !== undefined)
      refuse('input_invalid', 'surefoot.deployments: the address names the deployment already.')
    const deployments = deployment === null ? surefoot?.deployments : [deployment]
    isAsked = true
    return await deps.engine.create({
      model: route.model.name,
      owner: c.get('caller').owner,
      limits: c.get('caller').limits,
      source: c.req.header('sec-fetch-site') === 'same-origin' ? 'web' : 'api',
      input,
      files,
      newFiles: [...stored.values()].map(({ id }) => id),
      cancelAfterMs,
      webhook:
        webhook === undefined
          ? null
          : { url: webhook, events: filter === undefined || filter.length === 0 ? ['output', 'completed'] : filter },
      ...(deployments === undefined ? {} : { deployments }),
      ...(idempotencyKey === null ? {} : { idempotencyKey }),
    })
  } catch (error) {
    // Else the prediction may be there all the same, and need its files.
    if (!isAsked || isSureRefusal(error)) await removeFiles(deps, stored.values())
    throw error
  }
}

/** What led here is what the caller must be told, so what cannot be removed is told to the log only. */
async function removeFiles(deps: AppDependencies, rows: Iterable<FileRow>): Promise<void> {
  for (const row of rows) {
    await deps.engine.removeFile(row.id).catch(error => {
      deps.log('error', 'a file of a refused request could not be removed', { file: row.id, error: String(error) })
    })
  }
}

/** The route of a model by `owner/name`, or undefined. */
export function routeOf({ engine }: Pick<AppDependencies, 'engine'>, name: string): Route | undefined {
  return [...engine.routes.values()].find(({ model }) => model.name === name)
}

/** The route of the model of that owner which has a deployment of this name (`model@provider`), or undefined. */
export function routeOfDeployment(
  { engine }: Pick<AppDependencies, 'engine'>,
  owner: string,
  name: string,
): Route | undefined {
  return [...engine.routes.values()].find(
    route =>
      route.model.name.startsWith(`${owner}/`) &&
      (route.pinnable ?? route).deployments.some(each => each.name === name),
  )
}

function parseBody(value: unknown, model: Route | null): CreateBody {
  return model === null ? parse(createSchema, value, 'body') : parse(createForModelSchema, value, 'body')
}

function findRoute(deps: AppDependencies, { version, model }: CreateBody): Route {
  if ((version === undefined) === (model === undefined)) {
    refuse('input_invalid', 'version: give it, as 64 hex digits, owner/name or owner/name:version.')
  }
  const [name, hex] = (version ?? model ?? '').includes('/')
    ? (version ?? model ?? '').split(':')
    : [undefined, version]
  const route = [...deps.engine.routes.values()].find(
    candidate =>
      (name === undefined || candidate.model.name === name) && (hex === undefined || candidate.model.version === hex),
  )
  if (route !== undefined) return route
  const names = [...deps.engine.routes.values()].map(candidate => candidate.model.name).join(', ')
  return refuse('input_invalid', `version: no model here has it; there are ${names}.`)
}

async function readForm(
  { engine }: AppDependencies,
  c: Context,
  model: Route | null,
  files: Map<string, FileRow>,
): Promise<Draft> {
  const texts = await readMultipart(c, {
    isFile: (field, fileName) => fileName !== undefined && !ownParts.includes(field),
    async onFile({ field, name, mediaType, body }) {
      if (files.has(field)) refuse('input_invalid', `${field}: came twice.`)
      const row = await engine.addFile({
        owner: c.get('caller').owner,
        limits: c.get('caller').limits,
        name,
        mediaType,
        metadata: {},
        body,
        maxBytes: fileLimit,
        signal: c.req.raw.signal,
      })
      files.set(field, row)
    },
  })
  const body: Record<string, unknown> = { input: parseJsonPart('input', texts.get('input') ?? '{}') }
  for (const part of ['webhook_events_filter', 'surefoot']) {
    const text = texts.get(part)
    if (text !== undefined) body[part] = parseJsonPart(part, text)
  }
  for (const part of ['version', 'model', 'webhook']) if (texts.has(part)) body[part] = texts.get(part)
  for (const part of ownParts) texts.delete(part)
  return { body: parseBody(body, model), texts, files }
}

function parseJsonPart(part: string, text: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    if (SurefootError.is(error)) throw error
    return refuse('input_invalid', `${part}: is not valid JSON.`)
  }
}

/** Puts the input together: JSON, plain form fields by their types, and files of ours by their rows. */
async function resolveInput(deps: AppDependencies, c: Context, { model }: Route, { body, texts, files }: Draft) {
  const resolved = new Map(files)
  for (const field of Object.keys(model.fileFields)) {
    const id = resolved.has(field) ? null : ownFileId(c, deps.allowedHosts, texts.get(field) ?? body.input[field])
    if (id === null) continue
    const row = await deps.engine.findFile(id, found => isOwn(c, found))
    if (row === null) refuse('input_invalid', `${field}: this file does not exist, or has expired.`)
    resolved.set(field, row)
  }
  for (const field of resolved.keys()) {
    if (!Object.hasOwn(model.fileFields, field)) {
      const names = Object.keys(model.fileFields).join(', ') || 'none'
      refuse('input_invalid', `${field}: is not a file field of ${model.name}; its file fields: ${names}.`)
    }
  }
  const plain = [...texts].flatMap(([field, text]) =>
    resolved.has(field) ? [] : [[field, fromText(model.inputSchema, field, text)] as const],
  )
  // The body came out of JSON.parse, so its values are JSON. Stored files are not named twice: the engine names them.
  const given = Object.entries(body.input as JsonObject).filter(([field]) => !resolved.has(field))
  return { input: Object.fromEntries([...given, ...plain]), files: Object.fromEntries(resolved) }
}

/** A form has only text; fields that the model's schema wants otherwise are read as JSON. */
export function fromText(schema: JsonObject, field: string, text: string): Json {
  const properties = schema.properties as { readonly [name: string]: JsonObject | undefined } | undefined
  if (properties?.[field]?.type === 'string') return text
  try {
    return parseJson(text) as Json
  } catch (error) {
    if (SurefootError.is(error)) throw error
    return text
  }
}
