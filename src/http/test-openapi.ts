import fc from 'fast-check'
import { fromJSONSchema, type z } from 'zod'
import { refuse } from '../core/failure.ts'
import type { Json, JsonObject } from '../core/json.ts'

/** A JSON Schema as the document has it. */
export interface DocumentSchema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly Json[]
  readonly const?: Json
  readonly anyOf?: readonly DocumentSchema[]
  readonly oneOf?: readonly DocumentSchema[]
  readonly properties?: Readonly<Record<string, DocumentSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | DocumentSchema
  readonly items?: DocumentSchema
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
}

type Content = Readonly<Record<string, { readonly schema?: DocumentSchema }>>

/** One operation of the document. */
export interface Operation {
  /** `GET /v1/models`. */
  readonly name: string
  readonly method: string
  readonly path: string
  readonly parameters: readonly {
    readonly name: string
    readonly in: 'path' | 'query' | 'header'
    readonly required?: boolean
    readonly schema: DocumentSchema
  }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}

export interface OpenApiDocument {
  readonly operations: readonly Operation[]
  readonly schemas: Readonly<Record<string, DocumentSchema>>
}

/** Reads what `GET /openapi.json` answers. */
export function readDocument(value: unknown): OpenApiDocument {
  const { paths, components } = value as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<Operation, 'name' | 'method' | 'path'>>>>>
    readonly components: { readonly schemas: OpenApiDocument['schemas'] }
  }
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => {
      const upper = method.toUpperCase()
      return { ...operation, parameters: operation.parameters ?? [], name: `${upper} ${path}`, method: upper, path }
    }),
  )
  return { operations, schemas: components.schemas }
}

/** A request that may be right or wrong. */
export interface GeneratedRequest {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Readonly<Record<string, string>> | null
  readonly contentType: string | null
}

/** Values by which requests of an operation succeed: parameters by name, and bodies. */
export interface Known {
  readonly parameters: Readonly<Record<string, readonly string[]>>
  readonly bodies?: readonly JsonObject[]
  /** A form whose files are photos. */
  readonly forms?: readonly Readonly<Record<string, string>>[]
}

/** Text that readers of paths, queries and headers have tripped over. */
const nasty = [
  '..',
  '.',
  '%',
  '%00',
  '\0',
  "'",
  '"',
  '<b>',
  '../../etc/passwd',
  '{{7*7}}',
  '-1',
  '1e309',
  'null',
  '🖼️',
] as const

/** Requests of an operation: as the document wants them, nearly so, and not at all. */
export function requestsOf(
  { path, parameters, requestBody }: Operation,
  known: Known,
  schemas: OpenApiDocument['schemas'],
) {
  const textFor = (name: string, schema: DocumentSchema) => {
    const right = known.parameters[name] ?? []
    const generated = arbitraryOf(schema, schemas).map(value =>
      typeof value === 'string' ? value : JSON.stringify(value),
    )
    const wrong = fc.oneof(fc.constantFrom(...nasty), fc.string({ maxLength: 300 }))
    return fc.oneof(
      ...(right.length === 0 ? [] : [{ arbitrary: fc.constantFrom(...right), weight: 12 }]),
      { arbitrary: generated, weight: 3 },
      { arbitrary: wrong, weight: 2 },
    )
  }
  const group = (where: 'path' | 'query' | 'header'): fc.Arbitrary<Readonly<Record<string, string>>> => {
    const chosen = parameters.filter(parameter => parameter.in === where)
    const values = Object.fromEntries(chosen.map(({ name, schema }) => [name, textFor(name, schema)]))
    const required = chosen.filter(({ required }) => required === true).map(({ name }) => name)
    const complete = fc.record(values, { requiredKeys: required }) as fc.Arbitrary<Readonly<Record<string, string>>>
    // Now and then without what is required.
    const lacking = complete.map(all => Object.fromEntries(Object.entries(all).slice(1)))
    return where === 'path' ? complete : fc.oneof({ arbitrary: complete, weight: 9 }, { arbitrary: lacking, weight: 1 })
  }
  const address = (values: Readonly<Record<string, string>>) =>
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent((values[name] ?? '').toWellFormed()) || '_')
  return fc
    .record({
      path: group('path').map(address),
      query: group('query'),
      headers: group('header').map(values => mapValues(values, toHeader)),
      sent: requestBody === undefined ? fc.constant(nothing) : bodiesOf(requestBody.content, known, schemas),
    })
    .map(({ sent, ...rest }): GeneratedRequest => ({ ...rest, ...sent }))
}

const nothing: Pick<GeneratedRequest, 'body' | 'contentType'> = { body: null, contentType: null }

function bodiesOf(content: Content, { bodies = [], forms = [] }: Known, schemas: OpenApiDocument['schemas']) {
  const arbitraries: fc.WeightedArbitrary<Pick<GeneratedRequest, 'body' | 'contentType'>>[] = [
    { arbitrary: fc.constant(nothing), weight: 1 },
  ]
  const asJson = (value: unknown) => ({ body: JSON.stringify(value), contentType: 'application/json' })
  const schema = content['application/json']?.schema
  if (schema !== undefined) {
    const right = bodies.length === 0 ? [] : [{ arbitrary: fc.constantFrom(...bodies).map(asJson), weight: 8 }]
    const known = bodies.length === 0 ? arbitraryOf(schema, schemas) : fc.constantFrom<Json>(...bodies)
    const nearly = fc.tuple(known, fc.string({ maxLength: 12 }), fc.jsonValue())
    arbitraries.push(
      ...right,
      { arbitrary: arbitraryOf(schema, schemas).map(asJson), weight: 4 },
      { arbitrary: nearly.map(([value, key, other]) => asJson(damaged(value, key, other))), weight: 6 },
      { arbitrary: fc.jsonValue().map(asJson), weight: 1 },
      { arbitrary: fc.string().map(body => ({ body, contentType: 'application/json' })), weight: 1 },
      { arbitrary: known.map(value => ({ body: JSON.stringify(value), contentType: 'text/plain' })), weight: 1 },
    )
  }
  if (content['multipart/form-data'] !== undefined) {
    const right = forms.length === 0 ? [] : [{ arbitrary: fc.constantFrom(...forms), weight: 4 }]
    const wild = { arbitrary: fc.dictionary(fc.string({ maxLength: 12 }), fc.string({ maxLength: 50 })), weight: 1 }
    arbitraries.push({
      arbitrary: fc.oneof(...right, wild).map(body => ({ body, contentType: 'multipart/form-data' })),
      weight: 6,
    })
  }
  if (content['application/octet-stream'] !== undefined)
    arbitraries.push({
      arbitrary: fc.string().map(body => ({ body, contentType: 'application/octet-stream' })),
      weight: 6,
    })
  return fc.oneof(...arbitraries)
}

/** One field of an object another value, or another field beside it. */
function damaged(value: Json, key: string, other: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return other
  const names = Object.keys(value)
  const field = names.length === 0 || key.length % 3 === 0 ? key : (names[key.length % names.length] ?? key)
  return { ...value, [field]: other }
}

/** Values that fit a schema, as far as schemas of this document go. */
function arbitraryOf(schema: DocumentSchema, schemas: OpenApiDocument['schemas']): fc.Arbitrary<Json> {
  const resolved = schema.$ref === undefined ? schema : (schemas[schema.$ref.split('/').at(-1) ?? ''] ?? schema)
  const choices = resolved.anyOf ?? resolved.oneOf
  if (choices !== undefined) return fc.oneof(...choices.map(choice => arbitraryOf(choice, schemas)))
  if (resolved.const !== undefined) return fc.constant(resolved.const)
  if (resolved.enum !== undefined) return fc.constantFrom(...resolved.enum)
  const types = typeof resolved.type === 'string' ? [resolved.type] : (resolved.type ?? ['anything'])
  return fc.oneof(...types.map(type => ofType(type, resolved, schemas)))
}

function ofType(type: string, schema: DocumentSchema, schemas: OpenApiDocument['schemas']): fc.Arbitrary<Json> {
  const { minimum = -1_000_000, maximum = 1_000_000, exclusiveMinimum } = schema
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.integer({ min: Math.max(minimum, (exclusiveMinimum ?? -2_000_000) + 1), max: maximum })
    case 'number':
      return fc.double({ min: Math.max(minimum, exclusiveMinimum ?? minimum), max: maximum, noNaN: true })
    case 'string':
      return stringOf(schema)
    case 'array':
      return fc.array(arbitraryOf(schema.items ?? {}, schemas), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, 4),
      })
    case 'object': {
      const { properties = {}, required = [] } = schema
      const fields = mapValues(properties, property => arbitraryOf(property, schemas))
      return fc.record(fields, { requiredKeys: Object.keys(properties).filter(name => required.includes(name)) })
    }
    default:
      return fc.jsonValue() as fc.Arbitrary<Json>
  }
}

function stringOf({ format, pattern, minLength = 0, maxLength = 40 }: DocumentSchema): fc.Arbitrary<string> {
  if (format === 'uri') return fc.webUrl()
  if (format === 'date-time')
    return fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map(date => date.toISOString())
  // What looks ahead only refuses; without it some of what is made is wrong, which is welcome.
  if (pattern !== undefined && format === undefined)
    return fc.stringMatching(new RegExp(pattern.replaceAll(/\(\?[=!][^()]*\)/g, '')))
  return fc.string({ minLength, maxLength: Math.max(minLength, maxLength) })
}

/** Only what a header can carry. */
function toHeader(value: string): string {
  return value.replaceAll(/[^\x20-\x7e]/g, '?').trim()
}

/**
 * Checks answers against the document: their status is one that it names (errors: any, in the one shape), their content type
 * is, and JSON fits its schema without any field that the schema does not name.
 */
export function createAnswerCheck({
  schemas,
}: OpenApiDocument): (operation: Operation, answer: Response) => Promise<void> {
  const validators = new Map<DocumentSchema, z.ZodType>()
  const $defs = mapValues(schemas, closed)

  function validatorOf(schema: DocumentSchema): z.ZodType {
    const known = validators.get(schema)
    if (known !== undefined) return known
    const made = fromJSONSchema({ ...closed(schema), $defs } as Parameters<typeof fromJSONSchema>[0])
    validators.set(schema, made)
    return made
  }

  return async (operation, answer) => {
    const fail = (what: string): never => refuse('internal', `${operation.name} answers ${answer.status}: ${what}`)
    if (answer.status === 500) fail(await answer.text())
    const named = operation.responses[String(answer.status)]
    const documented = named ?? operation.responses.default
    if (documented === undefined || (named === undefined && answer.status < 400))
      return fail('no such status is documented')
    const body = Buffer.from(await answer.arrayBuffer())
    const type = answer.headers.get('content-type')?.split(';')[0] ?? null
    if (documented.content === undefined) {
      if (body.length > 0) fail(`a body of ${type} is not documented`)
      return
    }
    const entry = documented.content[type ?? ''] ?? documented.content['*/*']
    if (type === null || entry === undefined) return fail(`the content type ${type} is not documented`)
    if (type !== 'application/json' || entry.schema === undefined) return
    const result = validatorOf(entry.schema).safeParse(JSON.parse(body.toString()))
    if (!result.success) fail(`${JSON.stringify(result.error.issues[0])} in ${body}`)
  }
}

/** The schema with every object closed, and its references where a schema alone can have them. */
function closed(schema: DocumentSchema): DocumentSchema {
  const text = JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/')
  return close(JSON.parse(text) as Json) as DocumentSchema
}

function close(value: Json): Json {
  if (Array.isArray(value)) return value.map(close)
  if (typeof value !== 'object' || value === null) return value
  const inner = mapValues(value as JsonObject, entry => close(entry as Json))
  return 'properties' in inner && !('additionalProperties' in inner) ? { ...inner, additionalProperties: false } : inner
}

function mapValues<T, U>(values: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]))
}
