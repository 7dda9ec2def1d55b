import { createHash } from 'node:crypto'
import { refuse } from '../core/failure.ts'
import type { PutOptions } from './contract.ts'
import { withSignal } from './with-signal.ts'

/**
 * Reads a body once, chunk by chunk, and holds it to what was promised and allowed: `input_too_large` over `maxBytes`
 * (before reading, where the promised length says so already), `output_invalid` when length or checksum differ from the
 * promise. `write` gets each chunk in turn. Ends at once when the signal aborts.
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  options: PutOptions,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const { maxBytes, bytes: promised, sha256: promisedDigest } = options
  if ((promised ?? 0) > maxBytes) refuseTooLarge(maxBytes)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of withSignal(body, options.signal)) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) refuseTooLarge(maxBytes)
    if (promised !== undefined && bytes > promised)
      refuse('output_invalid', `The file is longer than the ${promised} bytes that its sender stated.`)
    hash.update(chunk)
    await write(chunk)
  }
  if (promised !== undefined && bytes !== promised)
    refuse('output_invalid', `The file ended after ${bytes} of the ${promised} bytes that its sender stated.`)
  const sha256 = hash.digest('hex')
  if (promisedDigest !== undefined && sha256 !== promisedDigest)
    refuse('output_invalid', `The file's SHA-256 is ${sha256}, its sender stated ${promisedDigest}.`)
  return { bytes, sha256 }
}

function refuseTooLarge(maxBytes: number): never {
  refuse('input_too_large', `The file is larger than the allowed ${maxBytes} bytes.`, { status: 413 })
}
