import { z } from 'zod'
import type { Work, WorkOutput, WorkTask } from '../contract.ts'
import type { ActiveFaults } from '../faults.ts'
import type { Gate } from '../gate.ts'
import { spoil } from '../spoil.ts'

const link = z.object({ url: z.url() })
/** What our adapters put into a kit's input on AWS: see `docs/providers/aws.md`. */
const kitSchema = z.object({
  attempt: z.string(),
  upload: link,
  hello: z.url().optional(),
  state: link.optional(),
  claim: link.optional(),
})

export interface KitOptions {
  readonly input: WorkTask['input']
  /** The vendor's id of the run, for the hello. */
  readonly id: string
  readonly model: string
  readonly work: Work
  readonly faults: ActiveFaults
  /** The worker's network; requests for the emulator's own bucket stay inside. */
  readonly fetch: typeof globalThis.fetch
  readonly fetchFiles: (input: WorkTask['input'], signal: AbortSignal) => Promise<WorkTask['files']>
  readonly signal: AbortSignal
  readonly now: () => number
}

/** What our kit does on AWS; a stranger's container would do something else. */
export interface Kit {
  /** Makes progress visible. */
  report(fraction: number, line?: string): void
  /** False: another delivery of the same run has it. */
  claim(): Promise<boolean>
  /** Everything from the hello to the last report; fails when the work or the upload does. */
  run(gate: Gate): Promise<void>
  /** Reports its failure. */
  fail(error: string): Promise<void>
}

/** Where a kit's objects are, from a link to one of them: `/bucket/prefix/attempt/`. Null for an input that is not a kit's. */
export function folderOf(input: WorkTask['input']): string | null {
  const parsed = folderSchema.safeParse(input)
  const { state, input: whole } = parsed.data?.surefoot ?? {}
  const url = state?.url ?? whole?.url
  return url === undefined ? null : decodeURIComponent(new URL(url).pathname).replace(/[^/]+$/, '')
}

const folderSchema = z.object({ surefoot: z.object({ state: link.optional(), input: link.optional() }) })

/** The input itself, or what lies where it says that the rest is. */
export async function wholeInput(
  input: WorkTask['input'],
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<WorkTask['input']> {
  const url = folderSchema.safeParse(input).data?.surefoot.input?.url
  if (url === undefined) return input
  return z.record(z.string(), z.unknown()).parse(await (await fetch(url, { signal })).json())
}

/** The kit's side of a run. Fails when the input holds no part for a kit. */
export function createKit(options: KitOptions): Kit {
  const { input, id, model, work, faults, fetch, fetchFiles, signal, now } = options
  const { upload, hello, state, claim } = kitSchema.parse(input.surefoot)
  const beganAt = now()
  let writing: Promise<void> = Promise.resolve()

  /** Reports are written one after the other, the newest last. */
  function write(report: object): Promise<void> {
    if (state === undefined) return Promise.resolve()
    const headers = { 'content-type': 'application/json' }
    writing = writing.then(async () => {
      if (signal.aborted) return
      const response = await fetch(state.url, { method: 'PUT', headers, body: JSON.stringify(report) })
      await response.body?.cancel()
    })
    return writing
  }

  async function put(output: WorkOutput): Promise<void> {
    // With a place to report to the bucket is ours, and a download from it applies the faults of downloads itself.
    const [spoiled = output] = await spoil(faults, [output], state !== undefined)
    const { body } = spoiled
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(body.size) }
    const response = await fetch(upload.url, { method: 'PUT', headers, body, signal })
    await response.body?.cancel()
    // 409: a twin of ours was first, and its file is as good.
    if (!response.ok && response.status !== 409) throw new Error(`could not upload the output: ${response.status}`)
  }

  return {
    async claim() {
      if (claim === undefined) return true
      const response = await fetch(claim.url, { method: 'PUT', headers: { 'if-none-match': '*' }, body: id, signal })
      await response.body?.cancel()
      return response.ok
    },
    report: (fraction, line) =>
      void write({ state: 'running', fraction, ...(line === undefined ? {} : { stage: line }) }),
    async run(gate) {
      if (hello !== undefined && !faults.has('hello-lost')) {
        const headers = { 'content-type': 'application/json' }
        // A hello is a courtesy: the run goes on whether or not anybody listened.
        void fetch(hello, { method: 'POST', headers, body: JSON.stringify({ surefoot: 'hello', id }), signal }).then(
          response => response.body?.cancel(),
          () => undefined,
        )
      }
      await write({ state: 'running', fraction: 0 })
      const files = await fetchFiles(input, signal)
      const [first] = await work({ model, input, files }, gate.at, signal)
      gate.end()
      if (signal.aborted || gate.frozen()) return
      if (first !== undefined && !faults.has('empty-output')) await put(first)
      await write({ state: 'done', runMs: now() - beganAt })
    },
    fail: error => write({ state: 'failed', error, runMs: now() - beganAt }),
  }
}

/** A text as JSON; undefined where it is none. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
