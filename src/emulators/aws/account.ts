import { type Settings, tell } from '../settings.ts'
import { answer, problem, s3Problem } from './answers.ts'

/** The operations of services that speak JSON, and what a healthy account answers. */
const healthy: { readonly [operation: string]: (asked: { readonly [field: string]: unknown }) => object } = {
  DescribeTaskDefinition: ({ taskDefinition }) => ({
    ...{ family: taskDefinition, revision: 1, status: 'ACTIVE', compatibilities: ['EC2', 'FARGATE'] },
    executionRoleArn: 'arn:aws:iam::123456789012:role/tasks',
    containerDefinitions: [
      { name: 'main', image: 'kit', essential: true, logConfiguration: { logDriver: 'awslogs', options: {} } },
    ],
  }),
  DescribeCapacityProviders: ({ capacityProviders }) => ({
    name: Array.isArray(capacityProviders) ? capacityProviders[0] : 'default',
    status: 'ACTIVE',
    autoScalingGroupProvider: { managedScaling: { status: 'ENABLED' } },
  }),
  GetFunctionConfiguration: () => ({
    ...{ State: 'Active', LastUpdateStatus: 'Successful', Timeout: 900, MemorySize: 4096, CodeSize: 12_000_000 },
    ...{ PackageType: 'Zip', EphemeralStorage: { Size: 512 } },
  }),
  GetFunctionEventInvokeConfig: () => ({ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 3_600 }),
  GetFunctionConcurrency: () => ({}),
}

const shells: { readonly [operation: string]: (body: object) => object } = {
  DescribeTaskDefinition: taskDefinition => ({ taskDefinition, tags: [] }),
  DescribeCapacityProviders: provider => ({ capacityProviders: [provider], failures: [] }),
}

const refusals: { readonly [operation: string]: readonly [error: string, message: string] } = {
  DescribeTaskDefinition: ['ClientException', 'Unable to describe task definition.'],
  DescribeCapacityProviders: ['ClientException', 'The specified capacity provider was not found.'],
}

const functionPaths: readonly (readonly [RegExp, string])[] = [
  [/^\/2015-03-31\/functions\/[^/]+\/configuration$/, 'GetFunctionConfiguration'],
  [/^\/2019-09-25\/functions\/[^/]+\/event-invoke-config$/, 'GetFunctionEventInvokeConfig'],
  [/^\/2019-09-30\/functions\/[^/]+\/concurrency$/, 'GetFunctionConcurrency'],
]

/**
 * What an account tells of its settings, all of it healthy unless `settings` say otherwise, by the names of the operations;
 * null for a request that asks for something else. 403 is a right that is missing, 404 what is not there.
 */
export async function tellAccount(
  request: Request,
  url: URL,
  target: string | null,
  settings: Settings | undefined,
): Promise<Response | null> {
  if (request.method === 'GET' && url.searchParams.has('publicAccessBlock'))
    return xml(settings, 'GetPublicAccessBlock', 'NoSuchPublicAccessBlockConfiguration', ({ on = true }) => {
      const flags = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets']
      const inner = flags.map(flag => `<${flag}>${on}</${flag}>`).join('')
      return `<PublicAccessBlockConfiguration>${inner}</PublicAccessBlockConfiguration>`
    })
  if (request.method === 'GET' && url.searchParams.has('lifecycle'))
    return xml(settings, 'GetBucketLifecycleConfiguration', 'NoSuchLifecycleConfiguration', ({ on = true }) => {
      const rule = `<Status>${on ? 'Enabled' : 'Disabled'}</Status><Expiration><Days>7</Days></Expiration>`
      return `<LifecycleConfiguration><Rule>${rule}</Rule></LifecycleConfiguration>`
    })
  const operation =
    target?.split('.').at(-1) ??
    functionPaths.find(([path]) => request.method === 'GET' && path.test(url.pathname))?.[1]
  const made = operation === undefined ? undefined : healthy[operation]
  if (operation === undefined || made === undefined) return null
  const asked = request.method === 'POST' ? ((await request.clone().json()) as { [field: string]: unknown }) : {}
  const [error, message] = refusals[operation] ?? ['ResourceNotFoundException', 'Function not found.']
  return tell(settings, operation, made(asked), {
    answer: body => answer(shells[operation]?.(body) ?? body),
    refuse: status =>
      status === 403
        ? problem('AccessDeniedException', `User is not authorized to perform: ${operation}`, status)
        : problem(error, message, refusals[operation] === undefined ? 404 : 400),
  })
}

function xml(
  settings: Settings | undefined,
  call: string,
  missing: string,
  body: (set: { readonly on?: boolean }) => string,
): Response {
  return tell(
    settings,
    call,
    {},
    {
      answer: set => new Response(body(set), { headers: { 'content-type': 'application/xml' } }),
      refuse: status => s3Problem(status, status === 403 ? 'AccessDenied' : missing),
    },
  )
}

/** The settings of a call laid over the healthy answer that its service made, at the one object that they belong to. */
export async function overlay(
  response: Response,
  settings: Settings | undefined,
  call: 'DescribeEndpoint' | 'DescribeClusters',
): Promise<Response> {
  const set = settings?.[call]
  if (set === undefined || !response.ok) return response
  if (typeof set === 'number')
    return problem('AccessDeniedException', `User is not authorized to perform: ${call}`, set)
  const body = (await response.json()) as { readonly clusters?: readonly object[] }
  if (body.clusters === undefined) return answer({ ...body, ...set })
  return answer({ ...body, clusters: body.clusters.map(cluster => ({ ...cluster, ...set })) })
}
