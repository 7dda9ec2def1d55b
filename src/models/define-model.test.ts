import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { ReadableFile } from './contract.ts'
import { createImageInput } from './image-input.ts'
import { builtInModels, defineModel, type ModelDefinition, relief, sharp } from './index.ts'

function fileOf(bytes: Uint8Array): ReadableFile {
  return {
    bytes: bytes.length,
    open: async () => ({
      body: new Blob([bytes as Uint8Array<ArrayBuffer>]).stream(),
      bytes: bytes.length,
      total: bytes.length,
    }),
  }
}

const portrait: ModelDefinition = {
  name: 'acme/portrait',
  description: 'A splat of one face.',
  input: z.object({ image: z.string(), steps: z.int().min(1).max(50).default(20) }),
  files: { image: createImageInput('image') },
  output: { name: 'scene.ply', mediaType: 'application/octet-stream', maxBytes: 1000 },
}

describe('surefoot/relief', () => {
  test("shows its input in Replicate's style", () => {
    expect(relief.inputSchema).toEqual({
      type: 'object',
      title: 'Input',
      required: ['image'],
      additionalProperties: false,
      properties: {
        image: { type: 'string', title: 'Image', format: 'uri', description: expect.any(String), 'x-order': 0 },
        focal_length: {
          type: 'number',
          title: 'Focal Length',
          minimum: 1,
          maximum: 1000,
          description: expect.any(String),
          'x-order': 1,
        },
      },
    })
  })

  test('takes a focal length within its bounds, or none, and leaves the file field as it is', () => {
    expect(relief.parseInput({})).toEqual({})
    expect(relief.parseInput({ image: 'https://example.com/a.jpg', focal_length: 1000 })).toEqual({
      image: 'https://example.com/a.jpg',
      focal_length: 1000,
    })
  })

  test.for([
    { input: { focal_length: '35' }, message: /focal_length/ },
    { input: { focal_length: null }, message: /focal_length/ },
    { input: { focal_length: 0.9 }, message: /focal_length/ },
    { input: { focal_length: 1001 }, message: /focal_length/ },
    { input: { fov: 50 }, message: /"fov"; there are: image, focal_length/ },
    { input: { constructor: 1 }, message: /"constructor"/ },
    { input: JSON.parse('{ "__proto__": 1 }'), message: /"__proto__"/ },
  ])('refuses $input by name', ({ input, message }) => {
    expect(() => relief.parseInput(input)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(message),
        failure: expect.objectContaining({ code: 'input_invalid' }),
      }),
    )
  })

  test('fails a file that is no splat as output_invalid', async () => {
    expect(await relief.verify(fileOf(Buffer.from('no splat')))).toMatchObject({
      valid: false,
      failure: { code: 'output_invalid' },
    })
  })

  test('has the image as its one file field, also for who asks with `in`', () => {
    expect(Object.keys(relief.fileFields)).toEqual(['image'])
    expect('constructor' in relief.fileFields).toBe(false)
  })

  test('says that it is not SHARP', () => {
    expect(relief.notice).toContain('not SHARP')
  })
})

test('surefoot/sharp takes what relief takes and warns of its licence', () => {
  expect(sharp.inputSchema).toEqual(relief.inputSchema)
  expect(sharp.notice).toContain('research purposes only')
})

test('versions are 64 hex digits that tell models and recipes apart', () => {
  const versions = [relief, sharp, defineModel(portrait), defineModel({ ...portrait, recipe: '2' })].map(
    model => model.version,
  )
  for (const version of versions) expect(version).toMatch(/^[0-9a-f]{64}$/)
  expect(new Set(versions).size).toBe(versions.length)
  expect(defineModel(portrait).version).toBe(versions[2])
})

test('built-in models are found by their public name', () => {
  expect([...builtInModels.keys()]).toEqual(['surefoot/relief', 'surefoot/sharp'])
})

describe('a model of a user', () => {
  test('gets its defaults filled in, which are not required', () => {
    const model = defineModel(portrait)
    expect(model.parseInput({ image: 'x' })).toEqual({ image: 'x', steps: 20 })
    expect(model.inputSchema.required).toEqual(['image'])
  })

  test('accepts any output but an empty one until its author says more', async () => {
    const model = defineModel(portrait)
    expect(await model.verify(fileOf(Buffer.from('x')))).toEqual({ valid: true, facts: {} })
    expect(await model.verify(fileOf(Buffer.alloc(0)))).toMatchObject({ failure: { code: 'output_invalid' } })
  })

  test('is refused with a bare name, or with a file field that its input lacks', () => {
    expect(() => defineModel({ ...portrait, name: 'portrait' })).toThrow(/owner\/name/)
    expect(() => defineModel({ ...portrait, files: { mask: createImageInput('mask') } })).toThrow(/"mask"/)
  })
})
