import type { ChildProcess } from 'node:child_process'
import { access } from 'node:fs/promises'
import { createFailure } from '../../core/failure.ts'
import type { Observation } from '../contract.ts'
import { changedAt, readJson, readTail, readText, removeOutput, takeClaim, type WorkFolder } from './folder.ts'
import { type Exit, exitSchema, type Status, statusSchema } from './wire.ts'
import { findWorker } from './worker-process.ts'

/** A worker that has said nothing for this long, and whose process cannot be told from a stranger's, is past help. */
export const silenceMs = 15_000

/** What is known about a work folder's worker. */
export interface Sight {
  /** Null before the worker's first word. */
  readonly status: Status | null
  /** `unsure`: not started yet as far as can be seen, or a process of that id exists but may be a stranger. */
  readonly life: 'alive' | 'dead' | 'unsure'
  readonly pid: number | null
  /** The last sign of life, or of the start, is older than `silenceMs`. */
  readonly silent: boolean
}

/** Looks at a folder. `child` is the worker's process object where this process started it and it has not ended. */
export async function look(folder: WorkFolder, child: ChildProcess | undefined, now: number): Promise<Sight> {
  const before = await readJson(folder.status, statusSchema)
  const claim = await readText(folder.claim)
  const claimed = claim === null || claim === 'gateway' ? null : Number.parseInt(claim, 10) || null
  const pid = before?.pid ?? claimed
  const lastSignAt = before?.heartbeatAt ?? (await changedAt(folder.job)) ?? 0
  const silent = now - lastSignAt > silenceMs
  if (child !== undefined) return { status: before, life: 'alive', pid, silent }
  const ended = claim === 'gateway' || (await exists(folder.exit))
  const life = ended ? 'dead' : pid === null ? 'unsure' : findWorker(pid, folder)
  // It may have said its last word between our reading and its end: a dead worker's file is read once more.
  const status = life === 'dead' ? await readJson(folder.status, statusSchema) : before
  return { status, life, pid, silent }
}

/** What the provider says about an attempt. */
export async function observe(folder: WorkFolder, child: ChildProcess | undefined, now: number): Promise<Observation> {
  if (!(await exists(folder.path))) return { status: 'gone', word: 'no work folder' }
  const sight = await look(folder, child, now)
  const { status, life } = sight
  const given = await exists(folder.canceled)
  if (given && (life === 'dead' || (life === 'unsure' && sight.silent))) {
    await removeOutput(folder)
    return { ...describe(status), status: 'canceled', word: 'canceled' }
  }
  if (status?.state === 'succeeded' && !given) {
    // Named even when it is no longer there: a gateway that died right after taking it over asks again.
    return { ...describe(status), status: 'succeeded', outputs: [{ kind: 'path', path: folder.output }] }
  }
  if (status?.state === 'failed' && status.failure !== null) {
    const { code, message, advice } = status.failure
    const failure = createFailure(code, message, advice === undefined ? {} : { advice })
    return { ...describe(status), status: 'failed', failure }
  }
  if (life === 'dead') return await observeLost(folder, status)
  if (status === null) {
    // Adopted before the worker began. If it has not begun by now it never may, so that the attempt has one end.
    if (life === 'unsure' && sight.silent) {
      await takeClaim(folder, 'gateway')
      return await observeLost(folder, null)
    }
    return { status: 'booting', word: 'starting' }
  }
  return { ...describe(status), status: status.state === 'booting' ? 'booting' : 'running' }
}

function describe(status: Status | null): Omit<Observation, 'status'> {
  if (status === null) return { word: 'never began' }
  const end = status.endedAt ?? status.heartbeatAt
  return {
    word: status.state,
    progress: status.stage === null ? null : { stage: status.stage, fraction: status.fraction },
    logLength: status.logLength,
    logTail: status.log,
    metrics: {
      ...(status.runningAt === null ? {} : { runMs: end - status.runningAt }),
      totalMs: end - status.startedAt,
    },
  }
}

/** The process is gone and left no result: killed from outside, or crashed in a library that read a hostile file. */
async function observeLost(folder: WorkFolder, status: Status | null): Promise<Observation> {
  // Written on a full disk it is there, but empty; the end is as sure without its reason.
  const exit = await readJson(folder.exit, exitSchema).catch(() => null)
  const tail = `${status?.log ?? ''}${await readTail(folder.log, 2000)}`.slice(-4000)
  const where = status?.stage ? ` at "${status.stage}"` : ''
  return {
    ...describe(status),
    status: 'failed',
    word: 'lost',
    logTail: tail,
    failure: createFailure('worker_lost', `The worker process ended${where} without a result${wordsOf(exit)}.`),
  }
}

function wordsOf(exit: Exit | null): string {
  if (exit === null) return ''
  return exit.signal === null ? ` (exit code ${exit.code})` : ` (signal ${exit.signal})`
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
