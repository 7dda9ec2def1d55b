import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createFailure, SurefootError } from '../../core/failure.ts'
import { localPolicy } from '../../core/policy.ts'
import type { Job, Observation, Provider } from '../contract.ts'
import { local } from './index.ts'

/** An engine that does as its input says; it stands for every way in which a real one may end. */
const engineSource = `
import fs, { existsSync, watch, writeSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { copyFile, writeFile } from 'node:fs/promises'

export async function run({ input, files, outputPath }, report) {
  report.progress('work', 0.25)
  report.log('begun')
  switch (input.do) {
    case 'copy':
      return await copyFile(files.image, outputPath)
    case 'wait': {
      const { promise, resolve } = Promise.withResolvers()
      await writeFile(outputPath, 'half')
      const watcher = watch(input.folder, () => existsSync(input.gate) && resolve())
      report.progress('gate', 0.5)
      if (!existsSync(input.gate)) await promise
      watcher.close()
      return await writeFile(outputPath, 'whole')
    }
    case 'block':
      for (;;);
    case 'crash':
      writeSync(2, 'last words')
      process.kill(process.pid, 'SIGSEGV')
      for (;;);
    case 'throw':
      throw new Error('no idea')
    case 'fill': {
      // The worker's log lies on the same disk.
      const full = Object.assign(new Error('no space left on device, write'), { code: 'ENOSPC' })
      fs.writeSync = () => { throw full }
      syncBuiltinESMExports()
      throw full
    }
    case 'refuse': {
      const error = new Error('image is no photo.')
      error.failure = { code: 'input_invalid', message: 'image is no photo.' }
      error[Symbol.for('surefoot.SurefootError')] = true
      throw error
    }
    case 'hoard': {
      const kept = []
      for (;;) kept.push(new Array(1000).fill(kept.length))
    }
    case 'leave':
      return process.exit(0)
    case 'tell':
      report.log('environment: ' + Object.keys(process.env).sort().join(' '))
      return await writeFile(outputPath, 'x')
  }
}
`

async function setup(now: () => number = Date.now) {
  const root = await mkdtemp(join(tmpdir(), 'surefoot-local-'))
  onTestFinished(() => rm(root, { recursive: true, force: true, maxRetries: 5 }))
  const engine = join(root, 'engine.mjs')
  const photo = join(root, 'photo.jpg')
  const directory = join(root, 'work')
  await writeFile(engine, engineSource)
  await writeFile(photo, 'pixels')
  const options = { directory, memoryMb: 32, engines: { script: pathToFileURL(engine) }, now }
  const gate = join(root, 'gate')
  return {
    directory,
    options,
    provider: local(options),
    /** Another gateway on the same folder: knows nothing but what lies there. */
    restart: () => local(options),
    folder: (attempt: string) => join(directory, attempt),
    openGate: () => writeFile(gate, ''),
    job: (what: string, more: Partial<Job> = {}): Job => ({
      marker: { attemptId: 'attempt1', secret: 'secret' },
      model: 'surefoot/relief',
      target: { engine: 'script' },
      input: { do: what, gate, folder: root },
      files: {
        image: {
          name: 'photo.jpg',
          mediaType: 'image/jpeg',
          bytes: 6,
          sha256: '0'.repeat(64),
          url: null,
          path: photo,
          open: () => Promise.reject(new Error('The path is to be used.')),
        },
      },
      webhookUrl: null,
      uploadUrl: () => null,
      runLimitMs: 60_000,
      deadlineInMs: localPolicy.deadlineMs,
      ...more,
    }),
  }
}

const io = { fetch: globalThis.fetch, signal: new AbortController().signal }
const waiting = { timeout: 20_000, interval: 10 }

async function begin(provider: Provider, job: Job): Promise<{ attempt: string }> {
  const answer = await provider.start(job, io)
  if (answer.kind !== 'accepted') throw new Error(`${answer.kind}: ${answer.failure.message}`)
  return answer.handle as { attempt: string }
}

async function poll(provider: Provider, handle: { attempt: string }): Promise<Observation> {
  return (await provider.poll?.(handle, io)) as Observation
}

/** The first observation with this status. */
async function reach(
  provider: Provider,
  handle: { attempt: string },
  status: Observation['status'],
): Promise<Observation> {
  return await vi.waitFor(async () => {
    const seen = await poll(provider, handle)
    expect(seen.status).toBe(status)
    return seen
  }, waiting)
}

/** Waits for the engine's own sign that it is at work, and tells its process id. */
async function atWork(provider: Provider, handle: { attempt: string }, folder: string): Promise<number> {
  await vi.waitFor(
    async () => expect((await poll(provider, handle)).progress).toEqual({ stage: 'gate', fraction: 0.5 }),
    waiting,
  )
  return await pidOf(folder)
}

/** From the claim, which is empty for a moment. */
async function pidOf(folder: string): Promise<number> {
  const pid = Number(await readFile(join(folder, 'claim'), 'utf8'))
  expect(pid).toBeGreaterThan(0)
  return pid
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

describe('a run', () => {
  test('ends as succeeded with its output as a path, whole, at no cost', async () => {
    const { provider, job, folder } = await setup()
    const handle = await begin(provider, job('copy'))
    const seen = await reach(provider, handle, 'succeeded')
    const output = join(folder('attempt1'), 'scene.ply')
    expect(seen).toEqual({
      status: 'succeeded',
      word: 'succeeded',
      progress: { stage: 'work', fraction: 0.25 },
      logLength: 6,
      logTail: 'begun\n',
      outputs: [{ kind: 'path', path: output }],
      metrics: { runMs: expect.any(Number), totalMs: expect.any(Number) },
    })
    expect(await readFile(output, 'utf8')).toBe('pixels')
    expect(provider.cost(seen, {})).toEqual({ amount: 0, currency: 'USD', estimated: false })
    expect(provider.pricePerSecond({})).toBe(0)
  })

  test('shows nothing under its output name before it is whole', async () => {
    const { provider, job, folder, openGate } = await setup()
    const handle = await begin(provider, job('wait'))
    await atWork(provider, handle, folder('attempt1'))
    expect((await readdir(folder('attempt1'))).filter(name => name.startsWith('scene'))).toEqual(['scene.ply.partial'])
    await openGate()
    await reach(provider, handle, 'succeeded')
    expect((await readdir(folder('attempt1'))).filter(name => name.startsWith('scene'))).toEqual(['scene.ply'])
    expect(await readFile(join(folder('attempt1'), 'scene.ply'), 'utf8')).toBe('whole')
  })

  test('still names its output after somebody took it over and died before saying so', async () => {
    const { provider, job, folder } = await setup()
    const handle = await begin(provider, job('copy'))
    const seen = await reach(provider, handle, 'succeeded')
    await rm(join(folder('attempt1'), 'scene.ply'))
    expect(await poll(provider, handle)).toEqual(seen)
  })

  test("gets nothing of the gateway's environment", async () => {
    vi.stubEnv('SUREFOOT_SECRET', 'hidden')
    onTestFinished(() => void vi.unstubAllEnvs())
    const { provider, job } = await setup()
    const { logTail } = await reach(provider, await begin(provider, job('tell')), 'succeeded')
    expect(logTail).toBe('begun\nenvironment: TEMP TMP TMPDIR\n')
  })

  test.for([
    { what: 'throw', code: 'model_error', message: 'The engine failed: no idea.' },
    { what: 'refuse', code: 'input_invalid', message: 'image is no photo.' },
    { what: 'fill', code: 'storage_full', message: 'The disk is full.' },
    { what: 'hoard', code: 'out_of_memory', message: 'The engine needed more than 32 MiB of memory.' },
    { what: 'leave', code: 'model_error', message: 'The engine ended without a result.' },
    { what: 'nothing', code: 'model_error', message: expect.stringContaining('scene.ply.partial') },
  ])('whose engine does "$what" fails as $code', async ({ what, code, message }) => {
    const { provider, job } = await setup()
    const seen = await reach(provider, await begin(provider, job(what)), 'failed')
    expect(seen.failure).toMatchObject({ code, message })
  })

  test('ends by its own limit, however busy its engine is, and leaves no half output', async () => {
    const { provider, job, folder } = await setup()
    const handle = await begin(provider, job('block', { runLimitMs: 1 }))
    const pid = await vi.waitFor(() => pidOf(folder('attempt1')), waiting)
    expect((await reach(provider, handle, 'failed')).failure?.code).toBe('run_timeout')
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), waiting)
    expect(await exists(join(folder('attempt1'), 'scene.ply.partial'))).toBe(false)
  })

  test('that crashes its process is a lost worker, with the signal and the last words', async () => {
    const { provider, job } = await setup()
    const seen = await reach(provider, await begin(provider, job('crash')), 'failed')
    expect(seen.failure).toMatchObject({
      code: 'worker_lost',
      message: expect.stringMatching(/without a result \(signal SIGSEGV\)/),
    })
    expect(seen.logTail).toContain('last words')
  })

  test('whose work folder is gone is gone, and ends by itself', async () => {
    const { provider, job, folder } = await setup()
    const handle = await begin(provider, job('wait'))
    const pid = await atWork(provider, handle, folder('attempt1'))
    await rm(folder('attempt1'), { recursive: true, maxRetries: 5 })
    expect(await poll(provider, handle)).toEqual({ status: 'gone', word: 'no work folder' })
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), waiting)
  })
})

describe('a start', () => {
  test('makes its folder for this user only', async () => {
    const { provider, job, directory } = await setup()
    await reach(provider, await begin(provider, job('copy')), 'succeeded')
    expect((await stat(directory)).mode & 0o077).toBe(0)
  })

  test('of the same attempt twice runs once; the second does not know', async () => {
    const { provider, job, restart } = await setup()
    const answers = await Promise.all([provider.start(job('copy'), io), restart().start(job('copy'), io)])
    expect(answers.map(answer => answer.kind).sort()).toEqual(['accepted', 'unknown'])
    await reach(provider, { attempt: 'attempt1' }, 'succeeded')
  })

  test('without an engine for the model is rejected', async () => {
    const { provider, job } = await setup()
    const answer = await provider.start(job('copy', { model: 'acme/portrait', target: {} }), io)
    expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'deployment_missing' } })
  })

  test("never lets the relief pass under SHARP's name", async () => {
    const { provider, job } = await setup()
    const answer = await provider.start(job('copy', { model: 'surefoot/sharp', target: { engine: 'relief' } }), io)
    expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'deployment_missing' } })
  })

  test('with a file that is not on this disk brings it into its folder', async () => {
    const { provider, job, folder } = await setup()
    const { image } = job('copy').files
    if (image === undefined) throw new Error('The job has no image.')
    const open = async () => new Blob(['from elsewhere']).stream()
    const elsewhere = job('copy', { files: { image: { ...image, path: null, open } } })
    await reach(provider, await begin(provider, elsewhere), 'succeeded')
    expect(await readFile(join(folder('attempt1'), 'scene.ply'), 'utf8')).toBe('from elsewhere')
  })

  test('with a file that cannot be had is rejected, and leaves no folder', async () => {
    const { provider, job, folder } = await setup()
    const { image } = job('copy').files
    if (image === undefined) throw new Error('The job has no image.')
    const open = () => Promise.reject(new SurefootError(createFailure('provider_unreachable', 'The store is away.')))
    const answer = await provider.start(job('copy', { files: { image: { ...image, path: null, open } } }), io)
    expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'provider_unreachable' } })
    expect(await exists(folder('attempt1'))).toBe(false)
  })

  test('where no folder can be made is rejected', async () => {
    const { options, job, directory } = await setup()
    await writeFile(directory, 'a file in the way')
    expect(await local(options).start(job('copy'), io)).toMatchObject({
      kind: 'rejected',
      failure: { code: 'provider_error' },
    })
  })

  test('with an id that leads elsewhere is a broken call, not a folder', async () => {
    const { provider, job } = await setup()
    const start = provider.start(job('copy', { marker: { attemptId: '../other', secret: '' } }), io)
    await expect(start).rejects.toMatchObject({ failure: { code: 'internal' } })
  })

  test('removes work folders that nothing touched for a day, and no younger ones', async () => {
    const { provider, job, folder } = await setup()
    const now = Date.now()
    for (const [name, ageHours] of [
      ['old', 25],
      ['young', 23],
    ] as const) {
      await mkdir(folder(name), { recursive: true })
      const at = (now - ageHours * 3_600_000) / 1000
      await utimes(folder(name), at, at)
    }
    const handle = await begin(provider, job('copy'))
    await vi.waitFor(async () => expect(await exists(folder('old'))).toBe(false), waiting)
    await reach(provider, handle, 'succeeded')
    expect(await exists(folder('young'))).toBe(true)
  })
})

describe('a cancel', () => {
  test.for(['wait', 'block'])('has killed a worker in "%s" when it answers, and removes its output', async what => {
    const { provider, job, folder } = await setup()
    const handle = await begin(provider, job(what))
    const pid = await vi.waitFor(async () => {
      expect((await poll(provider, handle)).progress?.stage).toBe(what === 'wait' ? 'gate' : 'work')
      return await pidOf(folder('attempt1'))
    }, waiting)
    expect(await provider.cancel?.(handle, io)).toBe('ended')
    expect(isAlive(pid)).toBe(false)
    expect((await readdir(folder('attempt1'))).filter(name => name.startsWith('scene'))).toEqual([])
    expect(await poll(provider, handle)).toMatchObject({ status: 'canceled', word: 'canceled' })
  })

  test('right after the start leaves nothing that could still begin', async () => {
    const { provider, job, folder } = await setup()
    const handle = await begin(provider, job('copy'))
    expect(await provider.cancel?.(handle, io)).toBe('ended')
    expect((await poll(provider, handle)).status).toBe('canceled')
    expect(await exists(join(folder('attempt1'), 'scene.ply'))).toBe(false)
  })

  test("of another gateway's worker kills it; the poll confirms its end", async () => {
    const { provider, job, folder, restart } = await setup()
    const pid = await atWork(provider, await begin(provider, job('wait')), folder('attempt1'))
    const other = restart()
    expect(await other.cancel?.({ attempt: 'attempt1' }, io)).toMatch(/ended|requested/)
    await reach(other, { attempt: 'attempt1' }, 'canceled')
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), waiting)
    expect((await readdir(folder('attempt1'))).filter(name => name.startsWith('scene'))).toEqual([])
  })

  test('ends at once where there is no folder, and after the end', async () => {
    const { provider, job, folder } = await setup()
    expect(await provider.cancel?.({ attempt: 'nobody' }, io)).toBe('ended')
    const handle = await begin(provider, job('copy'))
    await reach(provider, handle, 'succeeded')
    expect(await provider.cancel?.(handle, io)).toBe('ended')
    expect(await exists(join(folder('attempt1'), 'scene.ply'))).toBe(false)
  })

  test("never signals a stranger who has got the worker's process id", async () => {
    const { provider, restart, job, folder } = await setup()
    await reach(provider, await begin(provider, job('copy')), 'succeeded')
    const path = join(folder('attempt1'), 'status.json')
    const status = JSON.parse(await readFile(path, 'utf8'))
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    onTestFinished(() => void stranger.kill('SIGKILL'))
    await writeFile(path, JSON.stringify({ ...status, state: 'running', pid: stranger.pid, heartbeatAt: 0 }))
    await restart().cancel?.({ attempt: 'attempt1' }, io)
    expect(stranger.killed || stranger.exitCode !== null || stranger.signalCode !== null).toBe(false)
    expect(isAlive(stranger.pid ?? 0)).toBe(true)
  })
})

describe('after a restart', () => {
  test('a run whose gateway was killed goes on and is adopted by handle and by attempt id', async () => {
    const { options, restart, job, folder, openGate, directory } = await setup()
    const script = join(directory, '..', 'gateway.mjs')
    const { files, ...rest } = job('wait')
    const source = `
      import { local } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
      const job = { ...${JSON.stringify(rest)}, files: ${JSON.stringify(files)}, uploadUrl: () => null }
      const provider = local(${JSON.stringify({ ...options, now: undefined })})
      const answer = await provider.start(job, { fetch, signal: new AbortController().signal })
      process.send(answer.handle)
      setInterval(() => {}, 1000)
    `
    await writeFile(script, source)
    const gateway = spawn(process.execPath, [script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    onTestFinished(() => void gateway.kill('SIGKILL'))
    const [handle] = (await once(gateway, 'message')) as [{ attempt: string }]
    const next = restart()
    const pid = await atWork(next, handle, folder('attempt1'))
    gateway.kill('SIGKILL')
    await once(gateway, 'exit')
    expect(isAlive(pid)).toBe(true)
    expect((await poll(next, handle)).status).toBe('running')
    expect(await next.find?.({ attemptId: 'attempt1', secret: '' }, 0, io)).toMatchObject([
      { handle, seen: { status: 'running' } },
    ])
    await openGate()
    await reach(next, handle, 'succeeded')
    expect(await readFile(join(folder('attempt1'), 'scene.ply'), 'utf8')).toBe('whole')
  })

  test('a start that died before its worker existed is not found, and can never begin', async () => {
    const { provider, job, folder, options } = await setup()
    await mkdir(folder('attempt1'), { recursive: true })
    expect(await provider.find?.({ attemptId: 'attempt1', secret: '' }, 0, io)).toEqual([])
    expect(await provider.find?.({ attemptId: 'attempt1', secret: '' }, 0, io)).toEqual([])
    expect((await provider.start(job('copy'), io)).kind).toBe('unknown')
    // The worker of that start, were it only slow to boot:
    await writeFile(
      join(folder('attempt1'), 'job.json'),
      JSON.stringify({ module: String(options.engines.script), input: {}, files: {}, runLimitMs: 1, memoryMb: 32 }),
    )
    const worker = new URL('./worker.ts', import.meta.url)
    const late = spawn(process.execPath, [worker.pathname, folder('attempt1')], { stdio: 'ignore' })
    expect(await once(late, 'exit')).toEqual([0, null])
    expect((await readdir(folder('attempt1'))).sort()).toEqual(['claim', 'job.json'])
  })

  test('an attempt that nobody ever started is not found, and a start that comes late is refused', async () => {
    const { provider, job } = await setup()
    expect(await provider.find?.({ attemptId: 'attempt1', secret: '' }, 0, io)).toEqual([])
    expect((await provider.start(job('copy'), io)).kind).toBe('unknown')
    expect(await poll(provider, { attempt: 'attempt1' })).toMatchObject({
      status: 'failed',
      failure: { code: 'worker_lost' },
    })
  })

  test('a worker that was killed unseen is lost', async () => {
    const { provider, restart, job, folder } = await setup()
    const handle = await begin(provider, job('wait'))
    const pid = await atWork(provider, handle, folder('attempt1'))
    process.kill(pid, 'SIGKILL')
    const seen = await reach(restart(), handle, 'failed')
    expect(seen.failure).toMatchObject({
      code: 'worker_lost',
      message: expect.stringMatching(/ended at "gate" without a result/),
    })
  })

  test('a worker that died because the disk was full is lost, with nothing but empty files to tell of it', async () => {
    const { provider, folder } = await setup()
    await mkdir(folder('attempt1'), { recursive: true })
    for (const name of ['job.json', 'claim', 'exit.json']) await writeFile(join(folder('attempt1'), name), '')
    expect(await poll(provider, { attempt: 'attempt1' })).toMatchObject({
      status: 'failed',
      failure: { code: 'worker_lost' },
    })
  })

  test('a worker that never began is booting for 15 s, then lost, and can begin no more', async () => {
    let ahead = 0
    const { provider, folder } = await setup(() => Date.now() + ahead)
    const handle = { attempt: 'attempt1' }
    await mkdir(folder('attempt1'), { recursive: true })
    await writeFile(join(folder('attempt1'), 'job.json'), '{}')
    const at = 1_700_000_000
    await utimes(join(folder('attempt1'), 'job.json'), at, at)
    ahead = at * 1000 - Date.now() + 14_000
    expect(await poll(provider, handle)).toEqual({ status: 'booting', word: 'starting' })
    ahead += 2_000
    expect(await poll(provider, handle)).toMatchObject({ status: 'failed', failure: { code: 'worker_lost' } })
    expect(await readFile(join(folder('attempt1'), 'claim'), 'utf8')).toBe('gateway')
  })

  test('a status file that cannot be read is no end of the run', async () => {
    const { provider, job, folder } = await setup()
    const handle = await begin(provider, job('copy'))
    await reach(provider, handle, 'succeeded')
    await writeFile(join(folder('attempt1'), 'status.json'), '{')
    await expect(poll(provider, handle)).rejects.toMatchObject({ failure: { code: 'provider_error' } })
  })
})

describe('config', () => {
  test('takes a target with a known engine, or none', async () => {
    const { provider } = await setup()
    expect(provider.parseTarget(undefined)).toEqual({})
    expect(provider.parseTarget({ engine: 'script' })).toEqual({ engine: 'script' })
  })

  test.for([{ engine: 'other' }, { engine: 1 }, { motor: 'relief' }, 'relief'])(
    'refuses the target %o',
    async target => {
      const { provider } = await setup()
      expect(() => provider.parseTarget(target)).toThrow(/engine|motor|it is wrong/)
    },
  )

  test('names a wrong option', () => {
    expect(() => local({ directory: '' })).toThrow(/directory/)
    expect(() => local({ directory: 'x', memoryMb: 1 })).toThrow(/memoryMb/)
  })
})
