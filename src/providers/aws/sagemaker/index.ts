import type { InvokeEndpointAsyncCommandInput } from '@aws-sdk/client-sagemaker-runtime'
import { refuse } from '../../../core/failure.ts'
import type { Json, JsonObject } from '../../../core/json.ts'
import type { Io, Provider } from '../../contract.ts'
import { idleOf } from '../../option-schemas.ts'
import type { Call } from '../../vendor-api.ts'
import { createAwsApi } from '../api.ts'
import { createBucket } from '../bucket.ts'
import { checkBucket } from '../check-bucket.ts'
import { hearHello, placeOf } from '../kit.ts'
import { cancelReported, findReported } from '../reported.ts'
import { loadSdk } from '../sdk.ts'
import { createSigner } from '../signer.ts'
import { check } from './check.ts'
import { judgeHealth, judgeInstances } from './health.ts'
import { type Locate, observe } from './observe.ts'
import { parseOptions, parseTarget, type SagemakerOptions } from './options.ts'
import { start } from './start.ts'
import { endpointSchema, type Handle, handleSchema, type WireEndpoint } from './wire.ts'

export type { SagemakerOptions, SagemakerTarget } from './options.ts'

/**
 * Asynchronous endpoints of Amazon SageMaker: a queue, instances that may scale to zero, results in S3. There is no status and
 * no cancel but what our own kits add. Fails with `input_invalid` when an option is wrong. Needs
 * `@aws-sdk/client-sagemaker-runtime`, `@aws-sdk/client-s3`, `@aws-sdk/s3-request-presigner` and, for its health,
 * `@aws-sdk/client-sagemaker`.
 *
 * @example
 * const provider = sagemaker({ region: 'us-east-1', bucket: 'my-predictions' })
 * const target = provider.parseTarget({ endpoint: 'sharp-async', kit: true, pricePerSecond: 0.00039 })
 */
export function sagemaker(options: SagemakerOptions): Provider {
  const { bucket: bucketOptions, ...access } = parseOptions(options)
  const signer = createSigner(access)
  const api = createAwsApi('Amazon SageMaker')
  const own = createBucket(bucketOptions, signer)
  // The vendor's machines are elsewhere; an emulator's are on this one and take http as well.
  const reachable = (url: string | null) => (url?.startsWith('https:') || access.endpoint !== undefined ? url : null)
  const folderOf = (attemptId: string) => placeOf(attemptId, own).folder
  const locate: Locate = uri => {
    const { hostname: bucket, pathname } = new URL(uri)
    return { bucket: createBucket({ bucket, prefix: '' }, signer), key: decodeURIComponent(pathname.slice(1)) }
  }
  const invoke = async (input: InvokeEndpointAsyncCommandInput, { signal }: Io): Promise<Call> => {
    const name = '@aws-sdk/client-sagemaker-runtime'
    const sdk = await loadSdk(name, () => import('@aws-sdk/client-sagemaker-runtime'), signal)
    return await signer.sign(config => {
      const client = new sdk.SageMakerRuntimeClient(config)
      return { client, send: () => client.send(new sdk.InvokeEndpointAsyncCommand(input)) }
    }, signal)
  }
  const describe = async (endpoint: string, { signal }: Io): Promise<Call> => {
    const sdk = await loadSdk('@aws-sdk/client-sagemaker', () => import('@aws-sdk/client-sagemaker'), signal)
    return await signer.sign(config => {
      const client = new sdk.SageMakerClient(config)
      return { client, send: () => client.send(new sdk.DescribeEndpointCommand({ EndpointName: endpoint })) }
    }, signal)
  }

  const endpointOf = async (target: JsonObject, io: Io): Promise<WireEndpoint> => {
    const answer = await api.ask(await describe(parseTarget(target).endpoint, io), io)
    return api.read(answer, endpointSchema)
  }

  return {
    kind: 'sagemaker',
    trustedOrigins: access.endpoint === undefined ? [] : [new URL(access.endpoint).origin],
    limits: {
      inputForms: ['url', 'upload'],
      outputForms: ['url'],
      inlineOutputBytes: null,
      // As long as the bucket's owner says; a month is what nobody should rely on.
      resultKeptMs: 30 * 24 * 60 * 60_000,
      heldStart: false,
      silent: true,
      // Must stay well below what is left of an engine's lease of 15 s between renewals.
      startTimeoutMs: 8_000,
      callTimeoutMs: 20_000,
      pollMs: 3_000,
      thisHostOnly: false,
    },
    parseTarget,
    start(job, io) {
      const place = { bucket: own, folder: folderOf(job.marker.attemptId), reachable }
      return start(job, parseTarget(job.target), place, api, invoke, io)
    },
    poll: async (handle, io) => observe(readHandle(handle), own, locate, io),
    find: ({ attemptId }, _since, io) => findReported(folderOf(attemptId), own, io),
    async cancel(handle, io) {
      const { folder } = readHandle(handle)
      // The API has no cancel; other containers than our kits run on.
      return folder === undefined ? 'impossible' : await cancelReported(folder, own, io)
    },
    hear: async (request, _io, _now, { attemptId }) => hearHello(request, { folder: folderOf(attemptId) }),
    health: async (target, io) => judgeHealth(await endpointOf(target, io)),
    // An instance is billed while it is up; how long it stays, the endpoint's own scaling policy says.
    warmth: target => ({
      ...idleOf(parseTarget(target), null),
      bills: ['boot', 'idle'],
      wokenBy: 'run',
      keptBy: 'run',
    }),
    warm: async (target, io) => judgeInstances(await endpointOf(target, io)),
    async check(target, io, intent) {
      const parsed = parseTarget(target)
      const at = (uri: string) => (uri.startsWith('s3://') ? locate(uri.replace(/\/+$/, '')) : null)
      return [
        ...(await check(await endpointOf(target, io), parsed, at, io, intent)),
        ...(await checkBucket(own, io, intent)),
      ]
    },
    cost({ metrics }, target) {
      const { pricePerSecond } = parseTarget(target)
      if (pricePerSecond === undefined || metrics?.runMs === undefined) return null
      // Billed are instances while they are up, whoever uses them.
      return { amount: Math.ceil(metrics.runMs / 1000) * pricePerSecond, currency: 'USD', estimated: true }
    },
    pricePerSecond: target => parseTarget(target).pricePerSecond ?? null,
  }
}

function readHandle(handle: Json): Handle {
  const parsed = handleSchema.safeParse(handle)
  return parsed.success ? parsed.data : refuse('internal', 'A stored handle is not one of the sagemaker adapter.')
}
