import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SurefootError } from '../core/failure.ts'
import type { Finding } from '../providers/contract.ts'
import { lockFolder, readOwner } from '../store/lock.ts'
import { ok, problem, warning } from './finding.ts'

/** A SHARP splat has 66 MB, and the file may be there twice while it is checked. */
const leastFreeBytes = 200_000_000
const littleFreeBytes = 2_000_000_000

/** What a data folder is found to be, and which gateway serves it. */
export interface FolderReport {
  readonly findings: readonly Finding[]
  /** Where the gateway that has the folder open answers; null where there is none. */
  readonly gateway: string | null
}

/** Looks whether a data folder can be written, has room, and who has it open. A folder that is not there is not made. */
export async function inspectDataFolder(directory: string, fetch: typeof globalThis.fetch): Promise<FolderReport> {
  const isThere = existsSync(directory)
  const nearest = isThere ? directory : nearestFolder(directory)
  const refusal = await tryToWrite(nearest)
  if (refusal !== null) {
    const message = `${nearest} cannot be written: ${refusal}.`
    return {
      gateway: null,
      findings: [problem('folder-writable', message, 'Correct its rights, or use another data folder.')],
    }
  }
  const findings = [await judgeRoom(nearest)]
  if (!isThere)
    return {
      gateway: null,
      findings: [ok('folder-writable', `${directory} is not there yet; the first start makes it.`), ...findings],
    }
  const owner = await inspectOwner(directory, fetch)
  return { gateway: owner.gateway, findings: [owner.finding, ...findings] }
}

function nearestFolder(directory: string): string {
  const parent = dirname(directory)
  return existsSync(parent) || parent === directory ? parent : nearestFolder(parent)
}

/** Null, or what the system says. Rights alone do not tell: a disk may be full or read-only. */
async function tryToWrite(directory: string): Promise<string | null> {
  const path = join(directory, `doctor-${randomUUID()}.tmp`)
  try {
    await writeFile(path, 'x', { mode: 0o600 })
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await rm(path, { force: true }).catch(() => {})
  }
}

async function judgeRoom(directory: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  const words = `${(free / 1e9).toFixed(1)} GB are free on the disk of ${directory}.`
  if (free < leastFreeBytes) return problem('disk-room', words, 'Make room: outputs are kept until they are deleted.')
  return free < littleFreeBytes
    ? warning('disk-room', words, 'Make room: outputs are kept until they are deleted.')
    : ok('disk-room', words)
}

async function inspectOwner(
  directory: string,
  fetch: typeof globalThis.fetch,
): Promise<{ readonly finding: Finding; readonly gateway: string | null }> {
  try {
    await (await lockFolder(directory)).release()
    return { gateway: null, finding: ok('folder-owner', `${directory} can be written, and no process has it open.`) }
  } catch (error) {
    if (!SurefootError.is(error) || error.status !== 409) {
      const words = error instanceof Error ? error.message : String(error)
      const finding = problem(
        'folder-owner',
        `${directory} cannot be opened: ${words}.`,
        'Correct it, or use another data folder.',
      )
      return { gateway: null, finding }
    }
  }
  const owner = await readOwner(directory)
  if (owner === null) {
    const words = `${directory} is in use by a process that announces no address: an app that embeds Surefoot, a command, or a gateway that starts.`
    return {
      gateway: null,
      finding: warning(
        'folder-owner',
        words,
        'Nothing is wrong where that is your app. To look at what is in the folder, run this again when it has ended.',
      ),
    }
  }
  const { url, pid } = owner
  const answers = await fetch(new URL('/healthz', url), { signal: AbortSignal.timeout(5_000) }).then(
    ({ ok }) => ok,
    () => false,
  )
  if (answers)
    return { gateway: url, finding: ok('folder-owner', `${directory} is served by process ${pid} at ${url}.`) }
  const words = `Process ${pid} has ${directory} open and does not answer at ${url}.`
  return { gateway: null, finding: problem('folder-owner', words, 'Stop that process and start the gateway again.') }
}
