// Loaded before anything is measured: adapters load their SDKs with their first call, which takes no simulated time then.
import 'modal'
import sharp from 'sharp'
import { afterAll, expect, it } from 'vitest'
import { createAwsEmulator } from '../emulators/aws/index.ts'
import { createBasetenEmulator } from '../emulators/baseten/index.ts'
import { type FaultName, faultsAt } from '../emulators/catalogue.ts'
import { createCogEmulator } from '../emulators/cog/index.ts'
import { createKoyebEmulator } from '../emulators/koyeb/index.ts'
import { createModalEmulator, grpcOverFetch } from '../emulators/modal/index.ts'
import { createReplicateEmulator } from '../emulators/replicate/index.ts'
import { createRunpodEmulator } from '../emulators/runpod/index.ts'
import { createFixedWork } from '../emulators/works.ts'
import { relief as reliefModel } from '../models/relief.ts'
import { ecs } from '../providers/aws/ecs/index.ts'
import { lambda } from '../providers/aws/lambda/index.ts'
import { sagemaker } from '../providers/aws/sagemaker/index.ts'
import { emulated, warmUp } from '../providers/aws/test-support.ts'
import { baseten } from '../providers/baseten/index.ts'
import { cog } from '../providers/cog/index.ts'
import { koyeb } from '../providers/koyeb/index.ts'
import { modal } from '../providers/modal/index.ts'
import { replicate } from '../providers/replicate/index.ts'
import { runpod } from '../providers/runpod/index.ts'
import { relief } from '../relief/relief.ts'
import { writeSharpPly } from '../splat/sharp-layout.ts'
import { createRandom } from './random.ts'
import { type Errand, predict, type Setting } from './test-prediction.ts'

/**
 * Photo to verified PLY at every provider's emulator: healthy, and under each fault that it can commit, for every run,
 * with a healthy second provider behind it. Every prediction must reach a right end.
 */
const aws = (parts: Parameters<typeof createAwsEmulator>[0]) =>
  createAwsEmulator({ ...parts, credentials: emulated.credentials })
const places: { readonly [kind: string]: Setting } = {
  replicate: {
    emulator: createReplicateEmulator,
    provider: () => replicate({ token: 't', baseUrl: 'https://replicate.test/v1' }),
    target: { model: 'test/relief', hardware: 'gpu-l40s' },
  },
  runpod: {
    emulator: createRunpodEmulator,
    provider: () => runpod({ apiKey: 'k', baseUrl: 'https://runpod.test/v2' }),
    target: { endpoint: 'abc123', hardware: 'l40s', kit: true },
  },
  baseten: {
    emulator: parts => createBasetenEmulator({ ...parts, webhookSecrets: ['whsec_one'] }),
    provider: () => baseten({ apiKey: 'k', baseUrl: 'https://baseten.test', webhookSecrets: ['whsec_one'] }),
    target: { model: 'abcd1234', hardware: 'l4', kit: true },
  },
  modal: {
    emulator: createModalEmulator,
    provider: fetch =>
      modal({ tokenId: 'ak', tokenSecret: 'as', grpcMiddleware: [grpcOverFetch(fetch, 'https://modal.test')] }),
    target: { app: 'relief', function: 'predict', hardware: 'l4', kit: true },
  },
  cog: {
    emulator: createCogEmulator,
    provider: () => cog({ baseUrl: 'https://cog.test' }),
    target: { pricePerSecond: 0.0002, kit: true },
    beginAfterMs: 10_000,
  },
  koyeb: {
    emulator: createKoyebEmulator,
    provider: () => koyeb({ baseUrl: 'https://koyeb.test' }),
    target: { hardware: 'gpu-nvidia-l4', kit: true },
    beginAfterMs: 10_000,
  },
  ecs: {
    emulator: aws,
    provider: () => ecs({ ...emulated, cluster: 'gpu', bucket: 'predictions' }),
    target: { taskDefinition: 'relief:1', capacityProvider: 'gpu-asg', gpus: 1, hardware: 'g6e.xlarge' },
  },
  lambda: {
    emulator: aws,
    provider: () => lambda({ ...emulated, bucket: 'predictions' }),
    target: { function: 'relief:live', memoryMb: 1024 },
  },
  sagemaker: {
    emulator: aws,
    provider: () => sagemaker({ ...emulated, bucket: 'predictions' }),
    target: { endpoint: 'relief', kit: true, pricePerSecond: 0.0004 },
  },
}

/** What may say that the caller's input is wrong: then no other provider is asked to find that out again. */
const blamesInput: readonly FaultName[] = ['create-400', 'create-413', 'create-422']

const errand = await createErrand()
const ends = new Map<string, { right: number; of: number }>()

afterAll(() => {
  const rows = [...ends].map(([kind, { right, of }]) => `${kind} ${right}/${of}`)
  console.log(`Photo to verified PLY, right ends under each fault with a healthy second provider: ${rows.join(', ')}`)
})

it.each(Object.entries(places))('%s, healthy: a photo becomes a verified PLY for one start', async (kind, place) => {
  await warmUp()
  const end = await predict([], { ...place, errand })
  note(kind, end.status === 'succeeded')
  expect(end).toEqual({ status: 'succeeded', code: null, submits: 1, running: 0, settled: true })
})

const cells = Object.keys(places).flatMap(kind => faultsAt(kind).map((fault): [string, FaultName] => [kind, fault]))

it.each(cells)('%s under %s, with a healthy second provider: a right end', async (kind, fault) => {
  const place = places[kind] as Setting
  const { status, code, settled } = await predict([fault], { ...place, errand, second: healthySecond })
  const isBlamed = blamesInput.includes(fault) && (code === 'input_invalid' || code === 'input_too_large')
  note(kind, settled && (status === 'succeeded' || isBlamed))
  expect({ status, code, settled }).toEqual({
    status: isBlamed ? 'failed' : 'succeeded',
    code: isBlamed ? code : null,
    settled: true,
  })
})

function healthySecond(clock: Parameters<NonNullable<Setting['second']>>[0]) {
  const { output } = errand
  return {
    host: 'second.test',
    emulator: createReplicateEmulator({ clock, random: createRandom(2), work: createFixedWork({ clock, ...output }) }),
    provider: replicate({ token: 't', baseUrl: 'https://second.test/v1' }),
    target: { model: 'test/relief', hardware: 'gpu-l40s' },
  }
}

/** A small photo, and the splat that relief makes of it. */
async function createErrand(): Promise<Errand> {
  const [width, height] = [48, 32]
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, index) => (index * 37) % 256)
  const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
  const scene = relief({ width, height, data: pixels }, { focalPx: 40, originalWidth: width, originalHeight: height })
  const bytes = Uint8Array.from(Buffer.concat([...writeSharpPly(scene)]))
  return {
    model: reliefModel,
    input: { image: `data:image/png;base64,${png.toString('base64')}` },
    output: { name: 'scene.ply', mediaType: 'application/octet-stream', bytes },
  }
}

function note(kind: string, isRight: boolean): void {
  const { right, of } = ends.get(kind) ?? { right: 0, of: 0 }
  ends.set(kind, { right: right + (isRight ? 1 : 0), of: of + 1 })
}
