import type {
  Cluster,
  DescribeCapacityProvidersResponse,
  DescribeClustersResponse,
  DescribeTaskDefinitionResponse,
  DescribeTasksResponse,
  Failure as EcsFailure,
  ListTasksResponse,
  RunTaskResponse,
  Task,
  TaskStopCode,
} from '@aws-sdk/client-ecs'
import type { DescribeEndpointOutput, EndpointStatus } from '@aws-sdk/client-sagemaker'
import type { InvokeEndpointAsyncOutput } from '@aws-sdk/client-sagemaker-runtime'
import { expect, expectTypeOf, test } from 'vitest'
import type { z } from 'zod'
import type { FailureCode } from '../../core/failure.ts'
import type { ClusterView, FailureView } from '../../emulators/aws/ecs.ts'
import type { TaskView } from '../../emulators/aws/ecs-task.ts'
import type { EndpointView } from '../../emulators/aws/sagemaker.ts'
import type { Received } from '../../testing/test-received.ts'
import type { Health, Observation } from '../contract.ts'
import { observe } from './ecs/observe.ts'
import {
  type clustersSchema,
  type taskArnsSchema,
  tasksSchema,
  type WireFailure,
  type WireTask,
  type WireTasks,
} from './ecs/wire.ts'
import type { capacityProvidersSchema, placesSchema, taskDefinitionSchema } from './ecs/wire-settings.ts'
import { judgeHealth } from './sagemaker/health.ts'
import type { invokedSchema, WireEndpoint } from './sagemaker/wire.ts'

/**
 * The types of the AWS SDK against what the emulator answers and what the adapters read. In the SDK every field may be
 * absent; `Given` names those that an answer without is refused for. Lambda's answer to an event and S3's to objects have
 * no body to be typed: `emulators/aws/client.test.ts` reads them with the SDK's clients.
 */
type OnWire<Value> = Value extends Date
  ? number
  : Value extends readonly (infer Item)[]
    ? OnWire<Item>[]
    : Value extends object
      ? { [key in keyof Value]: OnWire<Value[key]> }
      : Value
type Given<Value, Key extends keyof Value> = Value & { [key in Key]-?: NonNullable<Value[key]> }

test('what the emulator answers fits the published types', () => {
  expectTypeOf<Received<TaskView>>().toExtend<OnWire<Task>>()
  expectTypeOf<Received<FailureView>>().toExtend<OnWire<EcsFailure>>()
  expectTypeOf<Received<ClusterView>>().toExtend<OnWire<Cluster>>()
  expectTypeOf<Received<EndpointView>>().toExtend<OnWire<DescribeEndpointOutput>>()
})

test('the adapters read every value of the published types', () => {
  type ReadTask = Given<OnWire<Task>, 'taskArn' | 'lastStatus'>
  expectTypeOf<Task>().not.toBeAny()
  expectTypeOf<ReadTask>().toExtend<WireTask>()
  expectTypeOf<OnWire<EcsFailure>>().toExtend<WireFailure>()
  type ReadTasks = Omit<Given<OnWire<RunTaskResponse & DescribeTasksResponse>, 'tasks' | 'failures'>, 'tasks'>
  expectTypeOf<ReadTasks & { tasks: ReadTask[] }>().toExtend<WireTasks>()
  expectTypeOf<Given<ListTasksResponse, 'taskArns'>>().toExtend<z.output<typeof taskArnsSchema>>()
  expectTypeOf<Given<OnWire<DescribeClustersResponse>, 'clusters'>>().toExtend<z.output<typeof clustersSchema>>()
  expectTypeOf<Given<OnWire<DescribeClustersResponse>, 'clusters'>>().toExtend<z.output<typeof placesSchema>>()
  type ReadDefinition = Given<OnWire<DescribeTaskDefinitionResponse>, 'taskDefinition'>
  expectTypeOf<ReadDefinition>().toExtend<z.output<typeof taskDefinitionSchema>>()
  type ReadProviders = Given<OnWire<DescribeCapacityProvidersResponse>, 'capacityProviders'>
  expectTypeOf<ReadProviders>().toExtend<z.output<typeof capacityProvidersSchema>>()
  type Described = OnWire<DescribeEndpointOutput>
  type Async = Given<NonNullable<Described['AsyncInferenceConfig']>, 'OutputConfig'>
  type ReadEndpoint = Omit<Given<Described, 'EndpointStatus'>, 'AsyncInferenceConfig'>
  expectTypeOf<ReadEndpoint & { AsyncInferenceConfig?: Async }>().toExtend<WireEndpoint>()
  expectTypeOf<Given<InvokeEndpointAsyncOutput, 'InferenceId'>>().toExtend<z.output<typeof invokedSchema>>()
})

test('a whole task is read and nothing of it is changed', () => {
  const task: Given<OnWire<Task>, keyof WireTask> = {
    taskArn: 'arn:aws:ecs:us-east-1:123456789012:task/gpu/1',
    lastStatus: 'STOPPED',
    stopCode: 'EssentialContainerExited',
    stoppedReason: 'Essential container in task exited',
    createdAt: 1_767_225_600.5,
    pullStartedAt: 1_767_225_601,
    startedAt: 1_767_225_602,
    stoppedAt: 1_767_225_603,
    containers: [{ name: 'main', exitCode: 0, reason: 'OutOfMemoryError', cpu: '1024', networkInterfaces: [] }],
    overrides: { containerOverrides: [{ name: 'main', environment: [{ name: 'a', value: 'b' }] }], cpu: '1 vCPU' },
    version: 7,
    tags: [{ key: 'a', value: 'b' }],
  }
  const failures: OnWire<EcsFailure>[] = [{ arn: 'arn', reason: 'RESOURCE:GPU', detail: 'none is free' }]
  expect(tasksSchema.parse({ tasks: [task], failures })).toEqual({ tasks: [task], failures })
})

/** Every stop code of the published enum: one more there, or one less, is an error here. The container left no exit code. */
const stops: { readonly [code in TaskStopCode]: readonly [Observation['status'], FailureCode | undefined] } = {
  EssentialContainerExited: ['failed', 'worker_lost'],
  InfrastructureHealth: ['failed', 'worker_lost'],
  // Of tasks of a service, which ours are not.
  ServiceSchedulerInitiated: ['failed', 'worker_lost'],
  SpotInterruption: ['failed', 'worker_lost'],
  TaskFailedToStart: ['failed', 'provider_error'],
  TerminationNotice: ['failed', 'worker_lost'],
  UserInitiated: ['canceled', undefined],
}

test.each(Object.entries(stops))('a task stopped as %s is %s', (stopCode, [status, code]) => {
  const seen = observe({ taskArn: 'arn', lastStatus: 'STOPPED', stopCode }, null)
  expect([seen.status, seen.failure?.code]).toEqual([status, code])
})

/** Every status of an endpoint, with one instance up. */
const endpoints: { readonly [status in EndpointStatus]: Health['state'] } = {
  Creating: 'ok',
  Deleting: 'no-workers',
  Failed: 'no-workers',
  InService: 'ok',
  OutOfService: 'no-workers',
  RollingBack: 'ok',
  SystemUpdating: 'ok',
  UpdateRollbackFailed: 'ok',
  Updating: 'ok',
}

test.each(Object.entries(endpoints))('an endpoint that is %s and has an instance is judged %s', (status, state) => {
  const health = judgeHealth({ EndpointStatus: status, ProductionVariants: [{ CurrentInstanceCount: 1 }] })
  expect(health.state).toBe(state)
})
