import { createFailure, type Failure } from '../../../core/failure.ts'
import type { Io, Observation } from '../../contract.ts'
import { vendorWords } from '../../http.ts'
import { toSentence } from '../../vendor-api.ts'
import type { Bucket } from '../bucket.ts'
import { failureOfWords, linkTo } from '../kit.ts'
import { observeReported } from '../reported.ts'
import type { Handle } from './wire.ts'

/** An object by its `s3://` address. */
export type Locate = (uri: string) => { readonly bucket: Bucket; readonly key: string }

/**
 * SageMaker has no status: what is seen are a kit's reports, and whether the answer or the error is there. Without any of
 * them the request waits, as far as anybody can see; another container's run looks the same as its queue.
 */
export async function observe(handle: Handle, own: Bucket, locate: Locate, io: Io): Promise<Observation> {
  const { folder, output, failure } = handle
  const seen = folder === undefined ? await observeOutput(output, locate, io) : await observeReported(folder, own, io)
  if (failure === undefined || ['succeeded', 'failed', 'canceled'].includes(seen.status)) return seen
  const { bucket, key } = locate(failure)
  const words = await bucket.text(key, io)
  if (words === null) return seen
  const why = failureOfAnswer(words)
  const never = why.code === 'queue_timeout' ? { metrics: { runMs: 0 } } : {}
  return { status: 'failed', word: 'FailureLocation', failure: why, ...never }
}

async function observeOutput(output: string | undefined, locate: Locate, io: Io): Promise<Observation> {
  if (output === undefined) return { status: 'gone', word: 'no output location' }
  const { bucket, key } = locate(output)
  const outputs = await linkTo(key, bucket, io)
  if (outputs.length === 0) return { status: 'queued', word: 'no object' }
  return { status: 'succeeded', word: 'OutputLocation', outputs }
}

/** What the endpoint wrote instead of an answer: a container's error, or why it never got that far. */
function failureOfAnswer(text: string): Failure {
  const words = vendorWords(text)
  if (/expired/i.test(words)) return createFailure('queue_timeout', toSentence(`Amazon SageMaker: ${words}`))
  if (/timed out|timeout/i.test(words)) return createFailure('run_timeout', toSentence(`Amazon SageMaker: ${words}`))
  if (/unable to download|download.*(failed|error)/i.test(words))
    return createFailure('provider_error', toSentence(`Amazon SageMaker could not read the input: ${words}`))
  return failureOfWords(text)
}
