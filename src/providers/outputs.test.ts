import { expect, test } from 'vitest'
import { outputsOf } from './outputs.ts'

const base64 = 'QUJD'.repeat(100)
test.each([
  ['an URL', 'https://x.test/a.ply', [{ kind: 'url', url: 'https://x.test/a.ply' }]],
  [
    'several, however deep',
    { images: [{ url: 'https://x.test/1' }, { data: 'data:a/b;base64,QQ==' }], seed: 7 },
    [
      { kind: 'url', url: 'https://x.test/1' },
      { kind: 'data', uri: 'data:a/b;base64,QQ==' },
    ],
  ],
  [
    'bare base64',
    { status: 'success', message: base64 },
    [{ kind: 'data', uri: `data:application/octet-stream;base64,${base64}` }],
  ],
  ['a text', 'hello', [{ kind: 'data', uri: 'data:text/plain;base64,aGVsbG8=' }]],
  ['a number', { count: 3 }, [{ kind: 'data', uri: 'data:application/json;base64,eyJjb3VudCI6M30=' }]],
  ['nothing', null, []],
  ['an empty text', '', []],
  ['an empty list, as of a generator that aggregates nothing', [], []],
  ['an empty object', {}, []],
])('outputs of %s', (_, output, expected) => {
  expect(outputsOf(output, { bareBase64: true })).toEqual(expected)
})

test('base64 without a name is a text where the vendor sends none', () => {
  const [output] = outputsOf(base64, { bareBase64: false })
  expect(output).toEqual({ kind: 'data', uri: `data:text/plain;base64,${Buffer.from(base64).toString('base64')}` })
})
