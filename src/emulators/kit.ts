import { z } from 'zod'
import type { WorkOutput } from './contract.ts'
import type { ActiveFaults } from './faults.ts'

/** What our adapters put into a kit's input: see `kitPart` of `providers/kit.ts`. */
const kitSchema = z.object({
  surefoot: z.object({ attempt: z.string(), upload: z.object({ url: z.url() }), hello: z.url().optional() }),
})

/** What our kit's worker does beside the work; a stranger's handler would not know the key `surefoot`. */
export interface Kit {
  /** Tells us the run's id, before anything else and without waiting for the answer. */
  hello(): void
  /** Puts the output where the input said; gives the handler's answer. Fails like the kit when the place refuses it. */
  upload(output: WorkOutput, signal: AbortSignal): Promise<unknown>
}

/** What a worker says of its failure: a stranger's own words, or, where it is our kit, its code before them. */
export function wordsOf(kit: Kit | null, words: string): string {
  if (kit === null) return words
  const [, code] = kitCodes.find(([pattern]) => pattern.test(words)) ?? [null, 'model_error']
  return `[surefoot:${code}] ${words}`
}

/** As the kit reads exceptions: `kits/core/surefoot_kit/failure.py`. */
const kitCodes: readonly (readonly [RegExp, string])[] = [
  [/out of memory|MemoryError/, 'out_of_memory'],
  [/illegal memory access/, 'worker_lost'],
  [/PutObject|could not upload/i, 'output_lost'],
]

/** A run at any vendor, as far as its kit is concerned. */
export interface KitRun {
  /** The vendor's id, as the worker gets it. */
  readonly id: string
  readonly input: unknown
  readonly faults: ActiveFaults
}

/** The kit's side of a run, or null when the run is not for one. */
export function kitOf(run: KitRun, send: typeof globalThis.fetch, closed: AbortSignal): Kit | null {
  const parsed = kitSchema.safeParse(run.input)
  if (!parsed.success) return null
  const { upload, hello } = parsed.data.surefoot
  return {
    hello() {
      // Without an address of ours there is nobody to greet.
      if (hello === undefined || run.faults.has('hello-lost')) return
      const body = JSON.stringify({ surefoot: 'hello', id: run.id })
      const headers = { 'content-type': 'application/json' }
      // A hello is a courtesy: the run goes on whether or not anybody listened.
      void send(hello, { method: 'POST', headers, body, signal: closed }).then(
        response => response.body?.cancel(),
        () => undefined,
      )
    },
    async upload({ body }, signal) {
      const headers = { 'content-type': 'application/octet-stream', 'content-length': String(body.size) }
      const response = await send(upload.url, { method: 'PUT', headers, body, signal })
      await response.body?.cancel()
      // 409: another worker of the same run was first, and its file is as good.
      if (!response.ok && response.status !== 409) throw new Error(`Could not upload the output: ${response.status}`)
      return { uploaded: true, bytes: body.size }
    },
  }
}
