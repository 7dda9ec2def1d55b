import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createDiskFiles } from '../files/disk.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import type { DerivativeSource } from './contract.ts'
import { createDerivatives, type DerivativesOptions } from './derivatives.ts'
import type { ConversionJob } from './wire.ts'

/** Conversions that end only when the test says so. */
function setup(over: Partial<DerivativesOptions> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-derivatives-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const clock = createSimulatedClock()
  const files = createDiskFiles({ directory })
  const begun: {
    job: ConversionJob
    signal: AbortSignal | undefined
    end(text: string): void
    fail(e: Error): void
  }[] = []
  const convert: DerivativesOptions['convert'] = async (job, { signal, onProgress }) => {
    const ended = Promise.withResolvers<void>()
    onProgress?.({ stage: 'write', fraction: 0.5 })
    signal?.addEventListener('abort', () => ended.reject(signal.reason))
    begun.push({
      job,
      signal,
      end(text) {
        writeFileSync(job.target, text)
        ended.resolve()
      },
      fail: ended.reject,
    })
    await ended.promise
    return { counts: null, splats: 1, memoryBytes: 0, processorMs: 0 }
  }
  const options = { files, clock, convert, hasTransform: () => true, places: 1, ...over }
  const derivatives = createDerivatives(options)
  onTestFinished(() => derivatives.stop())
  const source = (sha256 = 'a'.repeat(64)): DerivativeSource => ({
    output: { key: 'outputs/p1/a1/scene.ply', name: 'scene.ply', bytes: 100, sha256, facts: {} },
    photo: null,
  })
  const ask = (name: string, { holdMs = 1_000, signal = new AbortController().signal, of = source() } = {}) =>
    derivatives.get(of, name, { holdMs, signal })
  const begin = async (count: number) => {
    while (begun.length < count) await new Promise(setImmediate)
    return begun[count - 1] as (typeof begun)[number]
  }
  return { directory, clock, files, begun, begin, options, derivatives, source, ask }
}

test('two requests at the same moment convert once, and both get the file', async () => {
  const { ask, begin, begun } = setup()
  const both = [ask('scene.sog'), ask('scene.sog')]
  ;(await begin(1)).end('sog')
  const [first, second] = await Promise.all(both)
  expect(first).toEqual(second)
  expect(first).toMatchObject({ kind: 'stored', name: 'scene.sog', bytes: 3, mediaType: 'application/octet-stream' })
  expect(begun.length).toBe(1)
})

test('what was made is kept across restarts, with its checksum, and shared by predictions with the same output', async () => {
  const { ask, begin, begun, options, source, files } = setup()
  const asked = ask('scene.sog')
  ;(await begin(1)).end('sog')
  const made = await asked
  const again = createDerivatives(options)
  const wait = { holdMs: 0, signal: new AbortController().signal }
  expect(await again.get(source(), 'scene.sog', wait)).toEqual(made)
  const renamed = { output: { ...source().output, name: 'other.ply', key: 'elsewhere' }, photo: null }
  expect(await again.get(renamed, 'other.sog', wait)).toEqual({ ...made, name: 'other.sog' })
  // A process that died between file and note leaves a file without one.
  if (made?.kind !== 'stored') throw new Error('not stored')
  await files.remove(`${made.key}.json`)
  expect(await again.get(source(), 'scene.sog', wait)).toEqual(made)
  expect(begun.length).toBe(1)
})

test('other splats, formats and presets are other files', async () => {
  const { ask, begin, begun, source } = setup({ places: 4 })
  void [
    ask('scene.sog'),
    ask('scene.spz'),
    ask('scene.phone.sog'),
    ask('scene.sog', { of: source('b'.repeat(64)) }),
  ].map(asked => asked.catch(() => {}))
  await begin(4)
  expect(begun.map(({ job }) => `${job.format} ${job.limits.mostSplats}`).sort()).toEqual([
    'sog 500000',
    'sog null',
    'sog null',
    'spz null',
  ])
})

test('who waits too long hears how far it is; the work goes on, even when nobody waits', async () => {
  const { ask, begin, clock } = setup()
  const asked = ask('scene.sog', { holdMs: 5_000 })
  const conversion = await begin(1)
  await clock.advance(5_000)
  expect(await asked).toEqual({ kind: 'converting', stage: 'write', fraction: 0.5 })
  const gone = new AbortController()
  const left = ask('scene.sog', { signal: gone.signal })
  gone.abort(new Error('gone'))
  await expect(left).rejects.toThrow('gone')
  expect(conversion.signal?.aborted).toBe(false)
  const last = ask('scene.sog')
  conversion.end('sog')
  expect(await last).toMatchObject({ kind: 'stored' })
})

test('when everybody who waited has gone the work is given up, and who comes next begins anew', async () => {
  const { ask, begin, begun } = setup()
  const [one, two] = [new AbortController(), new AbortController()]
  const asked = [ask('scene.sog', { signal: one.signal }), ask('scene.sog', { signal: two.signal })]
  const first = await begin(1)
  one.abort(new Error('gone'))
  await expect(asked[0]).rejects.toThrow('gone')
  expect(first.signal?.aborted).toBe(false)
  two.abort(new Error('gone'))
  await expect(asked[1]).rejects.toThrow('gone')
  expect(first.signal?.aborted).toBe(true)
  const next = ask('scene.sog')
  ;(await begin(2)).end('new')
  expect(await next).toMatchObject({ kind: 'stored', bytes: 3 })
  expect(begun.length).toBe(2)
})

test('so many at a time, in order, and only so many may wait', async () => {
  const { ask, begin, begun, clock } = setup({ mostWaiting: 1 })
  const first = ask('scene.sog')
  const conversion = await begin(1)
  const second = ask('scene.spz', { holdMs: 1_000 })
  while (clock.waiting < 2) await new Promise(setImmediate)
  await expect(ask('scene.compressed.ply')).rejects.toMatchObject({ failure: { code: 'rate_limited' }, status: 503 })
  expect(begun.length).toBe(1)
  await clock.advance(1_000)
  expect(await second).toEqual({ kind: 'converting', stage: 'queued', fraction: null })
  conversion.end('sog')
  await first.catch(() => {})
  ;(await begin(2)).end('spz')
  expect(await ask('scene.spz')).toMatchObject({ kind: 'stored' })
})

test('a conversion that fails says so, leaves nothing behind, and is tried again', async () => {
  const { ask, begin } = setup()
  const asked = ask('scene.sog')
  const { job, fail } = await begin(1)
  fail(new Error('no'))
  await expect(asked).rejects.toThrow('no')
  expect(existsSync(job.folder)).toBe(false)
  const again = ask('scene.sog')
  ;(await begin(2)).end('sog')
  expect(await again).toMatchObject({ kind: 'stored' })
})

test('who was told to come back hears once that it has failed; who asks then begins anew', async () => {
  const { ask, begin, begun, clock } = setup()
  async function look(): Promise<unknown> {
    let answer: unknown
    const asked = ask('scene.sog', { holdMs: 0 }).catch((error: unknown) => error)
    void asked.then(value => {
      answer = value
    })
    // Its files are looked at first, on a real disk.
    while (answer === undefined) {
      await new Promise(setImmediate)
      await clock.advance(1)
    }
    return answer
  }
  expect(await look()).toMatchObject({ kind: 'converting' })
  ;(await begin(1)).fail(new Error('out of memory'))
  let failure: unknown = null
  while (!(failure instanceof Error)) failure = await look()
  expect([failure, begun.length]).toEqual([new Error('out of memory'), 1])
  const again = ask('scene.sog')
  ;(await begin(2)).end('sog')
  expect([await again, begun.length]).toMatchObject([{ kind: 'stored' }, 2])
})

test('without splat-transform what needs it is refused with what to install; the rest is made', async () => {
  const { ask, begin } = setup({ hasTransform: () => false })
  await expect(ask('scene.sog')).rejects.toMatchObject({
    status: 501,
    failure: {
      code: 'deployment_missing',
      message: expect.stringContaining('npm install @playcanvas/splat-transform'),
    },
  })
  const clean = ask('scene.clean.ply')
  ;(await begin(1)).end('ply')
  expect(await clean).toMatchObject({ kind: 'stored', name: 'scene.clean.ply' })
})

test('names of no derivative, and of a poster without a photo, are none', async () => {
  const { ask, begun } = setup()
  for (const name of [
    'scene.ply',
    'scene.exe',
    'other.sog',
    'scene.phone.webp',
    'scene.tablet.sog',
    'scene.webp',
    '.sog',
  ])
    expect(await ask(name), name).toBeNull()
  expect(begun.length).toBe(0)
})

test('stopping ends what is being made', async () => {
  const { ask, begin, derivatives, directory } = setup()
  const asked = ask('scene.sog').then(null, (error: Error) => error.message)
  const { signal, job } = await begin(1)
  await derivatives.stop()
  expect(signal?.aborted).toBe(true)
  expect(await asked).toBe('The gateway stops.')
  expect(existsSync(job.folder)).toBe(false)
  expect(readdirSync(directory)).toEqual(['~incoming'])
})
