import { z } from 'zod'
import { refuse } from '../../../core/failure.ts'
import type { Json } from '../../../core/json.ts'
import type { Io, Provider } from '../../contract.ts'
import type { Call } from '../../vendor-api.ts'
import { createAwsApi } from '../api.ts'
import { createBucket } from '../bucket.ts'
import { checkBucket } from '../check-bucket.ts'
import { hearHello, placeOf } from '../kit.ts'
import { lambdaPrices } from '../prices.ts'
import { cancelReported, findReported, observeReported } from '../reported.ts'
import { loadSdk } from '../sdk.ts'
import { createSigner } from '../signer.ts'
import { check } from './check.ts'
import { type LambdaOptions, parseOptions, parseTarget, secondsPrice } from './options.ts'
import { start } from './start.ts'

export type { LambdaOptions, LambdaTarget } from './options.ts'

/**
 * Events for a function of AWS Lambda that is a kit of ours: no GPU, 15 minutes at most. Lambda takes an event and tells
 * nothing more, so what becomes of it is read from the kit's reports in the bucket. Fails with `input_invalid` when an
 * option is wrong. Needs `@aws-sdk/client-lambda`, `@aws-sdk/client-s3` and `@aws-sdk/s3-request-presigner`.
 *
 * @example
 * const provider = lambda({ region: 'us-east-1', bucket: 'my-predictions' })
 * const target = provider.parseTarget({ function: 'relief:live', memoryMb: 4096 })
 */
export function lambda(options: LambdaOptions): Provider {
  const { bucket: bucketOptions, ...access } = parseOptions(options)
  const signer = createSigner(access)
  const api = createAwsApi('AWS Lambda')
  const bucket = createBucket(bucketOptions, signer)
  // The vendor's machines are elsewhere; an emulator's are on this one and take http as well.
  const reachable = (url: string | null) => (url?.startsWith('https:') || access.endpoint !== undefined ? url : null)
  const folderOf = (attemptId: string) => placeOf(attemptId, bucket).folder
  const invoke = async (name: string, payload: string, { signal }: Io): Promise<Call> => {
    const sdk = await loadSdk('@aws-sdk/client-lambda', () => import('@aws-sdk/client-lambda'), signal)
    return await signer.sign(config => {
      const client = new sdk.LambdaClient(config)
      const command = new sdk.InvokeCommand({ FunctionName: name, InvocationType: 'Event', Payload: encode(payload) })
      return { client, send: () => client.send(command) }
    }, signal)
  }

  return {
    kind: 'lambda',
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
      pollMs: 2_000,
      thisHostOnly: false,
    },
    parseTarget,
    start(job, io) {
      const place = { bucket, folder: folderOf(job.marker.attemptId), reachable }
      return start(job, parseTarget(job.target), place, api, invoke, io)
    },
    poll: async (handle, io) => observeReported(readHandle(handle).folder, bucket, io),
    find: ({ attemptId }, _since, io) => findReported(folderOf(attemptId), bucket, io),
    cancel: async (handle, io) => cancelReported(readHandle(handle).folder, bucket, io),
    hear: async (request, _io, _now, { attemptId }) => hearHello(request, { folder: folderOf(attemptId) }),
    async check(target, io, intent) {
      return [
        ...(await check(parseTarget(target), { api, signer }, io, intent)),
        ...(await checkBucket(bucket, io, intent)),
      ]
    },
    // How long an environment stays, and why, AWS does not say; idle it costs nothing. Its start is billed since August 2025.
    warmth: () => ({ idleMs: null, idleBy: 'vendor', bills: ['boot'], wokenBy: 'run', keptBy: 'run' }),
    cost({ metrics }, target) {
      const parsed = parseTarget(target)
      const price = secondsPrice(parsed)
      if (price === null || metrics?.runMs === undefined) return null
      const amount = metrics.runMs === 0 ? 0 : (metrics.runMs / 1000) * price + lambdaPrices.request
      // The kit's own clock: what the runtime takes to begin and to end is billed beside it.
      return { amount, currency: 'USD', estimated: true }
    },
    pricePerSecond: target => secondsPrice(parseTarget(target)),
    pricesAsOf(target) {
      const { pricePerSecond, memoryMb } = parseTarget(target)
      return pricePerSecond === undefined && memoryMb !== undefined ? lambdaPrices.checkedOn : null
    },
  }
}

const handleSchema = z.strictObject({ folder: z.string().min(1) })

function readHandle(handle: Json): { readonly folder: string } {
  const parsed = handleSchema.safeParse(handle)
  return parsed.success ? parsed.data : refuse('internal', 'A stored handle is not one of the lambda adapter.')
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
