import type { Finding } from '../../contract.ts'
import { ok, problem, warning } from '../../finding.ts'
import type { EcsTarget } from './options.ts'
import type { WireContainerDefinition, WireTaskDefinition } from './wire-settings.ts'

/** Seconds; more is refused. Source: the guide's page on task definition parameters for Fargate. */
const longestFargateStop = 120

/** Whether a task definition can be run as the target says. */
export function judgeDefinition(told: WireTaskDefinition, target: EcsTarget): Finding[] {
  const words = `Amazon ECS: the task definition ${target.taskDefinition}${told.revision === undefined ? '' : ` (revision ${told.revision})`}`
  if (told.status !== undefined && told.status !== 'ACTIVE')
    return [
      problem('ecs-definition', `${words} is ${told.status}: no new task runs it.`, 'Name a revision that is ACTIVE.'),
    ]
  const name = target.container ?? 'main'
  const container = told.containerDefinitions?.find(each => each.name === name)
  if (told.containerDefinitions !== undefined && container === undefined) {
    const names = told.containerDefinitions.map(each => each.name).join(', ')
    const advice = "Name the kit's container in the target: container."
    return [problem('ecs-definition', `${words} has no container "${name}", only ${names}.`, advice)]
  }
  return [
    ok('ecs-definition', `${words} is there, with the container "${name}".`),
    ...judgeGpu(words, container, told, target),
    ...judgeNetwork(words, told, target),
    ...judgeRole(words, told, target),
    ...(container === undefined ? [] : judgeContainer(words, container, target)),
  ]
}

function judgeGpu(
  words: string,
  container: WireContainerDefinition | undefined,
  { compatibilities }: WireTaskDefinition,
  { fargate, gpus }: EcsTarget,
): Finding[] {
  const hasGpu = gpus !== undefined || container?.resourceRequirements?.some(({ type }) => type === 'GPU') === true
  if (fargate !== undefined && hasGpu)
    return [
      problem(
        'ecs-gpu',
        `${words} asks for a GPU, and Fargate has none.`,
        'Name a capacityProvider of GPU instances instead of fargate.',
      ),
    ]
  if (fargate !== undefined && compatibilities !== undefined && !compatibilities.includes('FARGATE'))
    return [problem('ecs-gpu', `${words} is not one for Fargate.`, 'Register it with requiresCompatibilities FARGATE.')]
  if (fargate === undefined && container !== undefined && !hasGpu)
    return [
      warning(
        'ecs-gpu',
        `${words} asks for no GPU, and neither does the target: the kit finds none, even on a GPU instance.`,
        'Set gpus in the target, unless the kit needs none.',
      ),
    ]
  return hasGpu ? [ok('ecs-gpu', `${words} gets a GPU.`)] : []
}

function judgeNetwork(words: string, { networkMode }: WireTaskDefinition, { subnets, publicIp }: EcsTarget): Finding[] {
  if (networkMode === undefined) return []
  if (networkMode === 'awsvpc' && subnets === undefined)
    return [
      problem(
        'ecs-network',
        `${words} has network mode awsvpc, and the target names no subnets.`,
        'Name them in the target.',
      ),
    ]
  if (networkMode !== 'awsvpc' && subnets !== undefined)
    return [
      problem(
        'ecs-network',
        `${words} has network mode ${networkMode}, which takes no subnets.`,
        'Leave subnets, securityGroups and publicIp out of the target.',
      ),
    ]
  if (subnets === undefined) return []
  const way = publicIp === true ? 'by a public address' : 'by a NAT gateway or endpoints of the VPC'
  return [
    ok(
      'ecs-network',
      `${words} reaches image, bucket and us ${way} only; whether the subnets have that is seen by a probe.`,
    ),
  ]
}

function judgeRole(words: string, { executionRoleArn }: WireTaskDefinition, { fargate }: EcsTarget): Finding[] {
  if (fargate === undefined || executionRoleArn !== undefined) return []
  const message = `${words} has no execution role: on Fargate neither a private image nor logs come about.`
  return [warning('ecs-role', message, 'Give it an executionRoleArn, unless its image is public and it logs nowhere.')]
}

function judgeContainer(
  words: string,
  { logConfiguration, stopTimeout }: WireContainerDefinition,
  { fargate }: EcsTarget,
): Finding[] {
  const findings: Finding[] = []
  if (logConfiguration?.logDriver === undefined)
    findings.push(
      warning(
        'ecs-logs',
        `${words} has no log driver: when a kit dies, nobody can read why.`,
        'Give the container a logConfiguration, such as awslogs.',
      ),
    )
  if (fargate !== undefined && stopTimeout !== undefined && stopTimeout > longestFargateStop)
    findings.push(
      problem(
        'ecs-stop-timeout',
        `${words} has a stop timeout of ${stopTimeout} s, and Fargate takes ${longestFargateStop} s at most.`,
        'Lower it.',
      ),
    )
  return findings
}
