import { refuse, SurefootError } from '../../../core/failure.ts'
import type { Json } from '../../../core/json.ts'
import type { CancelAnswer, Heard, HeardRequest, Provider } from '../../contract.ts'
import { helloSchema, parseBody } from '../../kit.ts'
import { createAwsApi } from '../api.ts'
import { createBucket } from '../bucket.ts'
import { checkBucket } from '../check-bucket.ts'
import { outputsAt, readState } from '../kit.ts'
import { fargatePrices } from '../prices.ts'
import { createSigner } from '../signer.ts'
import { check } from './check.ts'
import { createEcs } from './client.ts'
import { judgeHealth } from './health.ts'
import { observe, observeMissing } from './observe.ts'
import { type EcsOptions, parseOptions, parseTarget, priceDate, secondsPrice } from './options.ts'
import { handleOf, start } from './start.ts'
import { clustersSchema, type Handle, handleSchema, taskArnsSchema, tasksSchema } from './wire.ts'

export type { EcsOptions, EcsTarget } from './options.ts'

/**
 * Tasks of one cluster of Amazon ECS, one for each attempt, in containers that are kits of ours. GPUs come from a capacity
 * provider; Fargate has none. Fails with `input_invalid` when an option is wrong. Needs the packages `@aws-sdk/client-ecs`
 * and, with a bucket, `@aws-sdk/client-s3` and `@aws-sdk/s3-request-presigner`, which are loaded at their first use.
 *
 * @example
 * const provider = ecs({ region: 'us-east-1', cluster: 'gpu', bucket: 'my-predictions' })
 * const target = provider.parseTarget({ taskDefinition: 'sharp:3', capacityProvider: 'gpu-asg', gpus: 1, hardware: 'g6e.xlarge' })
 */
export function ecs(options: EcsOptions): Provider {
  const { bucket: bucketOptions, cluster, ...access } = parseOptions(options)
  const signer = createSigner(access)
  const client = createEcs(signer)
  const api = createAwsApi('Amazon ECS')
  const bucket = bucketOptions === null ? null : createBucket(bucketOptions, signer)
  // The vendor's machines are elsewhere; an emulator's are on this one and take http as well.
  const reachable = (url: string | null) => (url?.startsWith('https:') || access.endpoint !== undefined ? url : null)
  const place = { cluster, bucket, reachable }

  return {
    kind: 'ecs',
    trustedOrigins: access.endpoint === undefined ? [] : [new URL(access.endpoint).origin],
    limits: {
      inputForms: bucket === null ? ['url'] : ['url', 'upload'],
      outputForms: bucket === null ? ['stored'] : ['url'],
      inlineOutputBytes: null,
      // Tasks are shown for an hour at least; what a kit put into the bucket stays as long as its owner says.
      resultKeptMs: 60 * 60_000,
      heldStart: false,
      silent: true,
      // Must stay well below what is left of an engine's lease of 15 s between renewals.
      startTimeoutMs: 8_000,
      callTimeoutMs: 20_000,
      pollMs: 3_000,
      thisHostOnly: false,
    },
    parseTarget,
    start: (job, io) => start(job, parseTarget(job.target), place, api, client, io),
    async poll(handle, io) {
      const { cluster, task: arn, ...where } = readHandle(handle)
      const { tasks, failures } = api.read(await api.ask(await client.describeTask(cluster, arn, io), io), tasksSchema)
      const [task] = tasks
      if (task === undefined && failures[0]?.reason !== 'MISSING')
        return refuse('provider_error', `Amazon ECS showed no task: ${failures[0]?.reason ?? 'no reason'}.`)
      if (task !== undefined && task.taskArn !== arn) refuse('provider_error', 'Amazon ECS answered with another task.')
      const isEarly = task !== undefined && ['queued', 'booting'].includes(observe(task, null).status)
      const state =
        bucket === null || where.folder === undefined || isEarly ? null : await readState(where.folder, bucket, io)
      const seen = task === undefined ? observeMissing(state) : observe(task, state)
      return seen.status === 'succeeded' ? { ...seen, outputs: await outputsAt(where, bucket, io) } : seen
    },
    async find({ attemptId }, _since, io) {
      const answer = await api.ask(await client.listTasks(cluster, attemptId, io), io)
      return api.read(answer, taskArnsSchema).taskArns.map(arn => ({ handle: { ...handleOf(arn, attemptId, place) } }))
    },
    async cancel(handle, io): Promise<CancelAnswer> {
      const { cluster, task } = readHandle(handle)
      const answer = await api.ask(await client.stopTask(cluster, task, io), io)
      const isOver = answer.status === 400 && /task was not found/i.test(answer.text)
      // Stopped long ago, or asked to stop now: what the next poll says decides.
      if (!isOver && answer.status !== 200) throw new SurefootError(api.failureOf(answer))
      return 'requested'
    },
    hear: async (request, _io, _now, to) => hear(request, to.attemptId),
    async health(_target, io) {
      const answer = await api.ask(await client.describeCluster(cluster, io), io)
      return judgeHealth(api.read(answer, clustersSchema))
    },
    async check(target, io, intent) {
      return [
        ...(await check(parseTarget(target), cluster, { api, client }, io)),
        ...(bucket === null ? [] : await checkBucket(bucket, io, intent)),
      ]
    },
    cost({ metrics }, target) {
      const parsed = parseTarget(target)
      const price = secondsPrice(parsed)
      if (price === null || metrics?.runMs === undefined) return null
      const seconds = Math.ceil(metrics.runMs / 1000)
      const least = parsed.fargate !== undefined && seconds > 0 ? fargatePrices.minimumSeconds : 0
      // An instance is also paid while it starts and idles, and by everybody who runs on it.
      return { amount: Math.max(least, seconds) * price, currency: 'USD', estimated: true }
    },
    pricePerSecond: target => secondsPrice(parseTarget(target)),
    pricesAsOf: target => priceDate(parseTarget(target)),
  }

  /** A kit's hello; its secret is in the URL. Fails with `provider_error` (422) for anything else. */
  function hear({ body }: HeardRequest, attemptId: string): Heard {
    const hello = helloSchema.safeParse(parseBody(body))
    if (!hello.success) return refuse('provider_error', 'A call to a webhook holds no hello.', { status: 422 })
    const { id } = hello.data
    const handle = { ...handleOf(id, attemptId, place) }
    return { deliveryId: `${id} hello`, handle, observation: { status: 'running', word: 'hello' } }
  }
}

function readHandle(handle: Json): Handle {
  const parsed = handleSchema.safeParse(handle)
  return parsed.success ? parsed.data : refuse('internal', 'A stored handle is not one of the ecs adapter.')
}
