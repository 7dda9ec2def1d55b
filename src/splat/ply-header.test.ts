import fc from 'fast-check'
import { expect, test } from 'vitest'
import { maxPlyHeaderBytes, type PlyHeader, parsePlyHeader, plyTypeBytes, writePlyHeader } from './ply-header.ts'

function parse(text: string) {
  return parsePlyHeader(new TextEncoder().encode(text))
}

function lines(...list: string[]): string {
  return `${['ply', 'format binary_little_endian 1.0', ...list, 'end_header'].join('\n')}\n`
}

const word = fc.stringMatching(/^[a-z][a-z0-9_]{0,11}$/)
const headers: fc.Arbitrary<PlyHeader> = fc.record({
  comments: fc.array(fc.stringMatching(/^[!-~]{1,5}( [!-~]{1,9})?$/), { maxLength: 3 }),
  elements: fc.uniqueArray(
    fc.record({
      name: word,
      count: fc.nat(),
      properties: fc.uniqueArray(
        fc.record({
          name: word,
          type: fc.constantFrom(...(Object.keys(plyTypeBytes) as (keyof typeof plyTypeBytes)[])),
        }),
        { selector: property => property.name, maxLength: 5 },
      ),
    }),
    { selector: element => element.name, maxLength: 4 },
  ),
})

test('what was written is read back, wherever the data begins', () => {
  fc.assert(
    fc.property(headers, fc.uint8Array({ maxLength: 20 }), (header, data) => {
      const written = writePlyHeader(header)
      const whole = Uint8Array.of(...written, ...data)
      expect(parsePlyHeader(whole)).toEqual({ kind: 'header', header, bytes: written.length })
    }),
  )
})

test('a header is incomplete at every length but its own', () => {
  const written = writePlyHeader({ comments: ['end_header is near'], elements: [] })
  for (let length = 0; length < written.length; length++)
    expect(parsePlyHeader(written.subarray(0, length)).kind).toBe('incomplete')
  expect(parsePlyHeader(written).kind).toBe('header')
})

test('CRLF line ends, obj_info lines and sized type names are understood', () => {
  const text = lines('obj_info made by hand', 'element vertex 2', 'property float32 x', 'property uint8 y')
  const properties = [
    { name: 'x', type: 'float' },
    { name: 'y', type: 'uchar' },
  ]
  const crlf = text.replaceAll('\n', '\r\n')
  expect(parse(crlf)).toEqual({
    kind: 'header',
    header: { comments: [], elements: [{ name: 'vertex', count: 2, properties }] },
    bytes: crlf.length,
  })
})

test.each([
  ['another file', 'PNG'],
  ['a longer first line', 'plymouth\nend_header\n'],
  ['a missing format', 'ply\nend_header\n'],
  ['ASCII', 'ply\nformat ascii 1.0\nend_header\n'],
  ['big endian', 'ply\nformat binary_big_endian 1.0\nend_header\n'],
  ['two formats', lines('format binary_little_endian 1.0')],
  ['a list property', lines('element face 1', 'property list uchar int vertex_indices')],
  ['a property without element', lines('property float x')],
  ['an unknown type', lines('element vertex 1', 'property quad x')],
  ['a type that is a method of objects', lines('element vertex 1', 'property toString x')],
  ['a negative count', lines('element vertex -1')],
  ['a fraction as count', lines('element vertex 1.5')],
  ['a count in another notation', lines('element vertex 1e3')],
  ['a count beyond 2^53', lines('element vertex 9007199254740993')],
  ['counts whose bytes pass 2^53', lines('element vertex 9007199254740991', 'property float x')],
  ['an element twice', lines('element vertex 1', 'element vertex 1')],
  ['a property twice', lines('element vertex 1', 'property float x', 'property int x')],
  ['an unknown keyword', lines('elephant vertex 1')],
])('refuses %s', (_, text) => {
  expect(parse(text).kind).toBe('invalid')
})

test('refuses a header that does not end within the cap, and accepts one that ends at it', () => {
  const frame = lines('comment ').length
  expect(parse(lines(`comment ${'x'.repeat(maxPlyHeaderBytes - frame)}`)).kind).toBe('header')
  expect(parse(lines(`comment ${'x'.repeat(maxPlyHeaderBytes - frame + 1)}`)).kind).toBe('invalid')
})

test('writing refuses a comment that would smuggle in a line', () => {
  expect(() => writePlyHeader({ comments: ['a\nelement vertex 1'], elements: [] })).toThrow(TypeError)
})

test('random bytes never make the parser throw', () => {
  const fragments = fc.constantFrom('ply', 'end_header', 'element', 'property', ' ', '\n', '\r', 'float', 'x', '7')
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.array(fragments, { maxLength: 40 })), input => {
      const bytes = input instanceof Uint8Array ? input : new TextEncoder().encode(`ply\n${input.join('')}`)
      expect(['header', 'incomplete', 'invalid']).toContain(parsePlyHeader(bytes).kind)
    }),
  )
})
