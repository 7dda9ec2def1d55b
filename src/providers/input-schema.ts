import { z } from 'zod'
import type { Finding, Intent } from './contract.ts'
import { ok, problem, warning } from './finding.ts'

/** What a model says of its input; absent where it says nothing. */
export interface InputSchema {
  readonly properties: { readonly [field: string]: unknown }
  readonly required: readonly string[]
}

const openapiSchema = z.looseObject({
  components: z.looseObject({
    schemas: z.looseObject({
      Input: z.looseObject({
        properties: z.record(z.string(), z.unknown()),
        required: z.array(z.string()).default([]),
      }),
    }),
  }),
})

/** The input out of the OpenAPI document that Cog makes of a model; null where there is none to be read. */
export function inputSchemaOf(openapi: unknown): InputSchema | null {
  const schema = openapiSchema.safeParse(openapi).data?.components.schemas.Input ?? null
  return schema === null || Object.keys(schema.properties).length === 0 ? null : schema
}

/**
 * Whether what we send goes with the input that a model describes. A model without a description is not judged: nothing is
 * checked there either.
 */
export function judgeInput(
  code: string,
  vendor: string,
  schema: InputSchema | null,
  { fields }: Pick<Intent, 'fields'>,
  names: { readonly [field: string]: string } = {},
): Finding[] {
  if (schema === null) return []
  const sent = fields.map(field => names[field] ?? field)
  const missing = schema.required.filter(name => !sent.includes(name))
  const unknown = sent.filter(name => !Object.hasOwn(schema.properties, name))
  const map = "Map our names to the model's in the target, such as inputs: { image: 'photo' }."
  if (missing.length > 0)
    return [problem(code, `${vendor}: the model needs ${missing.join(', ')}; ours are ${sent.join(', ')}.`, map)]
  if (unknown.length > 0)
    return [warning(code, `${vendor}: the model knows no ${unknown.join(', ')}: it refuses or drops that.`, map)]
  return [ok(code, `${vendor}: the model takes what is sent: ${sent.join(', ')}.`)]
}

/**
 * Whether the target and the model agree that it is one of our kits; `key` is the input by which a kit is known. A model
 * without a description is not judged, and one that is no kit and not said to be one needs no word.
 */
export function judgeKit(
  code: string,
  vendor: string,
  schema: InputSchema | null,
  key: string,
  isSaid: boolean,
): Finding[] {
  if (schema === null) return []
  const isKit = Object.hasOwn(schema.properties, key)
  if (isKit && !isSaid)
    return [
      warning(
        code,
        `${vendor}: the model is one of Surefoot's kits, and the target does not say so: it gets no place to upload to.`,
        'Add kit: true to the target.',
      ),
    ]
  if (isSaid && !isKit)
    return [
      problem(
        code,
        `${vendor}: the target says kit: true, and the model has no input "${key}", so it is none of Surefoot's kits.`,
        'Deploy what "surefoot kit" writes, or take kit out of the target.',
      ),
    ]
  return isKit ? [ok(code, `${vendor}: the model is one of Surefoot's kits.`)] : []
}
