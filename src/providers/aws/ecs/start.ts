import type { RunTaskCommandInput } from '@aws-sdk/client-ecs'
import { refuse } from '../../../core/failure.ts'
import type { Io, Job, StartAnswer } from '../../contract.ts'
import type { Answer } from '../../http.ts'
import { submitOnce, type VendorApi } from '../../vendor-api.ts'
import { errorNameOf } from '../api.ts'
import type { Bucket } from '../bucket.ts'
import { keysOf, kitInput, placeOf } from '../kit.ts'
import type { Ecs } from './client.ts'
import { failureOfPlacement } from './failure.ts'
import { observe } from './observe.ts'
import type { EcsTarget } from './options.ts'
import { conflictSchema, type Handle, tasksSchema } from './wire.ts'

/** The vendor's limit for all overrides of a start is 8,192 characters (not confirmed); the rest of ours are few. */
const mostInlineBytes = 7_000

export interface EcsPlace {
  readonly cluster: string
  readonly bucket: Bucket | null
  /** A URL of ours as a task can reach it, or null. */
  reachable(url: string | null): string | null
}

/**
 * Runs one task. Its client token is the attempt, so that a twin of this call runs nothing and names the task that the first
 * one started; `startedBy` is the attempt too, by which `find` knows it again.
 */
export async function start(
  job: Job,
  target: EcsTarget,
  place: EcsPlace,
  api: VendorApi,
  ecs: Ecs,
  io: Io,
): Promise<StartAnswer> {
  const handle = (task: string) => ({ ...handleOf(task, job.marker.attemptId, place) })
  const submission = {
    build: async () => ecs.runTask(toCommand(job, target, place, await environment(job, target, place, io)), io),
    accepted(answer: Answer): StartAnswer | null {
      const parsed = tasksSchema.safeParse(answer.json)
      const [task] = parsed.data?.tasks ?? []
      if (task !== undefined) return { kind: 'accepted', handle: handle(task.taskArn), seen: observe(task, null) }
      const [failure] = parsed.data?.failures ?? []
      return failure === undefined ? null : { kind: 'rejected', failure: failureOfPlacement(failure) }
    },
    async refused(answer: Answer) {
      const conflict = conflictSchema.safeParse(answer.json)
      const [task] = conflict.data?.resourceIds ?? []
      const isTwin = errorNameOf(answer) === 'ConflictException' && task !== undefined
      return isTwin ? { kind: 'accepted' as const, handle: handle(task) } : api.failureOf(answer)
    },
  }
  return await submitOnce(api, submission, io)
}

/** The handle of an attempt's task, whether its ARN came with the start's answer, from a list or with a hello. */
export function handleOf(task: string, attemptId: string, { cluster, bucket }: EcsPlace): Handle {
  return { cluster, task, ...placeOf(attemptId, bucket) }
}

/** A kit's input: in the bucket where there is one, else itself. */
async function environment(
  job: Job,
  target: EcsTarget,
  place: EcsPlace,
  io: Io,
): Promise<[name: string, value: string]> {
  const { bucket } = place
  const input = JSON.stringify(await kitInput(job, target.inputs, place.reachable, bucket, io, { claims: false }))
  const { folder } = placeOf(job.marker.attemptId, bucket)
  if (bucket !== null && folder !== undefined) {
    const key = keysOf(folder).input
    await bucket.put(key, input, 'application/json', io)
    return ['SUREFOOT_INPUT_URL', await bucket.getLink(key, job.deadlineInMs, io)]
  }
  const bytes = Buffer.byteLength(input)
  if (bytes <= mostInlineBytes) return ['SUREFOOT_INPUT', input]
  return refuse(
    'input_too_large',
    `A task's environment holds ${mostInlineBytes} bytes of input; this one has ${bytes}.`,
    {
      advice: 'Name a bucket in the provider, through which inputs of any size travel.',
    },
  )
}

function toCommand(
  job: Job,
  target: EcsTarget,
  { cluster }: EcsPlace,
  [name, value]: [string, string],
): RunTaskCommandInput {
  const { fargate, capacityProvider, gpus, subnets, securityGroups } = target
  const provider = fargate === undefined ? capacityProvider : fargate.spot ? 'FARGATE_SPOT' : 'FARGATE'
  const container = {
    name: target.container ?? 'main',
    environment: [{ name, value }],
    ...(gpus === undefined ? {} : { resourceRequirements: [{ type: 'GPU' as const, value: String(gpus) }] }),
  }
  const network = {
    subnets: [...(subnets ?? [])],
    ...(securityGroups === undefined ? {} : { securityGroups: [...securityGroups] }),
    assignPublicIp: target.publicIp ? ('ENABLED' as const) : ('DISABLED' as const),
  }
  return {
    cluster,
    taskDefinition: target.taskDefinition,
    count: 1,
    clientToken: job.marker.attemptId,
    startedBy: job.marker.attemptId,
    ...(provider === undefined ? {} : { capacityProviderStrategy: [{ capacityProvider: provider, weight: 1 }] }),
    ...(subnets === undefined ? {} : { networkConfiguration: { awsvpcConfiguration: network } }),
    overrides: {
      ...(fargate === undefined
        ? {}
        : { cpu: String(fargate.vcpu * 1024), memory: String(Math.ceil(fargate.memoryGb * 1024)) }),
      containerOverrides: [container],
    },
  }
}
