import { describe, expect, it } from 'vitest'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import { noLimits, type TokenLimits } from '../core/token.ts'
import type { Download, FileStore } from '../files/contract.ts'
import type { Model } from '../models/contract.ts'
import type { FileRow } from '../store/contract.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { textModel } from '../testing/text-model.ts'
import { addFile, checkInput } from './inputs.ts'

/** Takes a file that says `photo`, and perhaps a second one. */
const model: Model = {
  ...textModel,
  fileFields: {
    image: {
      required: true,
      maxBytes: 100,
      async check(file) {
        const words = await new Response((await file.open()).body).text()
        const found = { mediaType: 'image/test', facts: { length: words.length } }
        if (words === 'heic') return { ...found, convert: 'heic' }
        const secret = words.indexOf('[here]')
        if (secret >= 0)
          return { ...found, without: { patches: [{ at: secret, bytes: new Uint8Array(6).fill(46) }], bytes: 11 } }
        if (words !== 'photo') return refuse('input_invalid', `"${words}" is no photo.`, { status: 422 })
        return found
      },
    },
    mask: { required: false, maxBytes: 100, check: async () => ({ mediaType: 'image/mask', facts: {} }) },
  },
}
const dataUri = (words: string) => `data:image/jpeg;base64,${btoa(words)}`

function setup(
  options: {
    download?: Download
    files?: (files: FileStore) => Partial<FileStore>
    full?: boolean
    keepLocation?: boolean
  } = {},
) {
  const memory = createMemoryFiles()
  const rows = new Map<string, FileRow>()
  let ids = 0
  const dependencies = {
    files: { ...memory, ...options.files?.(memory) },
    download: options.download ?? (() => Promise.reject(new Error('nothing is downloaded here'))),
    newId: () => `f${++ids}`,
    now: () => 1_000,
    keepLocation: options.keepLocation ?? false,
    async *convertHeic(body: AsyncIterable<Uint8Array>) {
      for await (const chunk of body) yield* text(new TextDecoder().decode(chunk).toUpperCase())
    },
    store: {
      async putFile(row: FileRow) {
        if (options.full) throw new Error('the database is full')
        const twin = [...rows.values()].find(({ id, sha256 }) => id !== row.id && sha256 === row.sha256)
        const stored = { ...row, key: twin?.key ?? row.key }
        rows.set(row.id, stored)
        return stored
      },
      storedBytes: async () => [...rows.values()].reduce((sum, { bytes }) => sum + bytes, 0),
      getFile: async (id: string) => rows.get(id) ?? null,
      async deleteFile(id: string) {
        const key = rows.get(id)?.key ?? null
        rows.delete(id)
        return [...rows.values()].some(row => row.key === key) ? null : key
      },
    },
  }
  return {
    files: memory,
    rows,
    add: (words: string, stated: { name?: string; mediaType?: string; limits?: TokenLimits } = {}) =>
      addFile(dependencies, {
        owner: 'local',
        name: 'photo.jpg',
        mediaType: 'image/jpeg',
        metadata: { a: 1 },
        body: text(words),
        maxBytes: 30,
        ...stated,
      }),
    check: (
      input: { [field: string]: string | number | null },
      files: { [field: string]: FileRow } = {},
      newFiles: readonly string[] = [],
      limits: TokenLimits = noLimits,
    ) =>
      checkInput(dependencies, model, { owner: 'local', limits, input, files, newFiles }, new AbortController().signal),
    read: async (key = '') => await new Response((await memory.open(key))?.body).text(),
  }
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'accepted',
    error => (SurefootError.is(error) ? error.failure.code : String(error)),
  )
}

describe('an input file', () => {
  it('in a data URI is stored and checked by its bytes; the input keeps its address, not its bytes', async () => {
    const stage = setup()
    expect(await stage.check({ prompt: 'a', image: dataUri('photo') })).toMatchObject({
      input: { prompt: 'a', image: '/v1/files/f1' },
      files: {
        image: {
          key: 'files/f1/image',
          name: 'image',
          mediaType: 'image/test',
          bytes: 5,
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          facts: { length: 5 },
        },
      },
    })
    expect(stage.rows.get('f1')).toMatchObject({ owner: 'local', key: 'files/f1/image', createdAt: 1_000 })
  })

  it('behind a URL is fetched with its name; the input keeps the URL as it was given', async () => {
    const asked: unknown[] = []
    const stage = setup({
      async download(url, { maxBytes, trustedOrigins }) {
        asked.push(url, maxBytes, trustedOrigins)
        return { body: text('photo'), mediaType: 'image/png', bytes: 5, name: 'cat.png' }
      },
    })
    const image = 'https://photos.test/cat.png'
    expect(await stage.check({ image })).toMatchObject({ input: { image }, files: { image: { name: 'cat.png' } } })
    // A caller's URL never leads into the private network.
    expect(asked).toEqual([image, 100, []])
  })

  it('behind a URL that cannot be had is refused as an input: its host is none of ours', async () => {
    const unreachable = createFailure('provider_unreachable', 'photos.test/cat.png could not be fetched: 503.')
    const stage = setup({ download: () => Promise.reject(new SurefootError(unreachable)) })
    await expect(stage.check({ image: 'https://photos.test/cat.png' })).rejects.toMatchObject({
      failure: { code: 'input_invalid', fault: 'user', message: unreachable.message },
      status: 422,
    })
  })

  it('is kept under a name and a media type that links, headers and databases can carry', async () => {
    const stage = setup()
    const odd = ['a b.jpg', 'ö.png', '...', '/x', `${'l'.repeat(300)}.jpg`]
    const keys = await Promise.all(odd.map(async (name, index) => (await stage.add(`photo ${index}`, { name })).key))
    expect(keys.map(key => key.split('/').at(-1))).toEqual([
      ...['a_b.jpg', '_.png', 'file', '_x', `${'l'.repeat(96)}.jpg`],
    ])
    for (const name of ['\ud800', '', '..']) expect((await stage.add('photo', { name })).name).toMatch(/^(_|file)$/)
    for (const mediaType of ['image/\u0001', 'image', `${'a'.repeat(100)}/b`, ''])
      expect(await stage.add('photo', { mediaType })).toMatchObject({ mediaType: 'application/octet-stream' })
  })

  it('that is stored already is used as it is', async () => {
    const stage = setup()
    const row = await stage.add('photo')
    expect(await stage.check({}, { image: row })).toMatchObject({
      files: { image: { key: row.key, name: 'photo.jpg' } },
    })
    expect(stage.rows.size).toBe(1)
  })

  it('may be left out where the model does not need it', async () => {
    const { files } = await setup().check({ image: dataUri('photo'), mask: null })
    expect(Object.keys(files)).toEqual(['image'])
  })
})

describe('a refused input leaves no file behind', () => {
  it.each([
    ['no file at all', {}, 'input_invalid'],
    ['a file that is none', { image: 7 }, 'input_invalid'],
    ['a URL that is none', { image: 'ftp://photos.test/cat.png' }, 'input_invalid'],
    ['bytes that are no photo', { image: dataUri('text') }, 'input_invalid'],
    ['a file that is too large', { image: dataUri('x'.repeat(101)) }, 'input_too_large'],
    ['bytes that are no base64', { image: 'data:image/jpeg;base64,***' }, 'input_invalid'],
    ['a second file that is wrong', { image: dataUri('photo'), mask: 'data:image/jpeg;base64,***' }, 'input_invalid'],
    ['an unknown field', { image: dataUri('photo'), colour: 'red' }, 'input_invalid'],
  ])('%s', async (_what, input, code) => {
    const stage = setup()
    expect(await refusal(stage.check(input))).toBe(code)
    expect([...stage.rows.keys(), ...stage.files.keys()]).toEqual([])
  })

  it('a file for a field that the model has none of', async () => {
    const stage = setup()
    const row = await stage.add('photo')
    expect(await refusal(stage.check({ image: dataUri('photo') }, { other: row }))).toBe('input_invalid')
    expect(stage.files.keys()).toEqual([row.key])
  })

  it('a stored file stays the caller’s, also when it is not what the model needs', async () => {
    const stage = setup()
    const row = await stage.add('text')
    expect(await refusal(stage.check({}, { image: row }))).toBe('input_invalid')
    expect(stage.files.keys()).toEqual([row.key])
  })

  it('a stored file whose bytes are gone', async () => {
    const stage = setup()
    const row = await stage.add('photo')
    await stage.files.remove(row.key)
    expect(await refusal(stage.check({}, { image: row }))).toBe('input_invalid')
  })

  it('a database without room', async () => {
    const stage = setup({ full: true })
    expect(await refusal(stage.add('photo'))).toContain('full')
    expect(stage.files.keys()).toEqual([])
  })
})

describe('a file that tells too much', () => {
  const telling = 'photo[here]film'

  it('is kept and sent without that, and cut to its picture', async () => {
    const stage = setup()
    const { files, input, added } = await stage.check({ image: dataUri(telling) })
    expect(await stage.read(files.image?.key)).toBe('photo......')
    expect(files.image).toMatchObject({ bytes: 11, name: 'image', mediaType: 'image/test' })
    expect([input.image, stage.files.keys(), [...stage.rows.keys()]]).toEqual([
      '/v1/files/f1-sent',
      ['files/f1-sent/image'],
      ['f1-sent'],
    ])
    // Refused for another reason, nothing of it stays.
    expect(added.map(({ id }) => id)).toContain('f1-sent')
  })

  it('stays what it is for the owner who had stored it before; each use of it sends the same other one', async () => {
    const stage = setup()
    const row = await stage.add(telling)
    const first = await stage.check({}, { image: row })
    const second = await stage.check({}, { image: row })
    expect([first.files, first.added, second.added]).toEqual([second.files, [], []])
    expect([await stage.read(row.key), await stage.read(first.files.image?.key)]).toEqual([telling, 'photo......'])
    expect(stage.files.keys().length).toBe(2)
  })

  it('goes where it was stored for this very request', async () => {
    const stage = setup()
    const row = await stage.add(telling)
    await stage.check({}, { image: row }, [row.id])
    expect([...stage.rows.keys()]).toEqual(['f1-sent'])
  })

  it('goes as it is where the config says so', async () => {
    const stage = setup({ keepLocation: true })
    const { files } = await stage.check({ image: dataUri(telling) })
    expect(await stage.read(files.image?.key)).toBe(telling)
  })
})

it('a HEIC photo is kept and sent as JPEG, under a name that says so', async () => {
  const stage = setup({ keepLocation: true })
  for (const [name, becomes] of [
    ['IMG_1.HEIC', 'IMG_1.jpg'],
    ['photo', 'photo.jpg'],
  ] as const) {
    const row = await stage.add('heic', { name })
    const { files } = await stage.check({}, { image: row }, [row.id])
    expect(files.image).toMatchObject({ name: becomes, mediaType: 'image/jpeg', bytes: 4 })
    expect(await stage.read(files.image?.key)).toBe('HEIC')
  }
})

describe('the same bytes again', () => {
  it('are stored once', async () => {
    const stage = setup()
    const rows = [await stage.add('photo'), await stage.add('photo', { name: 'again.jpg' }), await stage.add('other')]
    expect(rows.map(({ id, key, name }) => [id, key, name])).toEqual([
      ['f1', 'files/f1/photo.jpg', 'photo.jpg'],
      ['f2', 'files/f1/photo.jpg', 'again.jpg'],
      ['f3', 'files/f3/photo.jpg', 'photo.jpg'],
    ])
    expect(stage.files.keys().toSorted()).toEqual(['files/f1/photo.jpg', 'files/f3/photo.jpg'])
  })

  it('are there again where somebody had lost them', async () => {
    const stage = setup()
    await stage.add('photo')
    await stage.files.remove('files/f1/photo.jpg')
    const { id, key } = await stage.add('photo')
    expect([id, key, stage.files.keys()]).toEqual(['f2', 'files/f1/photo.jpg', ['files/f1/photo.jpg']])
    expect(await stage.files.stat('files/f1/photo.jpg')).toEqual({ bytes: 5 })
  })
})

async function* text(words: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(words)
}

it('what cannot be stored takes nothing with it that somebody else has stored under the same id', async () => {
  const { files, rows, replaceAtOnce } = setupTwins()
  await replaceAtOnce()
  expect([...rows.keys()]).toEqual(['f1-sent'])
  expect(files.keys()).toEqual(['files/f1-sent/photo.jpg'])
})

/** Two requests make the same of a file at the same moment, and the second one's row cannot be written. */
function setupTwins() {
  const files = createMemoryFiles()
  const rows = new Map<string, FileRow>()
  const add = (putFile: (row: FileRow) => Promise<FileRow>) =>
    addFile(
      { files, newId: () => 'unused', now: () => 1_000, store: { putFile, storedBytes: async () => 0 } },
      {
        owner: 'local',
        name: 'photo.jpg',
        mediaType: 'image/jpeg',
        body: new Blob(['photo']).stream(),
        metadata: {},
        maxBytes: 100,
      },
      undefined,
      'f1-sent',
    )
  return {
    files,
    rows,
    async replaceAtOnce() {
      await add(async row => {
        rows.set(row.id, row)
        return row
      })
      await expect(add(() => Promise.reject(new Error('the connection is gone')))).rejects.toThrow('gone')
    },
  }
}

it('holds files of a caller to its limits, whichever way they come, before anything is read where nothing has room', async () => {
  const limits = { ...noLimits, fileBytes: 5 }
  const { add, check, files } = setup()
  expect(await refusal(add('photos', { limits }))).toBe('input_too_large')
  expect(await refusal(check({ image: dataUri('photos') }, {}, [], limits))).toBe('input_too_large')
  expect(files.keys()).toEqual([])
  await add('photo', { limits })
  const asked: number[] = []
  const full = setup({
    download: async (_, { maxBytes }) => {
      asked.push(maxBytes)
      return { body: text('photo'), name: 'photo.jpg', mediaType: null, bytes: null }
    },
  })
  await full.add('photos', { limits: { ...noLimits, storedBytes: 6 } })
  const later = full.check({ image: 'https://example.com/photo.jpg' }, {}, [], { ...limits, storedBytes: 6 })
  expect([await refusal(later), asked]).toEqual(['rate_limited', [5]])
})
