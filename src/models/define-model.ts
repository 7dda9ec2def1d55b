import { createHash } from 'node:crypto'
import { z } from 'zod'
import { refuse } from '../core/failure.ts'
import { wordsOfIssue } from '../core/issue-words.ts'
import type { JsonObject } from '../core/json.ts'
import type { StatedTimes } from '../core/recommend.ts'
import type { FileField, Model, ReadableFile, Verdict } from './contract.ts'
import { verifyBytes } from './verify-bytes.ts'

/** What a model's author states; see `defineModel`. */
export interface ModelDefinition {
  /** `owner/name`: lower-case letters, digits, `.`, `_`, `-`. */
  readonly name: string
  /** One or two sentences for people who choose a model. */
  readonly description: string
  /** Shown wherever results are shown; default null. */
  readonly notice?: string | null
  /** What a run takes, for estimates; see `Model`. No part of the version. */
  readonly stated?: StatedTimes
  /** Change it when the same input means other work than before; part of the version. Default `1`. */
  readonly recipe?: string
  /** Every field, file fields (as strings) included. Rules across fields are not kept: state them per field. */
  readonly input: z.ZodObject
  /** Which of the fields are files, and what these must be; default none. */
  readonly files?: { readonly [field: string]: FileField }
  readonly output: Model['output']
  /** What can be made of the output; see `Model`. No part of the version. */
  readonly derives?: Model['derives']
  /** Reads the output once. Default: what can be said by its bytes and `output.mediaType` alone, see `verifyBytes`. */
  readonly verify?: (file: ReadableFile) => Promise<Verdict>
}

/**
 * Makes a model from what its author states. The input schema follows from `input`: Replicate's style, with a title
 * made from each field's name and its place as `x-order`. Throws `input_invalid` when the definition contradicts itself.
 *
 * @example
 * defineModel({
 *   name: 'acme/portrait',
 *   description: 'A splat of one face.',
 *   input: z.object({ image: z.string(), steps: z.int().min(1).max(50).default(20) }),
 *   files: { image: createImageInput('image') },
 *   output: { name: 'scene.ply', mediaType: 'application/octet-stream', maxBytes: 200_000_000 },
 * })
 */
export function defineModel(definition: ModelDefinition): Model {
  const { name, description, notice = null, recipe = '1', output } = definition
  // Without a prototype, so that an input field called `constructor` is no file to anybody who asks with `in`.
  const fileFields: Model['fileFields'] = Object.assign(Object.create(null), definition.files)
  const fields = Object.keys(definition.input.shape)
  if (!/^[a-z0-9][a-z0-9._-]*\/[a-z0-9][a-z0-9._-]*$/.test(name))
    refuse('input_invalid', `Model name "${name}" is not of the form owner/name in lower case.`)
  for (const field of Object.keys(fileFields))
    if (!fields.includes(field))
      refuse('input_invalid', `Model ${name}: file field "${field}" is missing from its input.`)

  const inputSchema = describeInput(definition.input, fileFields)
  const others = z.strictObject(
    Object.fromEntries(Object.entries(definition.input.shape).filter(([field]) => !(field in fileFields))),
  )
  return {
    name,
    description,
    notice,
    ...(definition.stated === undefined ? {} : { stated: definition.stated }),
    version: createHash('sha256')
      .update(JSON.stringify([name, inputSchema, recipe]))
      .digest('hex'),
    inputSchema,
    fileFields,
    parseInput(input) {
      const entries = Object.entries(input)
      const unknown = entries.find(([field]) => !fields.includes(field))
      if (unknown !== undefined)
        refuse('input_invalid', `Unknown input field "${unknown[0]}"; there are: ${fields.join(', ')}.`)
      const parsed = others.safeParse(Object.fromEntries(entries.filter(([field]) => !(field in fileFields))))
      if (!parsed.success) refuse('input_invalid', describeIssue(parsed.error.issues[0]))
      const files = entries.filter(([field]) => field in fileFields)
      return { ...Object.fromEntries(files), ...(parsed.data as JsonObject) }
    },
    output,
    ...(definition.derives === undefined ? {} : { derives: definition.derives }),
    verify: definition.verify ?? verifyBytes(output.mediaType),
  }
}

function describeInput(input: z.ZodObject, fileFields: { readonly [field: string]: FileField }): JsonObject {
  const schema = z.toJSONSchema(input, { io: 'input' })
  const properties = Object.entries(schema.properties ?? {}).map(([field, property], order) => [
    field,
    {
      title: field.replaceAll('_', ' ').replace(/\b[a-z]/g, letter => letter.toUpperCase()),
      ...(property as object),
      ...(field in fileFields ? { type: 'string', format: 'uri' } : {}),
      'x-order': order,
    },
  ])
  return {
    type: 'object',
    title: 'Input',
    required: schema.required ?? [],
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  }
}

function describeIssue(issue: z.core.$ZodIssue | undefined): string {
  return `Input field ${issue?.path.join('.')}: ${wordsOfIssue(issue)}.`
}
