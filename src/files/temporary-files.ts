import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** After this long without a write, a temporary file of another host is taken for abandoned. */
const abandonedAfterMs = 24 * 3_600_000

// Containers restart with the same process id: when the process began tells this life of it from the last one. Unlike a
// random token it is the same for every copy of this module in the process (hot reload makes some).
const life = Math.floor(performance.timeOrigin).toString(36)
const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

/** A name that no other write uses, and from which later processes can tell whether its writer still lives. */
export function createTemporaryName(): string {
  return `${host}.${process.pid}.${life}.${randomBytes(8).toString('hex')}.part`
}

/**
 * Removes what dead processes left half written. Of this host: files whose process is gone. Of other hosts (a shared
 * disk, another container), whose processes cannot be looked up: files untouched for a day by `now`.
 */
export function sweepTemporaryFiles(directory: string, now: number): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    if (isAbandoned(name, path, now)) rmSync(path, { force: true })
  }
}

function isAbandoned(name: string, path: string, now: number): boolean {
  const [theirHost, pid, theirLife] = name.split('.')
  if (theirHost === host && theirLife === life) return false
  if (theirHost === host && Number(pid) > 0) return Number(pid) === process.pid || !isAlive(Number(pid))
  const touchedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now
  return now - touchedAt > abandonedAfterMs
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Not ours to signal, but there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
