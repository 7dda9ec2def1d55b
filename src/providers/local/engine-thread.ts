import { writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { inspect } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { createFailure, type Failure, SurefootError } from '../../core/failure.ts'
import type { EngineJob, EngineMessage, RunEngine } from './engine.ts'

/** Entry of the thread that does the work, so that the other one stays free for heartbeats and the run limit. */
const { module, job } = workerData as { module: string; job: EngineJob }

try {
  const { run } = (await import(module)) as { run: RunEngine }
  await run(job, {
    progress: (stage, fraction) => tell({ kind: 'progress', stage, fraction }),
    log: line => tell({ kind: 'log', line }),
  })
  await flush(job.outputPath)
  tell({ kind: 'done' })
} catch (error) {
  // The whole error goes to the folder's worker.log, outside goes one sentence. Not by `console`, which would hand it to
  // the other thread, and that one ends the process as soon as it hears of the failure.
  note(inspect(error))
  tell({ kind: 'failed', failure: describe(error) })
}

function note(text: string): void {
  try {
    writeSync(2, `${text}\n`)
  } catch {
    // On a full disk the log has no room either, and must not hide why the engine failed.
  }
}

function tell(message: EngineMessage): void {
  parentPort?.postMessage(message)
}

/** A power cut after the rename must not leave an empty file under the final name. */
async function flush(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function describe(error: unknown): Failure {
  if (SurefootError.is(error)) return error.failure
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC')
    return createFailure('storage_full', 'The disk is full.')
  if (error instanceof RangeError && message.includes('allocation failed'))
    return createFailure('out_of_memory', `The engine ran out of memory: ${message}.`)
  return createFailure('model_error', `The engine failed: ${message.replace(/\.?$/, '.')}`)
}
