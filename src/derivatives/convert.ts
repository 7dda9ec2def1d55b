import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../core/clock.ts'
import { createFailure, SurefootError } from '../core/failure.ts'
import type { ConversionJob, ConversionLine, ConversionProgress, Converted } from './wire.ts'

export interface ConvertOptions {
  readonly clock: Clock
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ConversionProgress) => void
  /** Ended after so long. Default 5 minutes: fifty times what the slowest format takes, three times a merge of 1.2 million. */
  readonly timeoutMs?: number
  /** Ended above so much memory. Default 3 GiB: a merge of 1.2 million Gaussians takes 0.9. */
  readonly memoryBytes?: number
}

const minute = 60_000
const gibibyte = 1024 ** 3
const memoryLookMs = 500

/**
 * Converts one file in a child process of low priority, which takes its memory with it: what one conversion needs is five
 * times what a gateway needs. The child dies with this process, and is killed when the signal ends, its time is over or
 * its memory grows beyond the limit (looked at where the system shows it: Linux). Its environment is empty. Fails with a
 * `SurefootError`: `input_invalid` for a file that is no splat, `deployment_missing` (501) without splat-transform,
 * `run_timeout`, `out_of_memory`, `internal`; with the signal's reason when that ended it. A half-written target is the
 * caller's to remove.
 */
export async function convert(job: ConversionJob, options: ConvertOptions): Promise<Converted> {
  const { clock, signal, timeoutMs = 5 * minute, memoryBytes = 3 * gibibyte } = options
  signal?.throwIfAborted()
  const entry = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url))
  const child = spawn(process.execPath, ['--max-old-space-size=2048', entry, JSON.stringify(job)], {
    env: {},
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  })
  // Writing to a child that is gone is no fault of this process.
  child.stdin.on('error', () => {})
  let stopped: unknown = null
  const stop = (reason: unknown) => {
    stopped ??= reason
    child.kill('SIGKILL')
  }
  const onAbort = () => stop(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const stopTimer = clock.after(timeoutMs, () =>
    stop(refusal('run_timeout', `The conversion was ended after ${Math.round(timeoutMs / 1000)} seconds.`)),
  )
  const stopWatch = watchMemory(child, clock, memoryBytes, () =>
    stop(refusal('out_of_memory', `The conversion was ended: it took more than ${memoryBytes} bytes of memory.`)),
  )
  try {
    lower(child)
    const [ended, words, last] = await Promise.all([endOf(child), readWords(child), readLines(child, options)])
    if (stopped !== null) throw stopped
    if (last?.kind === 'done') {
      const { kind: _, ...converted } = last
      return converted
    }
    if (last?.kind === 'failed') throw refusal(last.code, last.message, last)
    // What the system kills is mostly short of memory; nobody is told more than that.
    if (ended === 'SIGKILL')
      throw refusal(
        'out_of_memory',
        'The conversion was killed by the system before its end, as where memory is short.',
      )
    throw refusal('internal', `The conversion ended with ${ended} before its end. ${words}`)
  } finally {
    stopTimer()
    stopWatch()
    signal?.removeEventListener('abort', onAbort)
  }
}

function refusal(
  code: Parameters<typeof createFailure>[0],
  message: string,
  { advice, status }: { readonly advice?: string; readonly status?: number } = {},
): SurefootError {
  const more = { ...(advice === undefined ? {} : { advice }), ...(status === 501 ? { fault: 'config' as const } : {}) }
  return new SurefootError(createFailure(code, message, more), status === undefined ? {} : { status })
}

/** How a child ended, in words; also where it never began. */
async function endOf(child: ChildProcess): Promise<string> {
  return await new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}

/** The last line that it said, told progress on the way. */
async function readLines({ stdout }: ChildProcess, { onProgress }: ConvertOptions): Promise<ConversionLine | null> {
  let last: ConversionLine | null = null
  if (stdout === null) return last
  for await (const text of createInterface({ input: stdout })) {
    // Packages write to standard output, too.
    if (!text.startsWith('{"kind":')) continue
    last = JSON.parse(text) as ConversionLine
    if (last.kind === 'progress') onProgress?.({ stage: last.stage, fraction: last.fraction })
  }
  return last
}

/** The beginning of what it complained about. */
async function readWords({ stderr }: ChildProcess): Promise<string> {
  let words = ''
  for await (const chunk of stderr ?? []) if (words.length < 2_000) words += String(chunk)
  return words.trim()
}

/** Predictions and answers go first. */
function lower({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, 10)
  } catch {
    // It has ended already, or the system does not let us.
  }
}

function watchMemory({ pid }: ChildProcess, clock: Clock, most: number, onOver: () => void): () => void {
  if (process.platform !== 'linux' || pid === undefined) return () => {}
  const pageBytes = 4_096
  let isOver = false
  let stopTimer = () => {}
  const look = () => {
    stopTimer = clock.after(memoryLookMs, async () => {
      // https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html: the second number is resident pages.
      const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '')
      if (Number(statm.split(' ')[1]) * pageBytes > most) onOver()
      else if (!isOver) look()
    })
  }
  look()
  return () => {
    isOver = true
    stopTimer()
  }
}
