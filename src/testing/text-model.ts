import { createFailure, refuse } from '../core/failure.ts'
import type { Model } from '../models/contract.ts'

/** A model without files whose output must be the text `done`: for tests of everything around models. */
export const textModel: Model = {
  name: 'test/text',
  description: 'Delivers the word "done".',
  version: '0'.repeat(64),
  notice: null,
  inputSchema: { type: 'object', properties: {} },
  fileFields: {},
  parseInput(input) {
    const [unknown] = Object.keys(input).filter(key => key !== 'prompt')
    return unknown === undefined ? input : refuse('input_invalid', `Unknown field "${unknown}".`, { status: 422 })
  },
  output: { name: 'text.txt', mediaType: 'text/plain', maxBytes: 1_000 },
  async verify(file) {
    const { body } = await file.open()
    const text = await new Response(body).text()
    return text === 'done'
      ? { valid: true, facts: { length: text.length } }
      : { valid: false, failure: createFailure('output_invalid', `Expected "done" and got "${text.slice(0, 20)}".`) }
  },
}
