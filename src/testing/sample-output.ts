import { createFailure } from '../core/failure.ts'
import type { Work } from '../emulators/contract.ts'
import { createEchoWork, type EchoOptions } from '../emulators/works.ts'
import type { Model } from '../models/contract.ts'

const mediaType = 'application/x-sample'

/** A file that says at its beginning how many bytes follow, so that a cut one and a page are told from a whole one. */
export function sampleOf(bytes: number): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`sample ${bytes}\n`)
  const whole = new Uint8Array(head.length + bytes).fill(120)
  whole.set(head)
  return whole
}

/** A model whose output is such a file, of any size. */
export const sampleModel: Model = {
  name: 'test/sample',
  description: 'Delivers a sample.',
  version: '0'.repeat(64),
  notice: null,
  inputSchema: { type: 'object', properties: {} },
  fileFields: {},
  parseInput: input => input,
  output: { name: 'sample.bin', mediaType, maxBytes: 100_000_000 },
  async verify(file) {
    const { body } = await file.open({ start: 0, end: 29 })
    const [head = '', stated] = /^sample (\d+)\n/.exec(await new Response(body).text()) ?? []
    if (stated !== undefined && file.bytes === head.length + Number(stated)) return { valid: true, facts: {} }
    return { valid: false, failure: createFailure('output_invalid', 'This is no sample, or not all of one.') }
  },
}

/**
 * A work that takes its time and gives back the input's first file; `{ give: n }` asks for a sample of n bytes instead, and
 * `{ give: 'page' }` for a page of HTML.
 */
export function createSampleWork(options: EchoOptions): Work {
  const echo = createEchoWork(options)
  return async (task, report, signal) => {
    const outputs = await echo(task, report, signal)
    const { give } = task.input
    if (give === 'page') {
      const body = new Blob(['<!doctype html><title>Sign in</title>'], { type: 'text/html' })
      return [{ name: 'page.html', mediaType: body.type, body }]
    }
    if (typeof give !== 'number') return outputs
    return [{ name: 'sample.bin', mediaType, body: new Blob([sampleOf(give)], { type: mediaType }) }]
  }
}
