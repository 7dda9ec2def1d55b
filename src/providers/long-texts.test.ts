import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type LongTextOptions, readLongTexts } from './long-texts.ts'

/** Whole, of pieces that are valid only until the next one. */
async function buffer(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const piece of pieces) parts.push(Uint8Array.from(piece))
  return Buffer.concat(parts)
}

/** Cuts a text's bytes at the given places. */
async function* cut(text: string, places: readonly number[] = []): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  const at = [...new Set(places.map(place => place % (bytes.length + 1)))].sort((a, b) => a - b)
  for (const [index, start] of [0, ...at].entries()) yield bytes.slice(start, at[index] ?? bytes.length)
}

/** Reads, and answers the JSON's text and the bytes of what was kept. */
async function read(body: AsyncIterable<Uint8Array>, over: Partial<LongTextOptions> = {}) {
  const files: Buffer[] = []
  const text = await readLongTexts(body, {
    within: null,
    bareBase64: true,
    maxTextBytes: 1_000_000,
    longFrom: 64,
    async keep(bytes) {
      files.push(await buffer(bytes))
      return `kept ${files.length - 1}`
    },
    ...over,
  })
  return { text, json: text === '' ? undefined : JSON.parse(text), files }
}

const bytes = Buffer.from(Array.from({ length: 100 }, (_, index) => (index * 37) & 0xff))
const base64 = bytes.toString('base64')

it('any JSON, cut anywhere, is what it was, with every file in its place', async () => {
  const file = fc.record({
    content: fc.uint8Array({ minLength: 60, maxLength: 300 }),
    head: fc.constantFrom('', 'data:image/png;base64,', 'DATA:a/b;charset=x;base64,'),
    encoding: fc.constantFrom<BufferEncoding>('base64', 'base64url'),
    escaped: fc.constantFrom('none', 'slashes', 'codes'),
  })
  type File = typeof file extends fc.Arbitrary<infer T> ? T : never
  const isFile = (value: unknown): value is File => typeof value === 'object' && value !== null && 'encoding' in value
  const { value } = fc.letrec(tie => ({
    value: fc.oneof(
      { depthSize: 'small' },
      file,
      fc.string({ unit: 'binary', maxLength: 60 }),
      // Spaces, so that it is no base64 by chance.
      fc.string({ unit: fc.constantFrom('a', '\\', '"', '\n', 'é', '😀', ' '), minLength: 1 }).map(text => ` ${text} `),
      fc.constantFrom(null, true, 1.5, -3),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 4 }),
    ),
  }))
  const written = ({ head, content, encoding, escaped }: File) => {
    const text = JSON.stringify(head + Buffer.from(content).toString(encoding))
    if (escaped === 'slashes') return text.replaceAll('/', '\\/')
    return escaped === 'codes' ? text.replaceAll(/[+/]/g, sign => `\\u00${sign.charCodeAt(0).toString(16)}`) : text
  }
  const stringify = (value: unknown): string => {
    if (isFile(value)) return written(value)
    if (Array.isArray(value)) return `[${value.map(stringify).join(' , ')}]`
    if (typeof value !== 'object' || value === null) return JSON.stringify(value)
    return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)} : ${stringify(each)}`)}}`
  }
  await fc.assert(
    fc.asyncProperty(value, fc.array(fc.nat(5_000), { maxLength: 40 }), async (value, places) => {
      const source = stringify(value)
      fc.pre(!/__proto__/.test(source))
      const { json, files } = await read(cut(source, places))
      const expected: Buffer[] = []
      const replaced = JSON.parse(source, (_, each) => {
        if (typeof each !== 'string' || each.length < 64) return each
        const [, base64] = /^(?:data:[^,]*;base64,)?([A-Za-z0-9+/_-]*={0,2})$/is.exec(each) ?? []
        if (base64 === undefined) return each
        expected.push(Buffer.from(base64, 'base64'))
        return `kept ${expected.length - 1}`
      })
      expect(json).toEqual(replaced)
      expect(files).toEqual(expected)
    }),
    { numRuns: 300 },
  )
})

describe('what is kept', () => {
  it.each([
    ['base64 without a name only where that is a file', { output: base64 }, { bareBase64: false }, 0],
    ['a data URI in any case', { output: `data:;base64,${base64}` }, { bareBase64: false }, 1],
    ['nothing outside the key that files stand under', { input: base64, output: [1, { deep: base64 }] }, {}, 1],
    ['nothing that only looks like the key', { log: 'output', a: { output: base64 } }, {}, 0],
    ['nothing in an array where a key is asked for', ['output', base64], {}, 0],
    ['no text that is short', { output: base64.slice(0, 63) }, {}, 0],
    ['no text with other characters at its beginning', { output: ` ${base64}` }, {}, 0],
  ])('%s', async (_, value, over, count) => {
    const { files } = await read(cut(JSON.stringify(value)), { within: 'output', ...over })
    expect(files).toHaveLength(count)
  })
})

it.each([
  ['holds characters that are not base64', `["${base64.slice(0, 80)} ${base64}", 1]`],
  ['holds characters that are not base64', `["${base64}AAAA", 1]`],
  ['holds characters that are not base64', `["${base64.slice(0, 80)}\\n", 1]`],
  ['is no whole base64', `["${base64.slice(0, 81)}", 1]`],
  ['ended within a file', `["${base64.slice(0, 80)}`],
])('a file that %s fails, and the rest is read all the same', async (why, source) => {
  const failures: unknown[] = []
  const { text } = await readAll(source, async bytes => {
    await buffer(bytes).catch(error => failures.push(error))
    return 'kept'
  })
  expect(failures).toMatchObject([{ failure: { code: 'output_lost', message: expect.stringContaining(why) } }])
  expect(text).toBe(source.endsWith(']') ? '["kept", 1]' : '["kept')
})

async function readAll(source: string, keep: LongTextOptions['keep']) {
  return { text: await readLongTexts(cut(source, [75, 100]), { ...plain, keep }) }
}
const plain = { within: null, bareBase64: true, maxTextBytes: 1_000, longFrom: 64 }

it('what is not kept is capped, also the rest of a file that nobody takes', async () => {
  const text = JSON.stringify({ log: 'x y '.repeat(300) })
  await expect(read(cut(text, [400, 800]), { maxTextBytes: 1_000 })).rejects.toThrow(RangeError)
  const endless = JSON.stringify('A'.repeat(4_000))
  await expect(readAll(endless, async () => 'kept')).rejects.toThrow(RangeError)
  expect((await read(cut(endless), { maxTextBytes: 1_000 })).files).toMatchObject([{ length: 3_000 }])
})

it('a body that fails within a file fails with the reason, and is left in order', async () => {
  let closed = false
  async function* failing(): AsyncGenerator<Uint8Array> {
    try {
      yield new TextEncoder().encode(`["${base64}`)
      throw new Error('reset')
    } finally {
      closed = true
    }
  }
  await expect(read(failing())).rejects.toThrow('reset')
  expect(closed).toBe(true)
})
