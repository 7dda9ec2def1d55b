import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkSplat } from './check.ts'
import { writePlyHeader } from './ply-header.ts'
import { sharpHeader, sharpProperties, sharpVertexFloats, writeSharpPly } from './sharp-layout.ts'

/** Gaussians on a line from z = 1 to z = `count`, half of them all but invisible. */
function setup(count = 10, comments: string[] = []) {
  const vertices = new Float32Array(count * sharpVertexFloats)
  for (let index = 0; index < count; index++)
    vertices.set(
      [index - 3, 2 * index, 1 + index, 0, 0, 0, index % 2 ? 3 : -5, -4, -4, -5, 1, 0, 0, 0],
      index * sharpVertexFloats,
    )
  const scene = { vertices, image: { width: 640, height: 480 }, focalPx: 512, disparityQuantiles: [0.25, 2] as const }
  const write = () => new Uint8Array(Buffer.concat([...writeSharpPly(scene, comments)]))
  return { vertices, scene, write }
}

async function* cut(bytes: Uint8Array, ...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? bytes.length)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function codeOf(bytes: Uint8Array, options?: Parameters<typeof checkSplat>[1]): Promise<string> {
  const check = await checkSplat(cut(bytes), options)
  return check.valid ? 'valid' : check.problem.code
}

test('tells what is in a good file', async () => {
  const { write } = setup(10, ['by hand'])
  const bytes = write()
  const check = await checkSplat(cut(bytes), { bytes: bytes.length })
  if (!check.valid) throw new Error(check.problem.message)
  const { opacity, depthQuantiles, ...rest } = check.statistics
  expect(rest).toEqual({
    count: 10,
    bounds: { min: [-3, 0, 1], max: [6, 18, 10] },
    saturated: 0,
    image: { width: 640, height: 480 },
    focalPx: 512,
    colorSpace: 'sRGB',
    disparityQuantiles: [0.25, 2],
    version: '1.5.0',
    comments: ['by hand'],
  })
  expect(opacity.mean).toBeCloseTo((1 / (1 + Math.exp(-3)) + 1 / (1 + Math.exp(5))) / 2, 4)
  expect(opacity.shareBelow2Percent).toBe(0.5)
  const expected = { '0.1%': 1, '10%': 2, '50%': 6, '90%': 10 }
  for (const [share, depth] of Object.entries(expected))
    expect(Math.abs(depthQuantiles[share as keyof typeof expected] / depth - 1)).toBeLessThan(0.002)
})

test('the verdict does not depend on how the bytes arrive', async () => {
  const bytes = setup(50).write()
  const whole = await checkSplat(cut(bytes))
  expect(whole.valid).toBe(true)
  // An odd start in the buffer makes every float unaligned whatever the header's length is.
  const shifted = new Uint8Array(bytes.length + 1).subarray(1)
  shifted.set(bytes)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }), async sizes => {
      expect(await checkSplat(cut(bytes, ...sizes))).toEqual(whole)
      expect(await checkSplat(cut(shifted, ...sizes))).toEqual(whole)
    }),
    { numRuns: 50 },
  )
})

test('more rows than one block holds, aligned or not, are all counted', async () => {
  const count = 5_000
  for (const comment of ['a', 'ab', 'abc', 'abcd']) {
    const check = await checkSplat(cut(setup(count, [comment]).write(), 65_536))
    expect(check).toMatchObject({
      valid: true,
      statistics: { count, bounds: { max: [count - 4, 2 * count - 2, count] } },
    })
  }
})

test('properties may come in any order and with more floats between them', async () => {
  const names = ['nx', ...[...sharpProperties].reverse(), 'f_rest_0']
  const properties = names.map(name => ({ name, type: 'float' as const }))
  const row = Float32Array.from(names, name => ({ x: 1, y: 2, z: 3, rot_0: 1, scale_0: -3 })[name] ?? 0)
  const header = writePlyHeader({ comments: [], elements: [{ name: 'vertex', count: 1, properties }] })
  const check = await checkSplat(cut(Uint8Array.of(...header, ...new Uint8Array(row.buffer))))
  expect(check).toMatchObject({
    valid: true,
    statistics: { bounds: { min: [1, 2, 3] }, image: null, focalPx: null, colorSpace: null, version: null },
  })
})

test('the verdict does not depend on the order of the properties, and names what is not finite among the others', async () => {
  const { vertices, scene } = setup(40)
  const names = ['nx', ...[...sharpProperties].reverse(), 'f_rest_0']
  const reordered = (spoil: (row: Map<string, number>, index: number) => void) => {
    const rows = Array.from({ length: 40 }, (_, index) => {
      const row = new Map(
        sharpProperties.map((name, column) => [name as string, vertices[index * sharpVertexFloats + column] ?? 0]),
      )
      spoil(row, index)
      return names.map(name => row.get(name) ?? 0)
    })
    const properties = names.map(name => ({ name, type: 'float' as const }))
    const header = writePlyHeader({ comments: [], elements: [{ name: 'vertex', count: 40, properties }] })
    return Buffer.concat([header, Buffer.from(Float32Array.from(rows.flat()).buffer)])
  }
  const plain = await checkSplat(cut(Buffer.concat([...writeSharpPly(scene)])))
  const other = await checkSplat(
    cut(
      reordered(() => {}),
      33,
    ),
  )
  if (!plain.valid || !other.valid) throw new Error('both are good')
  for (const key of ['count', 'bounds', 'opacity', 'depthQuantiles', 'saturated'] as const)
    expect(other.statistics[key]).toEqual(plain.statistics[key])
  const spoilt = await checkSplat(
    cut(
      reordered((row, index) => index > 6 && row.set('f_rest_0', Infinity)),
      33,
    ),
  )
  expect(spoilt).toMatchObject({
    problem: { code: 'non_finite', message: expect.stringContaining('number 7 (f_rest_0)') },
  })
})

test('a file that is not whole is refused, by its header alone where the length is known', async () => {
  const bytes = setup().write()
  const longer = Uint8Array.of(...bytes, 0)
  expect(await codeOf(bytes.subarray(0, -1))).toBe('too_short')
  expect(await codeOf(bytes.subarray(0, 100))).toBe('too_short')
  expect(await codeOf(new Uint8Array())).toBe('too_short')
  expect(await codeOf(longer)).toBe('too_long')
  let pieces = 0
  const counted = async function* () {
    for await (const piece of cut(bytes, 700)) {
      pieces++
      yield piece
    }
  }
  const check = await checkSplat(counted(), { bytes: bytes.length - 1 })
  expect(check).toMatchObject({ valid: false, problem: { code: 'too_short' } })
  expect(pieces).toBe(1)
})

test('zero Gaussians, other meshes and other files are refused', async () => {
  const vertex = (type: 'float' | 'double', count: number, without = '') =>
    writePlyHeader({
      comments: [],
      elements: [
        {
          name: 'vertex',
          count,
          properties: sharpProperties.filter(name => name !== without).map(name => ({ name, type })),
        },
      ],
    })
  expect(await codeOf(vertex('float', 0))).toBe('no_splats')
  expect(await codeOf(vertex('double', 1))).toBe('not_a_splat')
  expect(await codeOf(vertex('float', 1, 'opacity'))).toBe('not_a_splat')
  expect(await codeOf(writePlyHeader({ comments: [], elements: [] }))).toBe('not_a_splat')
  expect(await codeOf(Buffer.from('<!doctype html>'))).toBe('header_invalid')
  expect(await codeOf(writePlyHeader(sharpHeader(2 ** 40)))).toBe('too_short')
})

const opacityAt = 6
const lastScaleAt = 9

test('NaN and infinity are refused in any property, and counted', async () => {
  for (const [property, value] of [0, 3, 13].flatMap(at => [NaN, Infinity, -Infinity].map(bad => [at, bad] as const))) {
    const { vertices, write } = setup()
    vertices[4 * sharpVertexFloats + property] = value
    vertices[7 * sharpVertexFloats + property] = -value
    const refused = await checkSplat(cut(write()))
    expect(refused).toMatchObject({ valid: false, problem: { code: 'non_finite' } })
    expect(refused.valid ? '' : refused.problem.message).toContain('2 of 10 Gaussians')
  }
  for (const [property, value] of [
    [opacityAt, NaN],
    [lastScaleAt, NaN],
    [lastScaleAt, Infinity],
  ] as const) {
    const { vertices, write } = setup()
    vertices[property] = value
    expect(await codeOf(write())).toBe('non_finite')
  }
})

test("the infinities of SHARP's own writer are counted, and their Gaussians count", async () => {
  const { vertices, write } = setup()
  const plain = await checkSplat(cut(write()))
  vertices[opacityAt] = Infinity
  vertices[9 * sharpVertexFloats + lastScaleAt] = -Infinity
  for (const size of [7, 100_000]) {
    const check = await checkSplat(cut(write(), size))
    if (!check.valid || !plain.valid) throw new Error('both are good')
    const { bounds, depthQuantiles, count } = plain.statistics
    expect(check.statistics).toMatchObject({ bounds, depthQuantiles, count, saturated: 2 })
    expect(check.statistics.opacity.mean).toBeGreaterThan(plain.statistics.opacity.mean)
  }
})

test('a saturated Gaussian is held to everything else, and a file of nothing but invisible ones is refused', async () => {
  const { vertices, write } = setup()
  vertices.set([Infinity, 10], 3 * sharpVertexFloats + opacityAt)
  const refused = await checkSplat(cut(write()))
  expect(refused).toMatchObject({ problem: { code: 'out_of_range', message: expect.stringContaining('number 3') } })
  const invisible = setup(3)
  for (let row = 0; row < 3; row++) invisible.vertices[row * sharpVertexFloats + opacityAt] = -Infinity
  expect(await codeOf(invisible.write())).toBe('no_splats')
})

test('a file of nothing but NaN is refused', async () => {
  const { vertices, write } = setup(3)
  vertices.fill(NaN)
  expect(await codeOf(write())).toBe('non_finite')
})

test.each([
  ['an opacity that is no logit', 6, 101],
  ['a Gaussian of 22 km', 7, 10],
  ['a sigma below the smallest float', 9, -105],
  ['a rotation of zero length', 10, 0],
])('refuses %s', async (_, property, value) => {
  const { vertices, write } = setup()
  vertices[5 * sharpVertexFloats + property] = value
  expect(await codeOf(write())).toBe('out_of_range')
})

test('refuses a region of zeros, as a lost write leaves it', async () => {
  const bytes = setup(100).write()
  expect(await codeOf(bytes.fill(0, 2_000, 2_500))).toBe('out_of_range')
})

test.each([
  ['positions that are none', (row: Float32Array) => row.set([2e7], 2), 'out_of_range'],
  ['positions that are other bytes', (row: Float32Array) => row.set([-1e30], 1), 'out_of_range'],
  ['nothing that could be seen', (row: Float32Array) => row.set([-4], 6), 'no_splats'],
  ['the farthest position', (row: Float32Array) => row.set([-1e7], 0), 'valid'],
] as const)('%s: %s', async (_, spoil, code) => {
  const { vertices, write } = setup()
  for (let at = 0; at < vertices.length; at += sharpVertexFloats) spoil(vertices.subarray(at, at + sharpVertexFloats))
  expect(await codeOf(write())).toBe(code)
})

test('keeps of many long comments the beginning', async () => {
  const check = await checkSplat(cut(setup(10, Array(100).fill('x'.repeat(300))).write()))
  expect(check).toMatchObject({ statistics: { comments: Array(20).fill('x'.repeat(200)) } })
})

test('an error of the source passes through', async () => {
  const broken = async function* () {
    yield setup().write().subarray(0, 700)
    throw new Error('disk gone')
  }
  await expect(checkSplat(broken())).rejects.toThrow('disk gone')
})

test('random bytes are never valid and never throw', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async bytes => {
      expect(await codeOf(bytes)).not.toBe('valid')
    }),
  )
})

test('a mutated file never throws, and is never valid when bytes are missing or added', async () => {
  const good = setup(20).write()
  const mutations = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(mutations, fc.integer({ min: -good.length, max: 50 }), async (changes, more) => {
      const bytes = good.slice()
      for (const [at, value] of changes) bytes[at] = value
      expect([
        'valid',
        'header_invalid',
        'not_a_splat',
        'no_splats',
        'too_short',
        'too_long',
        'non_finite',
        'out_of_range',
      ]).toContain(await codeOf(bytes))
      if (more === 0) return
      // Behind the header only: a changed count could fit the changed length by chance.
      const resized = more < 0 ? good.slice(0, more) : Uint8Array.of(...good, ...new Uint8Array(more))
      for (const [at, value] of changes) if (at >= 670 && at < resized.length) resized[at] = value
      expect(await codeOf(resized)).not.toBe('valid')
      expect(await codeOf(resized, { bytes: good.length })).not.toBe('valid')
    }),
  )
})
