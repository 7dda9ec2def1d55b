import type { Finding, Intent, Io } from '../../contract.ts'
import { judgeRunLimit, ok, problem, warning } from '../../finding.ts'
import type { Bucket } from '../bucket.ts'
import type { SagemakerTarget } from './options.ts'
import type { WireEndpoint } from './wire.ts'

/** Source: the SDK's text on `InvokeEndpointAsync`. */
const longestRunMs = 60 * 60_000
const asyncAdvice = 'Create an endpoint configuration with AsyncInferenceConfig, and point the endpoint to it.'

/**
 * What an endpoint's own description tells of its queue. Whether one request wakes an endpoint at zero is told by its
 * scaling policies, and those by another service (Application Auto Scaling), which is not asked.
 */
export async function check(
  endpoint: WireEndpoint,
  target: SagemakerTarget,
  bucketAt: (uri: string) => { readonly bucket: Bucket; readonly key: string } | null,
  io: Io,
  intent: Intent,
): Promise<Finding[]> {
  const { AsyncInferenceConfig: config } = endpoint
  const limit = judgeRunLimit('sagemaker-run-limit', intent, {
    endsAfterMs: longestRunMs,
    words: 'Amazon SageMaker',
    advice: 'Set runMs to at most 60 minutes, or use ecs().',
  })
  if (config === undefined) {
    const message = `Amazon SageMaker: the endpoint ${target.endpoint} is not an asynchronous one: it takes no such request.`
    return [...limit, problem('sagemaker-async', message, asyncAdvice)]
  }
  return [
    ...limit,
    ok('sagemaker-async', `Amazon SageMaker: the endpoint ${target.endpoint} is asynchronous.`),
    judgeConcurrency(config.ClientConfig?.MaxConcurrentInvocationsPerInstance),
    ...(await judgePaths(config.OutputConfig, target, bucketAt, io)),
  ]
}

function judgeConcurrency(most: number | undefined): Finding {
  const words = `Amazon SageMaker: ${most === undefined ? 'SageMaker itself chooses how many' : most} requests run at a time on one instance`
  if (most === 1) return ok('sagemaker-concurrency', `${words}.`)
  const advice = 'Set MaxConcurrentInvocationsPerInstance to 1 where a request needs a whole GPU.'
  return warning('sagemaker-concurrency', `${words}: they share its GPU.`, advice)
}

async function judgePaths(
  { S3OutputPath: output, S3FailurePath: failure }: NonNullable<WireEndpoint['AsyncInferenceConfig']>['OutputConfig'],
  { kit }: SagemakerTarget,
  bucketAt: (uri: string) => { readonly bucket: Bucket; readonly key: string } | null,
  io: Io,
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const uri of [output, failure]) {
    const place = uri === undefined ? null : bucketAt(uri)
    // Not there, or not to be read: the latter throws with the right that is missing.
    if (place !== null) await place.bucket.has([place.key, 'doctor'].filter(part => part !== '').join('/'), io)
  }
  if (output !== undefined)
    findings.push(ok('sagemaker-paths', `Amazon SageMaker: answers go to ${output}, which can be read.`))
  if (failure === undefined && kit !== true)
    findings.push(
      warning(
        'sagemaker-failures',
        'Amazon SageMaker: the endpoint writes errors nowhere, so a failed run is seen by its time limit only.',
        "Set S3FailurePath in the endpoint's AsyncInferenceConfig.",
      ),
    )
  return findings
}
