import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { createFailure, type Failure, type FailureCode } from '../../core/failure.ts'
import type { EngineJob, EngineMessage } from './engine.ts'
import { readJson, takeClaim, type WorkFolder, workFolderAt } from './folder.ts'
import { moduleBeside } from './module-beside.ts'
import { type Status, type WorkOrder, workOrderSchema } from './wire.ts'
import { killGroup } from './worker-process.ts'

/**
 * Entry of a worker process; its argument is the work folder.
 *
 * It first creates the claim, or ends at once if that is taken: one folder, one run, whoever else was started or had
 * decided that nobody shall. Then `booting` (the engine's thread starts), `running` from the engine's first word, and
 * one of `succeeded` and `failed`, after which the process ends. Its own run limit, the mark of a cancel and the loss of
 * the folder end it too, so nothing lingers when no gateway ever comes back. The engine works in a thread: however long
 * it blocks, this one goes on writing heartbeats.
 */
const tickMs = 100
/** A heartbeat is written this often even when nothing has changed. */
const heartbeatMs = 500
/** A longer delay makes a timer of Node's fire at once. */
const longestTimerMs = 2 ** 31 - 1
const mostLogCharacters = 4000

const folder = workFolderAt(process.argv[2] ?? '')
if (await takeClaim(folder, String(process.pid))) {
  const job = await readJson(folder.job, workOrderSchema)
  if (job !== null) supervise(folder, job)
}

function supervise(folder: WorkFolder, job: WorkOrder): void {
  const startedAt = Date.now()
  let status: Status = {
    state: 'booting',
    pid: process.pid,
    startedAt,
    heartbeatAt: startedAt,
    runningAt: null,
    endedAt: null,
    stage: null,
    fraction: null,
    log: '',
    logLength: 0,
    failure: null,
  }
  let isWritten = false

  /** By rename: a reader sees the old file or the new one. */
  function write(): void {
    status = { ...status, heartbeatAt: Date.now() }
    writeFileSync(`${folder.status}.new`, JSON.stringify(status))
    renameSync(`${folder.status}.new`, folder.status)
    isWritten = true
  }

  function change(changes: Partial<Status>): void {
    const runningAt = status.runningAt ?? Date.now()
    status = { ...status, state: 'running', runningAt, ...changes }
    isWritten = false
  }

  function end(changes: Pick<Status, 'state' | 'failure'>): never {
    if (existsSync(folder.canceled) || changes.state === 'failed') rmSync(folder.partial, { force: true })
    else renameSync(folder.partial, folder.output)
    status = { ...status, ...changes, endedAt: Date.now() }
    write()
    if (changes.state === 'failed') killSelf()
    process.exit()
  }

  function fail(code: FailureCode, message: string): never {
    return failWith(createFailure(code, message))
  }

  function failWith({ code, message, advice }: Failure): never {
    return end({ state: 'failed', failure: { code, message, advice } })
  }

  function tick(): void {
    if (existsSync(folder.canceled)) end({ state: 'failed', failure: null })
    if (isWritten && Date.now() - status.heartbeatAt < heartbeatMs) return
    try {
      write()
    } catch {
      // A disk that is full now may have room again; without the folder there is nobody left to work for.
      if (!existsSync(folder.path)) killSelf()
    }
  }

  function hear(message: EngineMessage): void {
    switch (message.kind) {
      case 'progress':
        return change({ stage: message.stage, fraction: message.fraction })
      case 'log':
        return change({
          log: `${status.log}${message.line}\n`.slice(-mostLogCharacters),
          logLength: status.logLength + message.line.length + 1,
        })
      case 'done':
        return end({ state: 'succeeded', failure: null })
      case 'failed':
        return failWith(message.failure)
    }
  }

  tick()
  setInterval(tick, tickMs)
  setTimeout(
    () => fail('run_timeout', `The run took longer than ${job.runLimitMs} ms.`),
    Math.min(job.runLimitMs, longestTimerMs),
  )
  const { input, target, files } = job
  const engineJob: EngineJob = { input, target, files, outputPath: folder.partial }
  // Not by `--max-old-space-size`: that flag on the process lifts a thread's own limit, and an engine that runs into the
  // process's limit takes the whole worker along instead of failing as `out_of_memory`.
  const engine = new Worker(moduleBeside(import.meta.url, './engine-thread'), {
    workerData: { module: job.module, job: engineJob },
    resourceLimits: { maxOldGenerationSizeMb: job.memoryMb },
  })
  engine.on('message', hear)
  engine.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY')
      fail('out_of_memory', `The engine needed more than ${job.memoryMb} MiB of memory.`)
    console.error(error)
    fail('model_error', `The engine failed: ${error.message}.`)
  })
  engine.on('exit', () => fail('model_error', 'The engine ended without a result.'))
}

/**
 * With the processes that the engine may have started. `process.exit` would leave those, and it waits for the engine's
 * thread and its native calls: a decoder that hangs would keep it for ever.
 */
function killSelf(): void {
  killGroup(process.pid)
}
