import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import exifr from 'exifr'
import sharp from 'sharp'
import { expect, onTestFinished, test, vi } from 'vitest'
import { sharp as sharpModel } from '../../models/sharp.ts'
import { checkSplat } from '../../splat/check.ts'
import type { Job, Observation } from '../contract.ts'
import { local } from './index.ts'
import type { Plan } from './test-sharp.ts'
import { statusSchema } from './wire.ts'

const io = { fetch: globalThis.fetch, signal: new AbortController().signal }
const waiting = { timeout: 30_000, interval: 20 }

/** A `sharp` that does as the plan says, in a place of its own. */
async function setup(plan: Omit<Plan, 'note'>, target: object = {}, input: Job['input'] = {}) {
  const root = await mkdtemp(join(tmpdir(), 'surefoot-sharp-'))
  onTestFinished(() => rm(root, { recursive: true, force: true, maxRetries: 5 }))
  const [command, planPath, note, photo] = ['sharp', 'plan.json', 'note.json', 'in.jpg'].map(name => join(root, name))
  if (!command || !planPath || !note || !photo) throw new Error('no paths')
  await writeFile(planPath, JSON.stringify({ ...plan, note } satisfies Plan))
  const standIn = join(import.meta.dirname, 'test-sharp.ts')
  await writeFile(command, `#!/bin/sh\nexec "${execPath}" "${standIn}" "${planPath}" "$@"\n`)
  await chmod(command, 0o755)
  const pixels = { create: { width: 64, height: 48, channels: 3, background: '#808080' } } as const
  await writeFile(
    photo,
    await sharp(pixels)
      .jpeg()
      .withExif({ IFD2: { FocalLengthIn35mmFilm: '28' } })
      .toBuffer(),
  )
  const directory = join(root, 'work')
  const provider = local({ directory, environment: { PATH: root, TORCH_HOME: '/torch' } })
  const answer = await provider.start(
    {
      marker: { attemptId: 'attempt1', secret: 'secret' },
      model: 'surefoot/sharp',
      target: provider.parseTarget({ command, ...target }, 'surefoot/sharp'),
      input,
      files: {
        image: {
          name: 'in.jpg',
          mediaType: 'image/jpeg',
          bytes: 1,
          sha256: '0'.repeat(64),
          url: null,
          path: photo,
          open: () => Promise.reject(new Error('The path is to be used.')),
        },
      },
      webhookUrl: null,
      uploadUrl: () => null,
      runLimitMs: 60_000,
      deadlineInMs: 60_000,
    },
    io,
  )
  if (answer.kind !== 'accepted') throw new Error(`${answer.kind}: ${answer.failure.message}`)
  const { handle } = answer
  onTestFinished(async () => void (await provider.cancel?.(handle, io)))
  const poll = async () => (await provider.poll?.(handle, io)) as Observation
  return {
    poll,
    provider,
    handle,
    folder: join(directory, 'attempt1'),
    photo: join(directory, 'attempt1', 'photo.png'),
    cancel: () => provider.cancel?.(handle, io),
    given: async () => JSON.parse(await readFile(note, 'utf8')) as { pid: number; args: string[]; env: string[] },
    reach: (status: Observation['status']) =>
      vi.waitFor(async () => {
        const seen = await poll()
        expect(seen.status).toBe(status)
        return seen
      }, waiting),
  }
}

/** Also of a process that has ended and that nobody has asked for its end yet. */
async function isGone(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) === ''
}

test('a photo becomes a splat that the model takes, with stages from what sharp logs', async () => {
  const { reach, given, folder } = await setup({ ends: 'well' }, { device: 'cuda', checkpoint: '/weights/sharp.pt' })
  const seen = await reach('succeeded')
  const path = join(folder, 'scene.ply')
  expect(seen).toMatchObject({ outputs: [{ kind: 'path', path }], progress: { stage: 'write', fraction: 0.85 } })
  expect(seen.logTail).toMatch(
    /for research only.*\n.*Using device cuda\n.*Loading checkpoint from \/weights\/sharp\.pt\n/s,
  )
  expect(seen.logTail).not.toContain(folder)
  const { bytes } = { bytes: (await stat(path)).size }
  const open = async () => {
    const body = new Blob([await readFile(path)]).stream()
    return { body, bytes, total: bytes }
  }
  expect(await sharpModel.verify({ bytes, open })).toMatchObject({ valid: true })
  const { args, env } = await given()
  expect(args).toEqual([
    ...['-i', join(folder, 'photo.png'), '-o', join(folder, 'sharp')],
    ...['--device', 'cuda', '-c', '/weights/sharp.pt'],
  ])
  expect(env.filter(name => !['OLDPWD', 'PWD', 'SHLVL', '_'].includes(name))).toEqual([
    ...['PATH', 'TEMP', 'TMP', 'TMPDIR', 'TORCH_HOME'],
  ])
})

test.for([
  { words: "the photo's own", input: {}, tag: { FocalLength: 28 } },
  { words: 'a given one', input: { focal_length: 24.5 }, tag: { FocalLength: 24.5 } },
  { words: 'one that sharp would multiply', input: { focal_length: 8 }, tag: { FocalLengthIn35mmFormat: 8 } },
])('sharp is told the focal length, $words, in the picture', async ({ input, tag }) => {
  const { reach, photo } = await setup({ ends: 'well' }, {}, input)
  await reach('succeeded')
  const { exif, width, height } = await sharp(await readFile(photo)).metadata()
  expect([width, height]).toEqual([64, 48])
  const tiff = exif?.subarray(exif.indexOf('Exif') === 0 ? 6 : 0) ?? Buffer.alloc(0)
  expect(await exifr.parse(tiff, { pick: ['FocalLength', 'FocalLengthIn35mmFormat'] })).toEqual(tag)
})

test('infinities that its writer leaves are replaced, and the log says so', async () => {
  const { reach, folder } = await setup({ ends: 'infinite' })
  expect((await reach('succeeded')).logTail).toContain('8 infinite opacities or sizes were replaced')
  const check = await checkSplat(new Blob([await readFile(join(folder, 'scene.ply'))]).stream())
  expect(check.valid).toBe(true)
})

test.for([
  { ends: 'oom', code: 'out_of_memory', says: /GPU's memory.*CUDA out of memory/ },
  { ends: 'no-cuda', code: 'no_gpu', says: /Found no NVIDIA driver/ },
  { ends: 'no-weights', code: 'deployment_missing', says: /weights are missing/, advice: /licence.*`checkpoint`/ },
  { ends: 'no-network', code: 'deployment_missing', says: /could not download/, advice: /licence.*`checkpoint`/ },
  { ends: 'traceback', code: 'model_error', says: /exit code 1\): ValueError: not enough values/ },
  { ends: 'killed', code: 'worker_lost', says: /ended from outside by SIGKILL/, advice: /ran out of memory/ },
  { ends: 'nothing', code: 'output_lost', says: /without an output/ },
  { ends: 'no-picture', code: 'input_invalid', says: /no valid images/ },
  { ends: 'usage', code: 'deployment_missing', says: /not Apple's sharp.*No such option/, advice: /sharp-cli/ },
] as const)('a sharp that ends with "$ends" fails as $code', async ({ ends, code, says, ...more }) => {
  const { reach } = await setup({ ends })
  const { failure } = await reach('failed')
  expect(failure).toMatchObject({ code, message: expect.stringMatching(says) })
  if ('advice' in more) expect(failure?.advice).toMatch(more.advice ?? '')
})

test('a command that is not there fails as deployment_missing', async () => {
  const { reach } = await setup({ ends: 'well' }, { command: '/nowhere/sharp' })
  const { failure } = await reach('failed')
  expect(failure).toMatchObject({ code: 'deployment_missing', advice: expect.stringContaining('ml-sharp') })
})

test('a processor that nobody asked for is refused before its minutes begin, and used where it is named', async () => {
  const unasked = await setup({ ends: 'waits', finds: 'cpu' })
  expect((await unasked.reach('failed')).failure).toMatchObject({ code: 'no_gpu' })
  await vi.waitFor(async () => expect(await isGone((await unasked.given()).pid)).toBe(true), waiting)
  const asked = await setup({ ends: 'well' }, { device: 'cpu' })
  await asked.reach('succeeded')
})

test('a flood of words leaves the end of the log, and the result', async () => {
  const { reach } = await setup({ ends: 'well', flood: 20_000 })
  const { logTail, logLength, progress } = await reach('succeeded')
  expect(logTail?.length).toBeLessThanOrEqual(4_000)
  expect(logLength).toBeGreaterThan(4_000)
  expect(progress?.stage).toBe('write')
})

test('a download of weights is a stage with a fraction, and no log', async () => {
  const { poll } = await setup({ ends: 'downloads' })
  await vi.waitFor(async () => expect((await poll()).progress?.stage).toBe('download'), waiting)
  const { progress, logTail } = await poll()
  expect(progress?.fraction).toBeCloseTo(0.2)
  expect(logTail).not.toContain('%|')
})

test('one that hangs lives on and shows nothing, so that the stall watch can see it', async () => {
  const { poll, folder } = await setup({ ends: 'waits' })
  const heartbeat = async () =>
    statusSchema.parse(JSON.parse(await readFile(join(folder, 'status.json'), 'utf8'))).heartbeatAt
  await vi.waitFor(async () => expect((await poll()).progress?.stage).toBe('infer'), waiting)
  // What it used to start may still be told in the two ticks to come.
  const settled = (await heartbeat()) + 4_500
  await vi.waitFor(async () => expect(await heartbeat()).toBeGreaterThan(settled), waiting)
  const { logLength, progress } = await poll()
  await vi.waitFor(async () => expect(await heartbeat()).toBeGreaterThan(settled + 2_500), waiting)
  expect(await poll()).toMatchObject({ status: 'running', logLength, progress })
})

test.skipIf(process.platform !== 'linux')('one that works without a word shows what it uses', async () => {
  const { poll } = await setup({ ends: 'works' })
  await vi.waitFor(async () => expect((await poll()).logTail).toMatch(/used \d+ s of processor time/), waiting)
})

test('a cancel has killed sharp too', async () => {
  const { poll, cancel, given } = await setup({ ends: 'waits' })
  await vi.waitFor(async () => expect((await poll()).progress?.stage).toBe('infer'), waiting)
  const { pid } = await given()
  expect(await cancel()).toBe('ended')
  await vi.waitFor(async () => expect(await isGone(pid)).toBe(true), waiting)
})

test('a worker that is killed takes sharp along', async () => {
  const { poll, given, folder, reach } = await setup({ ends: 'waits' })
  await vi.waitFor(async () => expect((await poll()).progress?.stage).toBe('infer'), waiting)
  const { pid } = await given()
  process.kill(Number(await readFile(join(folder, 'claim'), 'utf8')), 'SIGKILL')
  expect((await reach('failed')).failure?.code).toBe('worker_lost')
  await vi.waitFor(async () => expect(await isGone(pid)).toBe(true), waiting)
})
