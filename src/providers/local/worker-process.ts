import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { WorkFolder } from './folder.ts'
import { moduleBeside } from './module-beside.ts'
import type { Exit } from './wire.ts'

/**
 * Starts a worker that outlives this process: own process group, no pipe to us, of our environment no more than
 * `environment` (the rest holds secrets; Windows adds by itself what a process needs there). Resolves once the process
 * exists, throws when it cannot be made. An unclean end that this process sees is noted in the folder, and takes along
 * what the worker had started.
 */
export async function startWorker(folder: WorkFolder, environment: Environment): Promise<ChildProcess> {
  const log = await open(folder.log, 'a')
  try {
    const entry = fileURLToPath(moduleBeside(import.meta.url, './worker'))
    const child = spawn(process.execPath, [entry, folder.path], {
      cwd: folder.path,
      env: { ...environment, TMPDIR: folder.path, TMP: folder.path, TEMP: folder.path },
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      windowsHide: true,
    })
    await once(child, 'spawn')
    child.unref()
    child.once('exit', (code, signal) => {
      if (code === 0) return
      noteExit(folder, { code, signal })
      if (child.pid !== undefined) killGroup(child.pid)
    })
    return child
  } finally {
    await log.close()
  }
}

/** Variables by name. */
export type Environment = { readonly [name: string]: string }

/** Synchronous, so that no poll sees the process gone and the note missing. */
function noteExit(folder: WorkFolder, exit: Exit): void {
  try {
    writeFileSync(folder.exit, JSON.stringify(exit))
  } catch {
    // The folder is gone or the disk is full; the worker still counts as lost, only without the reason.
  }
}

/**
 * Kills a worker and whatever it has started. Its process id is its group's as well, because it was started detached; no
 * stranger gets that id while one of the group lives. Windows has no groups, but knows who started whom.
 */
export function killGroup(pid: number): void {
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(pid), '/t', '/f'], { windowsHide: true })
    return
  }
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody of the group is left.
  }
}

/** Kills a worker that this process started; resolves when the system has confirmed its end. */
export async function killWorker(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.ref()
  if (child.pid !== undefined) killGroup(child.pid)
  await ended
}

/**
 * Whether the process with this id is the folder's worker. Where the system shows command lines (Linux), the folder's
 * name in there settles it, for zombies (theirs is empty) and reused ids too. Elsewhere a living process is `unsure`.
 */
export function findWorker(pid: number, folder: WorkFolder): 'alive' | 'dead' | 'unsure' {
  if (existsSync('/proc/self/cmdline')) {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(folder.path) ? 'alive' : 'dead'
    } catch {
      return 'dead'
    }
  }
  try {
    process.kill(pid, 0)
    return 'unsure'
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' ? 'unsure' : 'dead'
  }
}
