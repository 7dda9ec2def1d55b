import { createFailure, type Failure } from '../../core/failure.ts'
import type { OutputReference } from '../../core/prediction.ts'
import { type CborValue, decodeCbor } from '../../wire/cbor.ts'
import type { Observation } from '../contract.ts'
import { vendorWords } from '../http.ts'
import { outputsOf } from '../outputs.ts'
import { toSentence } from '../vendor-api.ts'
import { toDataUriOf } from './bytes.ts'
import { failureOfFunction, failureOfTimeout } from './failure.ts'
import type { WireOutput } from './wire.ts'

/** `GenericStatus`, by number. */
const words: readonly string[] = [
  ...['UNSPECIFIED', 'SUCCESS', 'FAILURE', 'TERMINATED', 'TIMEOUT', 'INIT_FAILURE', 'INTERNAL_FAILURE'],
  ...['IDLE_TIMEOUT', 'MEMORY_MANAGER_EVICTION'],
]

/** How a result is written: `DataFormat`. */
const formats: { readonly [number: number]: string } = {
  1: 'a pickle',
  2: 'an ASGI message',
  3: 'the end of a generator',
}
const cbor = 4

/**
 * A call's output as an observation: always an end. The SDK's `get` would show a cancelled, an evicted and a failed run
 * as the same error; the raw status tells them apart. `stored` is where a kit's output lands: its success names it,
 * whatever it answered. `download` gives a result that did not fit the message, or null when it is too large.
 */
export async function observe(
  output: WireOutput,
  stored: string | null,
  download: (blobId: string) => Promise<Uint8Array | null>,
): Promise<Observation> {
  const { result, retryCount = 0 } = output
  const name = words[result.status] ?? `status ${result.status}`
  const metrics = metricsOf(output)
  const seen = {
    word: retryCount > 0 ? `${name} (begun again: ${retryCount})` : name,
    ...(metrics === null ? {} : { metrics }),
  }
  if (name === 'TERMINATED') return { status: 'canceled', ...seen }
  if (name !== 'SUCCESS') return { status: 'failed', ...seen, failure: failureOf(name, result.exception ?? '') }
  if (stored !== null) return { status: 'succeeded', ...seen, outputs: [{ kind: 'stored', key: stored }] }
  const answer = await answerOf(output, download)
  return Array.isArray(answer)
    ? { status: 'succeeded', ...seen, outputs: answer }
    : { status: 'failed', ...seen, failure: answer }
}

function failureOf(name: string, exception: string): Failure {
  const more = vendorWords(exception)
  const because = more === '' ? '' : `: ${more}`
  switch (name) {
    case 'FAILURE':
      return failureOfFunction(exception)
    case 'TIMEOUT':
      return failureOfTimeout(exception)
    case 'INIT_FAILURE':
      return createFailure('boot_timeout', toSentence(`No container of the function could start${because}`))
    case 'IDLE_TIMEOUT':
    case 'MEMORY_MANAGER_EVICTION':
      return createFailure('worker_lost', toSentence(`Modal took the container away (${name})${because}`))
    default:
      return createFailure('provider_error', toSentence(`Modal ended the run as ${name}${because}`))
  }
}

async function answerOf(
  { result, dataFormat = 0 }: WireOutput,
  download: (blobId: string) => Promise<Uint8Array | null>,
): Promise<OutputReference[] | Failure> {
  const bytes = result.dataBlobId ? await download(result.dataBlobId) : (result.data ?? new Uint8Array())
  if (bytes === null)
    return createFailure('output_too_large', "The function's answer is larger than what can be taken as a value.")
  if (bytes.byteLength === 0) return []
  if (dataFormat !== cbor) {
    const what = formats[dataFormat] ?? `data in an unknown format (${dataFormat})`
    return createFailure('output_lost', `The function answered with ${what}, which cannot be read here.`, {
      advice: 'Return bytes, text, numbers, lists or dicts of those.',
    })
  }
  try {
    return outputsOf(withDataUris(decodeCbor(bytes)), { bareBase64: true })
  } catch {
    return createFailure('output_lost', "The function's answer is no CBOR, although it says so.")
  }
}

/** Bytes become data URIs, so that they are found like every other file of an answer. */
function withDataUris(value: CborValue): unknown {
  if (value instanceof Uint8Array) return value.byteLength === 0 ? null : toDataUriOf(value, 'application/octet-stream')
  if (Array.isArray(value)) return value.map(withDataUris)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withDataUris(each ?? null)]))
}

/** Beyond a year it is no time, and the cost that follows from it no money. */
const longestRunMs = 366 * 24 * 3_600_000

function metricsOf({ inputStartedAt, outputCreatedAt }: WireOutput): Observation['metrics'] | null {
  if (inputStartedAt === undefined || outputCreatedAt === undefined) return null
  const runMs = Math.round((outputCreatedAt - inputStartedAt) * 1000)
  return runMs < 0 || runMs > longestRunMs ? null : { runMs }
}
