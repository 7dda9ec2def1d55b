import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkSplat } from './check.ts'
import { type PlyHeader, parsePlyHeader, writePlyHeader } from './ply-header.ts'
import { sanitiseSplat } from './sanitise.ts'
import { sharpProperties, sharpVertexFloats, writeSharpPly } from './sharp-layout.ts'

const opacity = sharpProperties.indexOf('opacity')
const scale = sharpProperties.indexOf('scale_0')
const rotation = sharpProperties.indexOf('rot_0')

/** A file of good Gaussians, numbered by their x. */
function setup(count = 8) {
  const vertices = new Float32Array(count * sharpVertexFloats)
  for (let index = 0; index < count; index++)
    vertices.set([index, 0, 2, 0.5, -0.5, 1, 3, -4, -4, -5, 1, 0, 0, 0], index * sharpVertexFloats)
  const row = (index: number) => vertices.subarray(index * sharpVertexFloats, (index + 1) * sharpVertexFloats)
  const write = () =>
    Buffer.concat([
      ...writeSharpPly({ vertices, image: { width: 64, height: 48 }, focalPx: 50, disparityQuantiles: [0.1, 0.5] }, [
        'kept',
      ]),
    ])
  return { vertices, row, write }
}

async function* cut(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function clean(bytes: Uint8Array, options: Parameters<typeof sanitiseSplat>[1] = {}, size?: number) {
  const found = await sanitiseSplat(() => cut(bytes, size), options)
  if (found.kind === 'problem') throw new Error(found.problem.message)
  const parts: Uint8Array[] = []
  for await (const part of found.pieces()) parts.push(part)
  const written = Buffer.concat(parts)
  const parsed = parsePlyHeader(written)
  if (parsed.kind !== 'header') throw new Error('no header')
  const [vertex] = parsed.header.elements
  const floats = (vertex?.count ?? 0) * (vertex?.properties.length ?? 0)
  const rows = new Float32Array(written.buffer.slice(written.byteOffset + parsed.bytes).slice(0, floats * 4))
  return { ...found, written, header: parsed.header, rows }
}

function countOf(header: PlyHeader): number | undefined {
  return header.elements[0]?.count
}

test('a good file comes out as it went in, byte for byte', async () => {
  const bytes = setup().write()
  const { written, counts, bytes: promised } = await clean(bytes)
  expect(written.equals(bytes)).toBe(true)
  expect(promised).toBe(bytes.length)
  expect(counts).toEqual({
    splats: 8,
    kept: 8,
    dropped: { nonFinite: 0, unturned: 0, faint: 0 },
    changed: { opacity: 0, scale: 0, rotation: 0 },
  })
})

test('what can be mended is mended, what cannot be is left out, and all of it is counted', async () => {
  const { row, write } = setup()
  row(0)[opacity] = Infinity
  row(1)[opacity] = -Infinity
  row(2).set([-Infinity, Infinity, 5], scale)
  row(3).set([2, 0, 0, 0], rotation)
  row(4)[1] = NaN
  row(5)[rotation] = 0
  row(6)[scale + 1] = NaN
  const { counts, rows, written } = await clean(write(), {}, 100)
  expect(counts).toEqual({
    splats: 8,
    kept: 5,
    dropped: { nonFinite: 2, unturned: 1, faint: 0 },
    changed: { opacity: 2, scale: 1, rotation: 1 },
  })
  const kept = [0, 1, 2, 3, 4].map(index => rows.subarray(index * sharpVertexFloats, (index + 1) * sharpVertexFloats))
  expect(kept.map(([x]) => x)).toEqual([0, 1, 2, 3, 7])
  expect(kept.slice(0, 2).map(values => values[opacity])).toEqual([12, -12])
  expect([...(kept[2]?.subarray(scale, scale + 3) ?? [])]).toEqual([-16, 2, 2])
  expect([...(kept[3]?.subarray(rotation) ?? [])]).toEqual([1, 0, 0, 0])
  expect(await checkSplat(cut(written), { bytes: written.length })).toMatchObject({ valid: true })
})

test('the frame element says how many are left', async () => {
  const { row, write } = setup()
  row(0)[0] = NaN
  for (const size of [1, 7, 4_096]) {
    const { written } = await clean(write(), {}, size)
    // Behind the frame lie 8 bytes of disparity, 1 of colour space and 3 of version.
    expect(new DataView(written.buffer, written.byteOffset).getInt32(written.length - 16, true)).toBe(7)
  }
})

test('extras and faint Gaussians are left out where that is asked for', async () => {
  const { row, write } = setup()
  row(2)[opacity] = -4
  const { header, counts, written } = await clean(write(), { stripExtras: true, leastOpacity: 0.02 })
  expect(header.elements.map(({ name }) => name)).toEqual(['vertex'])
  expect([counts.kept, counts.dropped.faint, countOf(header), header.comments]).toEqual([7, 1, 7, ['kept']])
  expect(await checkSplat(cut(written), { bytes: written.length })).toMatchObject({ valid: true })
})

test('other columns stay where they are, and a NaN in one takes its row along', async () => {
  const names = ['f_rest_0', ...[...sharpProperties].reverse()]
  const properties = names.map(name => ({ name, type: 'float' as const }))
  const row = (extra: number) => names.map(name => ({ f_rest_0: extra, rot_0: 1, z: 2, opacity: 20 })[name] ?? -1)
  const header = writePlyHeader({ comments: [], elements: [{ name: 'vertex', count: 2, properties }] })
  const bytes = Buffer.concat([header, Buffer.from(Float32Array.from([...row(NaN), ...row(7)]).buffer)])
  const { rows, counts } = await clean(bytes)
  expect(counts).toMatchObject({ kept: 1, dropped: { nonFinite: 1 }, changed: { opacity: 1, scale: 0, rotation: 1 } })
  expect([rows[0], rows[names.indexOf('opacity')], rows[names.indexOf('z')]]).toEqual([7, 12, 2])
})

test('a file that is no splat, is cut or has nothing to keep is a verdict', async () => {
  const { vertices, write } = setup()
  const codeOf = async (bytes: Uint8Array, options = {}) => {
    const found = await sanitiseSplat(() => cut(bytes, 333), options)
    return found.kind === 'problem' ? found.problem.code : found.kind
  }
  const bytes = write()
  expect(await codeOf(Buffer.from('<!doctype html>'))).toBe('header_invalid')
  expect(await codeOf(bytes.subarray(0, -1))).toBe('too_short')
  expect(await codeOf(bytes, { bytes: bytes.length + 1 })).toBe('too_long')
  vertices.fill(NaN)
  expect(await codeOf(write())).toBe('no_splats')
})

test('a source that changes between the passes ends in an error, not in a wrong file', async () => {
  const { row, write } = setup()
  const before = write()
  row(0)[0] = NaN
  const sources = [before, write()]
  const found = await sanitiseSplat(() => cut(sources.shift() ?? before))
  if (found.kind === 'problem') throw new Error(found.problem.message)
  const drain = async () => {
    for await (const _ of found.pieces());
  }
  await expect(drain()).rejects.toThrow('changed')
})

test('whatever the numbers are, what comes out is finite, within bounds and does not change any more', async () => {
  const numbers = fc.array(fc.float({ noDefaultInfinity: false }), { minLength: 28, maxLength: 140 })
  await fc.assert(
    fc.asyncProperty(numbers, fc.integer({ min: 1, max: 900 }), async (values, size) => {
      const count = Math.floor(values.length / sharpVertexFloats)
      const { vertices, write } = setup(count + 1)
      vertices.set(values.slice(0, count * sharpVertexFloats))
      const { rows, written, counts } = await clean(write(), {}, size)
      expect(rows.length).toBe(counts.kept * sharpVertexFloats)
      for (let at = 0; at < rows.length; at += sharpVertexFloats) {
        const values = rows.subarray(at, at + sharpVertexFloats)
        expect(values.every(Number.isFinite)).toBe(true)
        expect(Math.abs(values[opacity] ?? NaN)).toBeLessThanOrEqual(12)
        for (const value of values.subarray(scale, scale + 3)) {
          expect(value).toBeGreaterThanOrEqual(-16)
          expect(value).toBeLessThanOrEqual(2)
        }
        expect(Math.hypot(...values.subarray(rotation))).toBeCloseTo(1, 2)
      }
      const again = await clean(written)
      expect(again.written.equals(written)).toBe(true)
    }),
    { numRuns: 200 },
  )
})
