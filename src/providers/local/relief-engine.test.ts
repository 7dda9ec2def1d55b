import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { checkSplat } from '../../splat/check.ts'
import type { Job, Observation } from '../contract.ts'
import { local } from './index.ts'
import { run } from './relief-engine.ts'

const rocket = fileURLToPath(new URL('../../../examples/photos/rocket.jpg', import.meta.url))
const io = { fetch: globalThis.fetch, signal: new AbortController().signal }

async function setup() {
  const root = await mkdtemp(join(tmpdir(), 'surefoot-relief-'))
  onTestFinished(() => rm(root, { recursive: true, force: true, maxRetries: 5 }))
  return root
}

/** One photo through a real worker process, to its end. */
async function predict(directory: string, photo: string): Promise<Observation> {
  const provider = local({ directory })
  const image = { name: 'photo', mediaType: 'image/jpeg', bytes: 1, sha256: '0'.repeat(64), url: null, path: photo }
  const job: Job = {
    marker: { attemptId: 'attempt1', secret: '' },
    model: 'surefoot/relief',
    target: provider.parseTarget(undefined),
    input: {},
    files: { image: { ...image, open: () => Promise.reject(new Error('The path is to be used.')) } },
    webhookUrl: null,
    uploadUrl: () => null,
    runLimitMs: 60_000,
    deadlineInMs: 60_000,
  }
  const answer = await provider.start(job, io)
  if (answer.kind !== 'accepted') throw new Error(answer.failure.message)
  return await vi.waitFor(
    async () => {
      const seen = (await provider.poll?.(answer.handle, io)) as Observation
      expect(seen.status).toMatch(/succeeded|failed/)
      return seen
    },
    { timeout: 25_000, interval: 20 },
  )
}

async function check(path: string) {
  const { size } = await stat(path)
  return await checkSplat(createReadStream(path), { bytes: size })
}

test('a photo becomes a verified splat in a process of its own', async () => {
  const root = await setup()
  const seen = await predict(root, rocket)
  expect(seen.failure).toBeUndefined()
  expect(seen.outputs).toHaveLength(1)
  const [output] = seen.outputs ?? []
  if (output?.kind !== 'path') throw new Error('The output is not a path.')
  expect(await check(output.path)).toMatchObject({
    valid: true,
    statistics: {
      count: expect.any(Number),
      image: { width: 640, height: 427 },
      comments: [expect.stringContaining('not SHARP')],
    },
  })
  expect(seen.progress).toEqual({ stage: 'write', fraction: 1 })
  expect(seen.logTail).toContain('Photo of 640 x 427 pixels')
})

test.for([
  { name: 'text', make: async () => Buffer.from('no photo') },
  { name: 'half a JPEG', make: async () => (await readFile(rocket)).subarray(0, 60_000) },
])('$name fails as input_invalid and leaves the gateway alone', async ({ make }) => {
  const root = await setup()
  const photo = join(root, 'photo.jpg')
  await writeFile(photo, await make())
  const seen = await predict(join(root, 'work'), photo)
  expect(seen).toMatchObject({ status: 'failed', failure: { code: 'input_invalid', fault: 'user' } })
})

test('stages come in order, with fractions that never fall, and the given focal length counts', async () => {
  const root = await setup()
  const outputPath = join(root, 'scene.ply')
  const stages: string[] = []
  const fractions: number[] = []
  await run(
    { input: { focal_length: 50 }, target: {}, files: { image: rocket }, outputPath },
    {
      progress: (stage, fraction) => {
        if (stages.at(-1) !== stage) stages.push(stage)
        fractions.push(fraction)
      },
      log: () => {},
    },
  )
  expect(stages).toEqual(['decode', 'depth', 'layers', 'write'])
  expect(fractions).toEqual([...fractions].sort((one, other) => one - other))
  expect([fractions[0], fractions.at(-1)]).toEqual([0, 1])
  const result = await check(outputPath)
  // 50 mm on the 43.27 mm diagonal of a 35 mm frame, in pixels of a 640 x 427 photo.
  const expected = (50 * Math.hypot(640, 427)) / Math.hypot(36, 24)
  expect(result.valid && result.statistics.focalPx).toBeCloseTo(expected, 2)
})
