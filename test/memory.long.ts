import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { statfs, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { PredictionJson } from '../src/http/shapes.ts'
import { sharpVertexFloats, writeSharpPly } from '../src/splat/sharp-layout.ts'
import { makeFolder, root, start, startGateway } from './support/gateway.ts'

const mostGrowth = 200e6
const sharpBytes = 66_061_086
const hugeBytes = 2 ** 31
const neededBytes = hugeBytes + 35 * sharpBytes + 1e9

/** A SHARP file with some spread in it, and a huge one that takes no room: a hole. */
async function makeFiles(folder: string) {
  const scene = join(folder, 'scene.ply')
  const huge = join(folder, 'huge.bin')
  const vertices = new Float32Array(1_179_648 * sharpVertexFloats)
  for (let row = 0; row < vertices.length; row += sharpVertexFloats)
    vertices.set([row % 7, row % 5, 2 + (row % 3), 0.2, -0.4, 1.1, 2, -5, -5.5, -6, 1, 0, 0, 0], row)
  const image = { width: 4032, height: 3024 }
  const ply = writeSharpPly({ vertices, image, focalPx: 3_000, disparityQuantiles: [0.08, 0.5] })
  await pipeline(Readable.from(ply), createWriteStream(scene))
  writeFileSync(huge, 'huge')
  await truncate(huge, hugeBytes)
  return { scene, huge }
}

/** A gateway of its own process, with a model that takes whatever the vendors beside it give. */
async function setup() {
  const folder = makeFolder()
  const { scene, huge } = await makeFiles(folder)
  const vendors = start(process.execPath, [join(root, 'test/support/bulk-vendors.ts'), huge, scene], { cwd: folder })
  const [, replicate = '', cog = ''] = await vendors.said(/serving (\S+) (\S+)/)
  writeFileSync(
    join(folder, 'surefoot.config.mjs'),
    `import { z } from 'zod'
import { cog, defineModel, replicate } from '${join(root, 'src/index.ts')}'

const model = defineModel({
  name: 'test/bulk',
  description: 'Bytes.',
  input: z.object({ bytes: z.int() }),
  output: { name: 'bytes.bin', mediaType: 'application/octet-stream', maxBytes: 3e9 },
})
const target = model => ({ model, hardware: 'gpu-l40s' })
const policy = { deadlineMs: 1_200_000, collectMs: 600_000, stallMs: 600_000, lastStageMs: 600_000 }
export default {
  providers: {
    replicate: replicate({ token: 'any', baseUrl: '${replicate}/v1' }),
    cog: cog({ baseUrl: '${cog}', mode: 'held' }),
  },
  deployments: {
    'test/bulk@replicate': { target: target('test/bulk'), concurrency: 20 },
    'sharp@replicate': { target: target('surefoot/sharp'), concurrency: 20 },
    'sharp@cog': { target: {}, concurrency: 20 },
  },
  models: {
    'test/bulk': { model, route: ['test/bulk@replicate'], policy },
    sharp: { route: ['sharp@replicate'], policy },
  },
}
`.replace("'zod'", `'${join(root, 'node_modules/zod/index.js')}'`),
  )
  const gateway = await startGateway({ cwd: folder })
  return { scene, huge, url: gateway.url, pid: gateway.child.pid ?? 0 }
}

const photo = `data:image/jpeg;base64,${readFileSync(join(root, 'examples/photos/rocket.jpg')).toString('base64')}`

/** Asks for a prediction and waits for its end. */
async function predict(url: string, model: string, body: object): Promise<PredictionJson> {
  const created = await fetch(`${url}/v1/models/${model}/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const { id } = (await created.json()) as PredictionJson
  for (;;) {
    const seen = (await (await fetch(`${url}/v1/predictions/${id}`)).json()) as PredictionJson
    if (seen.surefoot.settled) return seen
    await pause(250)
  }
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

function summarize({ status, error, surefoot }: PredictionJson) {
  return { status, error, deployment: surefoot.deployment, sha256: surefoot.output?.sha256 }
}

/** Resident bytes of a process, now and at most since the last call; the kernel counts them. */
function readMemory(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) * 1024
  const memory = { now: kilobytes('VmRSS'), peak: kilobytes('VmHWM') }
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  return memory
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`

test('a gateway stays under 200 MB above idle while it takes in 66 MB twenty times at once, ten times in base64, and 2 GB', async context => {
  if (!existsSync('/proc/self/clear_refs')) context.skip('Peaks are read from Linux, which this is not.')
  const { bavail, bsize } = await statfs(root)
  if (bavail * bsize < neededBytes) context.skip(`It needs ${megabytes(neededBytes)} of free disk.`)
  const { scene, huge, url, pid } = await setup()
  const sha256 = await digest(scene)
  const sharp = (deployments: readonly string[]) =>
    predict(url, 'surefoot/sharp', { input: { image: photo }, surefoot: { deployments } })
  const bulk = (bytes: number) => predict(url, 'test/bulk', { input: { bytes } })

  // Everything has been used once, and only small things have passed.
  expect(await bulk(1_000)).toMatchObject({ status: 'succeeded' })
  await pause(3_000)
  const idle = readMemory(pid).now

  async function measure<T>(what: string, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now()
    const result = await work()
    const growth = readMemory(pid).peak - idle
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    console.log(`${what}: ${megabytes(growth)} above ${megabytes(idle)} at idle, ${seconds} s.`)
    grown.push({ what, isFlat: growth < mostGrowth })
    return result
  }
  const grown: { what: string; isFlat: boolean }[] = []

  const byUrl = await measure('20 at once by URL', () =>
    Promise.all(Array.from({ length: 20 }, () => sharp(['sharp@replicate']))),
  )
  const succeeded = { status: 'succeeded', error: null, sha256 }
  expect(byUrl.map(summarize)).toEqual(byUrl.map(() => ({ ...succeeded, deployment: 'sharp@replicate' })))

  const inAnswers = await measure('10 at once inside answers, in base64', () =>
    Promise.all(Array.from({ length: 10 }, () => sharp(['sharp@cog']))),
  )
  expect(inAnswers.map(summarize)).toEqual(inAnswers.map(() => ({ ...succeeded, deployment: 'sharp@cog' })))

  const large = await measure('2 GB by URL', () => bulk(hugeBytes))
  expect(summarize(large)).toEqual({
    ...succeeded,
    deployment: 'test/bulk@replicate',
    sha256: await digest(huge),
  })
  expect(grown.filter(({ isFlat }) => !isFlat)).toEqual([])
})
