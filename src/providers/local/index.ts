import type { ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createFailure, SurefootError } from '../../core/failure.ts'
import type { Json } from '../../core/json.ts'
import type { CancelAnswer, Job, Provider, StartAnswer } from '../contract.ts'
import {
  hasCode,
  makeFolder,
  readText,
  removeOutput,
  sweep,
  takeClaim,
  type WorkFolder,
  workFolderOf,
  writeJson,
} from './folder.ts'
import { moduleBeside } from './module-beside.ts'
import { look, observe } from './observe.ts'
import { type LocalOptions, parseOptions, parseTarget } from './options.ts'
import { freeOfCharge } from './prices.ts'
import { checkSharp } from './sharp-check.ts'
import { sharpTargetSchema } from './sharp-target.ts'
import { handleSchema, type WorkOrder } from './wire.ts'
import { findWorker, killGroup, killWorker, startWorker } from './worker-process.ts'

export type { EngineJob, EngineReport, RunEngine } from './engine.ts'
export type { LocalOptions } from './options.ts'

const resultKeptMs = 24 * 60 * 60_000
const sweepEveryMs = 60 * 60_000

/** Apple's command line, which needs to find its Python, its cache and its GPU. */
const sharpEngine = 'sharp'

/** Which engine makes a model's output when the target names none. */
const engineOfModel = new Map([
  ['surefoot/relief', 'relief'],
  ['surefoot/sharp', 'sharp'],
])

/**
 * Runs models on this machine, each attempt in a process and a folder of its own. A worker lives on when this process
 * dies, and whoever opens the same folder next picks it up: by handle, or by attempt id.
 *
 * @example
 * local({ directory: '.surefoot/local' })
 */
export function local(options: LocalOptions): Provider {
  const { refusedBy, directory, memoryMb, engines: more, environment, now } = parseOptions(options)
  const engines = new Map<string, string>([
    ['relief', moduleBeside(import.meta.url, './relief-engine').href],
    [sharpEngine, moduleBeside(import.meta.url, './sharp-engine').href],
    ...Object.entries(more).map(([name, module]): [string, string] => [name, String(module)]),
  ])
  /** Workers of this process that have not ended, by attempt. */
  const children = new Map<string, ChildProcess>()
  let sweptAt = Number.NEGATIVE_INFINITY

  async function sweepNowAndThen(): Promise<void> {
    if (now() - sweptAt < sweepEveryMs) return
    sweptAt = now()
    await sweep(directory, now() - resultKeptMs)
  }

  /** From here on a process may exist, so nothing may throw that has an answer. */
  async function begin(
    folder: WorkFolder,
    attempt: string,
    order: Omit<WorkOrder, 'files'>,
    bring: () => Promise<WorkOrder['files']>,
  ): Promise<StartAnswer> {
    try {
      const job: WorkOrder = { ...order, files: await bring() }
      await writeJson(folder.job, job)
      const isSharp = job.module === engines.get(sharpEngine)
      const child = await startWorker(folder, isSharp ? environment : {})
      // It may have ended already, and an end that was missed would leave it alive for ever in our eyes.
      if (child.exitCode === null && child.signalCode === null) {
        children.set(attempt, child)
        child.once('exit', () => children.delete(attempt))
      }
      return { kind: 'accepted', handle: { attempt }, seen: { status: 'booting', word: 'starting' } }
    } catch (error) {
      await rm(folder.path, { recursive: true, force: true })
      return rejectFor(error)
    }
  }

  return {
    kind: 'local',
    limits: {
      inputForms: ['path'],
      outputForms: ['path'],
      inlineOutputBytes: null,
      resultKeptMs,
      heldStart: false,
      startTimeoutMs: 10_000,
      callTimeoutMs: 5_000,
      pollMs: 100,
      findIsExact: true,
      thisHostOnly: true,
    },
    trustedOrigins: [],
    parseTarget: (target, model) =>
      parseTarget(target, [...engines.keys()], model === undefined ? undefined : engineOfModel.get(model)),
    fillsHost: ({ engine }) => engine === sharpEngine,

    async start(job, io) {
      io.signal.throwIfAborted()
      if (refusedBy !== null)
        return {
          kind: 'rejected',
          failure: createFailure(
            'deployment_missing',
            `${refusedBy} ends processes with the request, so nothing can run on this machine.`,
            {
              advice: 'Route the model to a provider, or run the gateway where processes may live.',
            },
          ),
        }
      const prepared = prepare(job, engines, memoryMb)
      if ('kind' in prepared) return prepared
      const attempt = job.marker.attemptId
      const folder = workFolderOf(directory, attempt)
      try {
        if (!(await makeFolder(directory, folder)))
          return {
            kind: 'unknown',
            failure: createFailure('start_unknown', 'This attempt was started once already.'),
          }
      } catch (error) {
        return rejectFor(error)
      }
      // Beside the start, and without a say in it: what cannot be removed today is in nobody's way.
      void sweepNowAndThen().catch(() => {})
      return await begin(folder, attempt, prepared, () => bringFiles(job, folder, io.signal))
    },

    async poll(handle) {
      const attempt = readHandle(handle)
      return await observe(workFolderOf(directory, attempt), children.get(attempt), now())
    },

    /**
     * Exact, because it takes part in the same race as the worker: either the claim is a worker's, and the run is ours
     * to adopt, or it becomes ours, and no worker of this attempt can ever begin, not even one that is just starting.
     */
    async find({ attemptId }) {
      const folder = workFolderOf(directory, attemptId)
      await makeFolder(directory, folder)
      if (await takeClaim(folder, 'gateway')) return []
      if ((await readText(folder.claim)) === 'gateway') return []
      const seen = await observe(folder, children.get(attemptId), now())
      return [{ handle: { attempt: attemptId }, seen }]
    },

    async cancel(handle) {
      const attempt = readHandle(handle)
      const folder = workFolderOf(directory, attempt)
      try {
        await writeFile(folder.canceled, '')
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return 'ended'
        throw error
      }
      const answer = await end(folder, children.get(attempt), now())
      if (answer === 'ended') await removeOutput(folder)
      return answer
    },

    async check(target, { signal }) {
      return target.engine === sharpEngine ? await checkSharp(sharpTargetSchema.parse(target), environment, signal) : []
    },

    cost: () => freeOfCharge,
    pricePerSecond: () => 0,
  }
}

/** What the worker needs to know, or why it cannot be started. */
function prepare(
  job: Job,
  engines: ReadonlyMap<string, string>,
  memoryMb: number,
): Omit<WorkOrder, 'files'> | StartAnswer {
  const name = job.target.engine ?? engineOfModel.get(job.model)
  const module = typeof name === 'string' ? engines.get(name) : undefined
  // Whatever config says: a relief is never handed out under SHARP's name.
  if (module === undefined || (name === 'relief' && job.model === 'surefoot/sharp'))
    return {
      kind: 'rejected',
      failure: createFailure('deployment_missing', `No engine on this machine makes ${job.model}.`, {
        advice: `Name one in the deployment's target; there are: ${[...engines.keys()].join(', ')}.`,
      }),
    }
  return { module, input: job.input, target: job.target, runLimitMs: job.runLimitMs, memoryMb }
}

/** Paths of the input files; what lies in another store than this disk is brought into the folder. */
async function bringFiles(job: Job, folder: WorkFolder, signal: AbortSignal): Promise<WorkOrder['files']> {
  const paths: { [field: string]: string } = {}
  for (const [field, file] of Object.entries(job.files)) {
    const path = file.path ?? join(folder.path, `input-${encodeURIComponent(field)}`)
    if (file.path === null) await pipeline(await file.open(), createWriteStream(path, { flags: 'wx' }), { signal })
    paths[field] = path
  }
  return paths
}

/** Ends a worker. Never by a process id that might have become somebody else's. */
async function end(folder: WorkFolder, child: ChildProcess | undefined, now: number): Promise<CancelAnswer> {
  if (child !== undefined) {
    await killWorker(child)
    return 'ended'
  }
  if (await takeClaim(folder, 'gateway')) return 'ended'
  const { status, life, pid, silent } = await look(folder, child, now)
  if (life === 'dead' || status?.state === 'succeeded' || status?.state === 'failed') return 'ended'
  if (pid === null || (life === 'unsure' && silent)) return 'requested'
  killGroup(pid)
  return findWorker(pid, folder) === 'dead' ? 'ended' : 'requested'
}

/** Nothing was started; the machine says why. */
function rejectFor(error: unknown): StartAnswer {
  if (SurefootError.is(error)) return { kind: 'rejected', failure: error.failure }
  const message = error instanceof Error ? error.message : String(error)
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT'))
    return { kind: 'rejected', failure: createFailure('storage_full', `No room for a work folder: ${message}`) }
  return { kind: 'rejected', failure: createFailure('provider_error', `The worker could not be started: ${message}`) }
}

function readHandle(handle: Json): string {
  return handleSchema.parse(handle).attempt
}
