import { expect, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { createEchoWork } from '../works.ts'
import { type AwsEmulatorOptions, createAwsEmulator } from './index.ts'

const signed = {
  authorization:
    'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=00',
}
type Body = Record<string, unknown>

function setup(more: Partial<AwsEmulatorOptions> = {}) {
  const clock = createSimulatedClock()
  const emulator = createAwsEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs: 10_000 }),
    send: async () => new Response(null),
    ...more,
  })
  async function call(operation: string, body: object): Promise<{ status: number; body: Body }> {
    const headers = { ...signed, 'x-amz-target': `AmazonEC2ContainerServiceV20141113.${operation}` }
    const request = new Request('https://aws.test/', { method: 'POST', headers, body: JSON.stringify(body) })
    const response = await emulator.fetch(request)
    return { status: response.status, body: (await response.json()) as Body }
  }
  const object = (method: string, path: string, init: RequestInit = {}) =>
    emulator.fetch(
      new Request(`https://aws.test/b/${path}`, { method, headers: { ...signed, ...init.headers }, ...init }),
    )
  const run = async (more: object = {}): Promise<string> => {
    const { body } = await call('RunTask', { ...started, ...more })
    return (body.tasks as { taskArn: string }[])[0]?.taskArn ?? ''
  }
  const task = async (arn: string): Promise<Body | undefined> =>
    ((await call('DescribeTasks', { tasks: [arn] })).body.tasks as Body[])[0]
  const word = async (arn: string) => (await task(arn))?.lastStatus
  return { clock, emulator, call, object, run, task, word }
}

const surefoot = { attempt: 'a1', upload: { url: 'https://us.test/upload' }, hello: 'https://us.test/hello' }
const environment = [{ name: 'SUREFOOT_INPUT', value: JSON.stringify({ text: 'hi', surefoot }) }]
const started = { taskDefinition: 'sharp:3', overrides: { containerOverrides: [{ name: 'main', environment }] } }

test('placed, pulled, running, cleaned up and stopped, to the millisecond', async () => {
  const { clock, emulator, run, task, word } = setup()
  const began = clock.now() / 1000
  const arn = await run()
  const seen: unknown[] = [await word(arn)]
  for (const ms of [1000, 1999, 1, 9_999, 1, 999, 1]) {
    await clock.advance(ms)
    seen.push(await word(arn))
  }
  const [placing, ...rest] = ['PROVISIONING', 'PENDING', 'PENDING', 'RUNNING', 'RUNNING', 'DEPROVISIONING']
  expect(seen).toEqual([placing, ...rest, 'DEPROVISIONING', 'STOPPED'])
  expect(await task(arn)).toMatchObject({
    stopCode: 'EssentialContainerExited',
    createdAt: began,
    pullStartedAt: began + 1,
    startedAt: began + 3,
    stoppedAt: began + 14,
    containers: [{ name: 'main', exitCode: 0 }],
  })
  expect(emulator.state().ledger).toMatchObject([{ billedMs: 13_000, status: 'STOPPED' }])
})

test('a stopped task is shown for an hour, then it is missing like one that never was', async () => {
  const { clock, call, run, word } = setup()
  const arn = await run()
  await clock.advance(14_000 + 60 * 60_000 - 1)
  expect(await word(arn)).toBe('STOPPED')
  await clock.advance(1)
  expect((await call('DescribeTasks', { tasks: [arn, 'never'] })).body).toEqual({
    tasks: [],
    failures: [
      { arn, reason: 'MISSING' },
      { arn: 'never', reason: 'MISSING' },
    ],
  })
})

test('the same client token with the same words runs nothing new; with others it is a conflict that names the task', async () => {
  const { emulator, call, run } = setup()
  const arn = await run({ clientToken: 'a1' })
  expect(await run({ clientToken: 'a1' })).toBe(arn)
  expect(await call('RunTask', { ...started, taskDefinition: 'other', clientToken: 'a1' })).toMatchObject({
    status: 400,
    body: { __type: 'ConflictException', resourceIds: [arn] },
  })
  expect(emulator.state().submits).toBe(1)
})

test('a list by who started it holds only what has not stopped, and takes no second filter', async () => {
  const { clock, call, run } = setup()
  const arn = await run({ startedBy: 'a1' })
  await run({ startedBy: 'a2' })
  const list = async () => (await call('ListTasks', { startedBy: 'a1' })).body.taskArns
  expect(await list()).toEqual([arn])
  await clock.advance(14_000)
  expect(await list()).toEqual([])
  const both = await call('ListTasks', { startedBy: 'a1', desiredStatus: 'STOPPED' })
  expect(both).toMatchObject({ status: 400, body: { __type: 'InvalidParameterException' } })
})

test('a stop lets the container end itself; where none ran there is no exit code', async () => {
  const { clock, call, run, task } = setup()
  const early = await run()
  await call('StopTask', { task: early })
  await clock.advance(0)
  expect(await task(early)).toMatchObject({ lastStatus: 'STOPPED', stopCode: 'UserInitiated' })
  expect((await task(early))?.containers).toEqual([{ name: 'main', lastStatus: 'STOPPED' }])
  const late = await run()
  await clock.advance(5_000)
  await call('StopTask', { task: late })
  expect(await task(late)).toMatchObject({ lastStatus: 'STOPPING', desiredStatus: 'STOPPED' })
  await clock.advance(2_000)
  expect(await task(late)).toMatchObject({ lastStatus: 'STOPPED', containers: [{ exitCode: 143 }] })
})

test.each([
  ['no task definition', { taskDefinition: undefined }, 'InvalidParameterException'],
  ['a token of 65 characters', { clientToken: 'a'.repeat(65) }, 'InvalidParameterException'],
  ['a starter with a colon', { startedBy: 'a:b' }, 'InvalidParameterException'],
  [
    'a GPU on Fargate',
    {
      capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }],
      overrides: { containerOverrides: [{ name: 'main', resourceRequirements: [{ type: 'GPU', value: '1' }] }] },
    },
    'InvalidParameterException',
  ],
  [
    'overrides that are too long',
    { overrides: { containerOverrides: [{ name: 'main', environment: [{ name: 'A', value: 'x'.repeat(8_200) }] }] } },
    'InvalidParameterException',
  ],
])('a start with %s is refused', async (_, more, name) => {
  const { call, emulator } = setup()
  expect(await call('RunTask', { ...started, ...more })).toMatchObject({ status: 400, body: { __type: name } })
  expect(emulator.state().submits).toBe(0)
})

test('more than a burst of a hundred starts is throttled, with 400', async () => {
  const { call } = setup()
  const answers = await Promise.all(Array.from({ length: 101 }, () => call('RunTask', started)))
  expect(answers.filter(({ status }) => status === 400).map(({ body }) => body.__type)).toEqual(['ThrottlingException'])
})

test('calls without a signature are refused, and with a key only that of the account is good', async () => {
  const { emulator } = setup({ credentials: { accessKeyId: 'AKIAGOOD', secretAccessKey: 'secret' } })
  const ask = async (headers: Record<string, string>) => {
    const target = { 'x-amz-target': 'X.ListTasks' }
    return (
      await emulator.fetch(
        new Request('https://aws.test/', { method: 'POST', headers: { ...target, ...headers }, body: '{}' }),
      )
    ).json()
  }
  expect(await ask({})).toMatchObject({ __type: 'MissingAuthenticationTokenException' })
  expect(await ask(signed)).toMatchObject({ __type: 'UnrecognizedClientException' })
})

test('the bucket keeps what is put, gives it by range, lists it, writes once where asked, and deletes it', async () => {
  const { object } = setup()
  expect((await object('GET', 'a/x')).status).toBe(404)
  const put = (init: RequestInit = {}) => object('PUT', 'a/x', { body: 'hello', ...init })
  expect((await put()).status).toBe(200)
  expect((await put({ headers: { ...signed, 'if-none-match': '*' } })).status).toBe(412)
  expect(await (await object('GET', 'a/x', { headers: { ...signed, range: 'bytes=1-2' } })).text()).toBe('el')
  expect((await object('HEAD', 'a/x')).headers.get('content-length')).toBe('5')
  expect(await (await object('GET', '?list-type=2&prefix=a/')).text()).toContain('<Key>a/x</Key><Size>5</Size>')
  expect((await object('DELETE', 'a/x')).status).toBe(204)
  expect((await object('HEAD', 'a/x')).status).toBe(404)
})
