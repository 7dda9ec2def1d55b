import { z } from 'zod'
import type { ActiveFaults } from '../faults.ts'
import { loseCreate, misanswerCancel, misanswerStatus, refuseCreate } from '../misbehave.ts'
import { createBucket, type Bucket as RateBucket } from '../rate-limit.ts'
import { answer, problem, wording } from './answers.ts'
import { createEcsLife } from './ecs-life.ts'
import { billedMs, isMissing, type Task, type TaskView, view } from './ecs-task.ts'
import type { Service, ServiceOptions } from './service.ts'

/** An entry of `failures`. */
export interface FailureView {
  readonly arn: string
  readonly reason: string
}

/** A cluster as `DescribeClusters` shows it. */
export interface ClusterView {
  readonly clusterName: string
  readonly status: string
  readonly runningTasksCount: number
  readonly pendingTasksCount: number
  readonly registeredContainerInstancesCount: number
}

/** Source: the guide's page on request throttling: 20 starts a second. */
const startsPerSecond = 20
const tokenMs = 24 * 60 * 60_000

const runSchema = z.looseObject({
  cluster: z.string().min(1).default('default'),
  taskDefinition: z.string().min(1),
  count: z.int().min(1).max(10).default(1),
  clientToken: z.string().min(1).max(64).optional(),
  startedBy: z
    .string()
    .regex(/^[\w/-]{1,128}$/)
    .optional(),
  capacityProviderStrategy: z
    .array(z.looseObject({ capacityProvider: z.string() }))
    .max(20)
    .optional(),
  overrides: z
    .looseObject({
      containerOverrides: z
        .array(
          z.looseObject({
            name: z.string().min(1),
            environment: z.array(z.looseObject({ name: z.string(), value: z.string() })).default([]),
            resourceRequirements: z.array(z.looseObject({ type: z.string(), value: z.string() })).optional(),
          }),
        )
        .optional(),
    })
    .optional(),
})
/** Limit of all overrides of a start. */
const mostOverrides = 8_192

export interface EcsService extends Service {
  /** The answer to one call; `target` is the operation's name. */
  answer(target: string, request: Request, origin: string, signals: readonly AbortSignal[]): Promise<Response>
}

/**
 * RunTask, DescribeTasks, ListTasks, StopTask and DescribeClusters of ECS. Every cluster and task definition exists, and
 * every container in it is a kit of ours. Source: see `docs/providers/aws.md`.
 */
export function createEcsService(options: ServiceOptions): EcsService {
  const { clock, newId, roll } = options
  const tasks = new Map<string, Task>()
  const tokens = new Map<string, { readonly body: string; readonly at: number; readonly arns: readonly string[] }>()
  const starts: RateBucket = createBucket(clock, startsPerSecond * 60, 100)
  const life = createEcsLife(options)

  async function runTask(text: string, origin: string, signals: readonly AbortSignal[]): Promise<Response> {
    if (!starts.take().ok) return wording.throttled('bare', 0, clock.now())
    const parsed = runSchema.safeParse(JSON.parse(text))
    if (!parsed.success) return problem('InvalidParameterException', z.prettifyError(parsed.error))
    const asked = parsed.data
    const overrides = asked.overrides?.containerOverrides ?? []
    const isFargate = asked.capacityProviderStrategy?.some(({ capacityProvider }) =>
      capacityProvider.startsWith('FARGATE'),
    )
    if (
      isFargate &&
      overrides.some(({ resourceRequirements }) => resourceRequirements?.some(({ type }) => type === 'GPU'))
    )
      return problem('InvalidParameterException', 'GPU is not supported on Fargate.')
    if (JSON.stringify(asked.overrides ?? {}).length > mostOverrides)
      return problem('InvalidParameterException', 'Container Overrides length must be at most 8192')

    const known = asked.clientToken === undefined ? undefined : tokens.get(asked.clientToken)
    if (known !== undefined && clock.now() < known.at + tokenMs) {
      if (known.body === text) return answer({ tasks: known.arns.map(shown), failures: [] })
      return problem('ConflictException', 'The client token was used with other parameters.', 400, {
        resourceIds: known.arns,
      })
    }
    const faults = roll()
    const refusal = faults.has('create-400') ? wording.refusal(400) : refuseCreate(faults, clock.now(), wording)
    if (refusal !== null) return refusal
    if (faults.has('placement-failed'))
      return answer({
        tasks: [],
        failures: [
          { arn: arnOf(asked.cluster, 'instance'), reason: faults.text('placement-failed').replace('-', ':') },
        ],
      })

    const created = Array.from({ length: asked.count }, () => create(asked, faults, origin))
    if (asked.clientToken !== undefined)
      tokens.set(asked.clientToken, { body: text, at: clock.now(), arns: created.map(({ arn }) => arn) })
    for (const task of created) life.begin(task)
    return (await loseCreate(faults, signals, wording)) ?? answer({ tasks: created.map(view), failures: [] })
  }

  function create(asked: z.infer<typeof runSchema>, faults: ActiveFaults, origin: string): Task {
    const [override] = asked.overrides?.containerOverrides ?? []
    const task: Task = {
      arn: arnOf(asked.cluster, newId()),
      cluster: asked.cluster,
      taskDefinition: asked.taskDefinition,
      startedBy: asked.startedBy ?? null,
      capacityProvider: asked.capacityProviderStrategy?.[0]?.capacityProvider ?? null,
      container: override?.name ?? 'main',
      environment: Object.fromEntries((override?.environment ?? []).map(({ name, value }) => [name, value])),
      origin,
      faults,
      shown: new Map(),
      forgotten: false,
      createdAt: clock.now(),
      lastStatus: 'PROVISIONING',
      desiredStatus: 'RUNNING',
      pullStartedAt: null,
      startedAt: null,
      stoppedAt: null,
      end: null,
      stop: new AbortController(),
      timers: new Set(),
    }
    tasks.set(task.arn, task)
    return task
  }

  function shown(arn: string): TaskView {
    const task = tasks.get(arn)
    return task === undefined ? { taskArn: arn, lastStatus: 'DELETED' } : view(task)
  }

  function find(reference: string): Task | undefined {
    const task = tasks.get(reference) ?? [...tasks.values()].find(({ arn }) => arn.endsWith(`/${reference}`))
    return task === undefined || isMissing(task, clock.now()) ? undefined : task
  }

  async function describeTasks(asked: string[], signals: readonly AbortSignal[]): Promise<Response> {
    const found: TaskView[] = []
    const failures: FailureView[] = []
    for (const reference of asked) {
      const task = find(reference)
      // A task that is not seen (any more) is no error, but an entry beside those that are.
      const missing = () => answer({ tasks: [], failures: [{ arn: reference, reason: 'MISSING' }] })
      const refusal = (status: number) => (status === 404 ? missing() : wording.refusal(status))
      const instead =
        task === undefined ? missing() : await misanswerStatus(task, clock, signals, { ...wording, refusal })
      if (instead !== null && asked.length === 1) return instead
      if (instead !== null || task === undefined) failures.push({ arn: reference, reason: 'MISSING' })
      else found.push(view(task))
    }
    return answer({ tasks: found, failures })
  }

  function listTasks(asked: { cluster?: string; startedBy?: string; desiredStatus?: string }): Response {
    if (asked.startedBy !== undefined && asked.desiredStatus !== undefined)
      return problem('InvalidParameterException', 'startedBy must be the only filter.')
    const desired = asked.desiredStatus ?? 'RUNNING'
    const mine = [...tasks.values()].filter(
      task =>
        task.cluster === (asked.cluster ?? 'default') &&
        !isMissing(task, clock.now()) &&
        task.desiredStatus === desired &&
        (asked.startedBy === undefined || task.startedBy === asked.startedBy),
    )
    return answer({ taskArns: mine.map(({ arn }) => arn) })
  }

  function stopTask(reference: string): Response {
    const task = find(reference)
    if (task === undefined) return problem('InvalidParameterException', 'The referenced task was not found.')
    const lost = misanswerCancel(task, wording)
    if (lost !== null) return lost
    life.stop(task)
    return answer({ task: view(task) })
  }

  function describeClusters(names: string[]): Response {
    const count = (cluster: string, isOne: (task: Task) => boolean) =>
      [...tasks.values()].filter(task => task.cluster === cluster && task.stoppedAt === null && isOne(task)).length
    const clusters = names.map(
      (name): ClusterView => ({
        clusterName: name,
        status: 'ACTIVE',
        runningTasksCount: count(name, ({ startedAt }) => startedAt !== null),
        pendingTasksCount: count(name, ({ startedAt }) => startedAt === null),
        registeredContainerInstancesCount: 0,
      }),
    )
    return answer({ clusters, failures: [] })
  }

  return {
    async answer(target, request, origin, signals) {
      const text = await request.text()
      const body = bodySchema.parse(JSON.parse(text))
      switch (target) {
        case 'RunTask':
          return await runTask(text, origin, signals)
        case 'DescribeTasks':
          return await describeTasks(body.tasks ?? [], signals)
        case 'ListTasks':
          return listTasks(body)
        case 'StopTask':
          return stopTask(body.task ?? '')
        case 'DescribeClusters':
          return describeClusters(body.clusters ?? ['default'])
      }
      return problem('UnknownOperationException', '')
    },
    get submits() {
      return tasks.size
    },
    get running() {
      return [...tasks.values()].filter(({ stoppedAt }) => stoppedAt === null).length
    },
    ledger: () =>
      [...tasks.values()].map(task => ({
        id: task.arn,
        status: task.lastStatus,
        isRunning: task.stoppedAt === null,
        input: task.environment,
        label: task.startedBy,
        billedMs: billedMs(task, clock.now()),
      })),
    close() {
      for (const task of tasks.values()) life.close(task)
    },
  }
}

const text = z.string().optional()
const bodySchema = z.looseObject({
  cluster: text,
  task: text,
  startedBy: text,
  desiredStatus: text,
  tasks: z.array(z.string()).optional(),
  clusters: z.array(z.string()).optional(),
})

function arnOf(cluster: string, id: string): string {
  return `arn:aws:ecs:us-east-1:123456789012:task/${cluster}/${id}`
}
