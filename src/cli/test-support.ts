import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { onTestFinished } from 'vitest'
import type { Io } from './io.ts'
import { main } from './main.ts'

/** A command line with nobody behind it: what it says is kept, Ctrl-C is a call. */
export interface TestTerminal {
  readonly folder: string
  /** Runs a command to its end. */
  run(...argv: readonly string[]): Promise<Ended>
  /** Begins a command. */
  begin(...argv: readonly string[]): Running
}

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly ended: Promise<Ended>
  /** Resolves once the command has said something that fits, rejects when it ends without. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  interrupt(): void
}

/** A terminal in a temporary folder that is the working directory and holds `photo.png`. */
export async function openTerminal(env: Io['env'] = {}, confirm?: Io['confirm']): Promise<TestTerminal> {
  const folder = mkdtempSync(join(tmpdir(), 'surefoot-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  await makePhoto(join(folder, 'photo.png'))
  const begin = (...argv: readonly string[]) => beginCommand(folder, env, argv, confirm)
  return { folder, begin, run: (...argv) => begin(...argv).ended }
}

/** A picture of a bright disc over a dark ground, small enough for a relief within moments. */
async function makePhoto(path: string): Promise<void> {
  const svg =
    '<svg width="64" height="48"><rect width="64" height="48" fill="#223"/><circle cx="30" cy="20" r="14" fill="#fd8"/></svg>'
  await sharp(Buffer.from(svg)).png().toFile(path)
}

function beginCommand(folder: string, env: Io['env'], argv: readonly string[], confirm: Io['confirm']): Running {
  const listeners = new Set<() => void>()
  const waiting = new Set<() => void>()
  const written = { stdout: '', stderr: '' }
  let code: number | null = null
  const output = (name: keyof typeof written) => ({
    write(text: string) {
      written[name] += text
      for (const look of waiting) look()
    },
  })
  const io: Io = {
    stdout: output('stdout'),
    stderr: output('stderr'),
    env,
    cwd: folder,
    ...(confirm === undefined ? {} : { confirm }),
    onSignal(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const ended = main(argv, io).then(answer => {
    code = answer
    for (const look of waiting) look()
    return { code: answer, ...written }
  })
  const interrupt = () => {
    for (const listener of listeners) listener()
  }
  onTestFinished(async () => {
    interrupt()
    await ended
  })
  return {
    ended,
    interrupt,
    said: pattern =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(written.stdout + written.stderr)
          if (match !== null) resolve(match)
          else if (code !== null) reject(new Error(`It ended with ${code}: ${written.stdout}${written.stderr}`))
          else return
          waiting.delete(look)
        }
        waiting.add(look)
        look()
      }),
  }
}
