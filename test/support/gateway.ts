import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** The repository. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url))
const bin = join(root, 'src/cli/bin.ts')

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A real process. */
export interface Process {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves once it has written something that fits, on either stream; rejects when it ends without. */
  said(pattern: RegExp): Promise<RegExpExecArray>
}

export interface ProcessOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** A folder of the test's own, removed when it ends. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'surefoot-house-'))
  // Workers of what was killed may still write for a moment.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** Starts a program; it and what it has started are killed when the test ends. */
export function start(file: string, args: readonly string[], options: ProcessOptions): Process {
  const process = launch(file, args, options)
  onTestFinished(async () => {
    signalGroup(process.child, 'SIGKILL')
    await process.ended
  })
  return process
}

/** Settings that the caller of the tests may have for Surefoot or npm do not reach the program. */
function launch(file: string, args: readonly string[], { cwd, env = {} }: ProcessOptions): Process {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(SUREFOOT|VITEST|NODE_ENV$|npm_)/.test(name))
  const child = spawn(file, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it starts can be ended with it.
    detached: true,
  })
  const written = { stdout: '', stderr: '' }
  const waiting = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text
      for (const look of waiting) look()
    })
  }
  let over = false
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      over = true
      for (const look of waiting) look()
      resolve({ code, ...written })
    })
  })
  return {
    child,
    ended,
    said: pattern =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(written.stdout) ?? pattern.exec(written.stderr)
          if (match !== null) resolve(match)
          else if (over) reject(new Error(`It ended without ${pattern}:\n${written.stdout}${written.stderr}`))
          else return
          waiting.delete(look)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** Runs a program to its end and answers what it wrote; rejects with all of that when it ends badly. For hooks too. */
export async function run(file: string, args: readonly string[], options: ProcessOptions): Promise<string> {
  const { code, stdout, stderr } = await launch(file, args, options).ended
  if (code === 0) return stdout
  throw new Error(`${file} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
}

/** Starts the command line from the sources. */
export function surefoot(args: readonly string[], options: ProcessOptions): Process {
  return start(process.execPath, [bin, ...args], options)
}

/** Starts a gateway, by default on a free port, and waits until it listens. */
export async function startGateway(
  options: ProcessOptions,
  port: number = 0,
): Promise<Process & { readonly url: string }> {
  const gateway = surefoot(['serve', '--port', String(port)], options)
  const [, url = ''] = await gateway.said(/listening on (\S+)/)
  return { ...gateway, url }
}

/** As a terminal does it: to the process and whatever it has started. */
export function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch (error) {
    // All of it has ended by itself.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
