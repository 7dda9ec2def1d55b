import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { SimulationResult } from './simulation.ts'

/** Runs of the simulation with consecutive seeds, in one process of their own. */
export interface Slice {
  /** The first seed. */
  readonly seed: number
  readonly runs: number
  /** Of each run. */
  readonly predictions: number
  /** Without any engine that runs. Default false. */
  readonly serverless?: boolean
}

/** What `simulate.ts` prints for each run, as one line of JSON. */
export interface TimedResult extends SimulationResult {
  /** Processor time of the run, all threads together. */
  readonly cpuSeconds: number
  readonly perCpuSecond: number
}

const script = join(import.meta.dirname, 'simulate.ts')
/** What is kept of a process's complaints: the replay line is at their beginning. */
const mostWords = 100_000

/**
 * Runs slices in child processes, so many at once, on the store in memory. Answers with every run in the order of the
 * seeds. Rejects at the first broken rule with the line that replays it, and when a process dies, or prints anything else
 * than its runs. The other processes are ended then, as all are when the signal ends; none is left when this is over.
 */
export async function simulateSlices(
  slices: readonly Slice[],
  { atOnce, signal }: { readonly atOnce: number; readonly signal: AbortSignal },
): Promise<readonly TimedResult[]> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const results: (readonly TimedResult[])[] = []
  const waiting = slices.entries()
  async function work(): Promise<void> {
    for (const [index, slice] of waiting) results[index] = await simulateSlice(slice, either)
  }
  const workers = Array.from({ length: atOnce }, () => work().catch(error => failed.abort(error)))
  await Promise.all(workers)
  failed.signal.throwIfAborted()
  return results.flat()
}

async function simulateSlice(slice: Slice, signal: AbortSignal): Promise<readonly TimedResult[]> {
  signal.throwIfAborted()
  const { seed, runs, predictions, serverless = false } = slice
  const flags = Object.entries({ seed, runs, predictions, store: 'memory' }).map(flag => `--${flag.join('=')}`)
  if (serverless) flags.push('--serverless')
  const child = spawn(process.execPath, [script, ...flags], { stdio: ['ignore', 'pipe', 'pipe'], signal })
  // An error is told besides: of a process that was ended here, or did not come about.
  child.on('error', () => {})
  const ended = new Promise<string>(resolve =>
    child.once('close', (code, killer) => resolve(code === null ? `killed by ${killer}` : `exit status ${code}`)),
  )
  const [how, printed, words] = await Promise.all([ended, read(child.stdout), read(child.stderr, mostWords)])
  signal.throwIfAborted()
  const broken = /Simulation with seed \d.*/.exec(words)?.[0]
  if (broken !== undefined) throw new Error(broken)
  const found = printed.split('\n').flatMap(parse)
  const isWhole = found.length === runs && found.every((run, index) => run.seed === seed + index)
  if (how === 'exit status 0' && isWhole) return found
  throw new Error(
    `The process for seeds ${seed} to ${seed + runs - 1} told of ${found.length} of ${runs} runs (${how}): ${words.trim() || 'no word of it'}`,
  )
}

/** A run from a line of output; none from what is no such line. */
function parse(line: string): TimedResult[] {
  try {
    const value: TimedResult = JSON.parse(line)
    return Number.isInteger(value.seed) && Number.isInteger(value.predictions) ? [value] : []
  } catch {
    return []
  }
}

async function read(stream: AsyncIterable<Buffer>, most = Number.POSITIVE_INFINITY): Promise<string> {
  let text = ''
  for await (const chunk of stream) if (text.length < most) text += chunk.toString()
  return text
}
