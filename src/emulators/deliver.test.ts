import { expect, test } from 'vitest'
import { createSimulatedClock, settle } from '../testing/clock.ts'
import { createRandom } from '../testing/random.ts'
import { corrupt } from './corrupt.ts'
import { deliver } from './deliver.ts'
import { createDice } from './faults.ts'

const clock = createSimulatedClock()
const body = new Blob([Uint8Array.from({ length: 200_000 }, (_, index) => index % 251)])

function get(headers: Record<string, string> = {}, faults: string[] = [], method = 'GET'): Response {
  return deliver(new Request('https://replicate.test/delivery', { method, headers }), {
    body,
    mediaType: 'model/ply',
    faults: createDice(faults, createRandom(1))(),
    clock,
    closed: new AbortController().signal,
  })
}

const seen = (response: Response) => [
  response.status,
  ...['content-length', 'content-range', 'content-type'].map(name => response.headers.get(name)),
]

test('the whole file, then parts of it by range', async () => {
  const whole = get()
  expect(seen(whole)).toEqual([200, '200000', null, 'model/ply'])
  expect(await whole.bytes()).toEqual(await body.bytes())
  const part = get({ range: 'bytes=150000-' })
  expect(seen(part)).toEqual([206, '50000', 'bytes 150000-199999/200000', 'model/ply'])
  expect(await part.bytes()).toEqual(await body.slice(150_000).bytes())
  expect(seen(get({ range: 'bytes=0-9' }))).toEqual([206, '10', 'bytes 0-9/200000', 'model/ply'])
})

test('a range beyond the end cannot be had', () => {
  expect(seen(get({ range: 'bytes=200000-' })).slice(0, 3)).toEqual([416, null, 'bytes */200000'])
})

test('HEAD tells the length and sends nothing', async () => {
  const head = get({}, [], 'HEAD')
  expect([seen(head)[1], (await head.bytes()).length]).toEqual(['200000', 0])
})

test('a truncated download promises everything and breaks off', async () => {
  const response = get({}, ['output-truncated@0.5'])
  expect(seen(response)[1]).toBe('200000')
  const got: number[] = []
  const reading = (async () => {
    for await (const chunk of response.body ?? []) got.push(chunk.byteLength)
  })()
  await expect(reading).rejects.toThrow('fetch failed')
  expect(got.reduce((sum, each) => sum + each, 0)).toBe(100_000)
})

test('a short file ends early without a word', async () => {
  const response = get({}, ['output-short@0.5'])
  expect([seen(response)[1], (await response.bytes()).length]).toEqual(['100000', 100_000])
})

test('a slow download takes its time by the clock', async () => {
  const reading = get({}, ['output-slow@100000']).bytes()
  let done = false
  void reading.then(() => {
    done = true
  })
  await clock.advance(1999)
  expect(done).toBe(false)
  await clock.advance(1)
  await settle()
  expect((await reading).length).toBe(200_000)
})

const ply = (count: number, floats: number[]) =>
  new Blob([
    `ply\nformat binary_little_endian 1.0\nelement vertex ${count}\nproperty float x\nend_header\n`,
    new Float32Array(floats),
  ])

test('a PLY is broken in two ways: no vertices, or a coordinate that is no number', async () => {
  expect(await (await corrupt(ply(2, [1, 2]), 'zero')).text()).toBe(await ply(0, []).text())
  expect(await (await corrupt(ply(2, [1, 2]), 'nan')).bytes()).toEqual(await ply(2, [Number.NaN, 2]).bytes())
})

test('of any other file the first half is zeros', async () => {
  expect(await (await corrupt(new Blob([new Uint8Array([1, 2, 3])]), 'nan')).bytes()).toEqual(new Uint8Array([0, 0, 3]))
})
