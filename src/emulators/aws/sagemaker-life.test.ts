import { expect, test } from 'vitest'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { createEchoWork } from '../works.ts'
import { type AwsEmulatorOptions, createAwsEmulator } from './index.ts'

const signed = {
  authorization:
    'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=00',
}

const variant = { VariantName: 'AllTraffic' }

function setup(more: Partial<AwsEmulatorOptions> = {}) {
  const clock = createSimulatedClock()
  const emulator = createAwsEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs: 10_000 }),
    ...more,
  })
  const send = (path: string, init: RequestInit = {}) =>
    emulator.fetch(new Request(`https://aws.test${path}`, { ...init, headers: { ...signed, ...init.headers } }))
  const read = async (uri: string): Promise<string> => {
    const response = await send(uri.replace('s3:/', ''))
    return response.status === 200 ? await response.text() : String(response.status)
  }
  async function invoke(
    headers: Record<string, string> = {},
  ): Promise<{ status: number; output: string; failure: string }> {
    await send('/b/input.json', { method: 'PUT', body: JSON.stringify({ text: 'hi' }) })
    const where = { 'x-amzn-sagemaker-inputlocation': 's3://b/input.json' }
    const response = await send('/endpoints/sharp/async-invocations', {
      method: 'POST',
      headers: { ...where, ...headers },
    })
    const location = (name: string) => response.headers.get(`x-amzn-sagemaker-${name}location`) ?? ''
    return { status: response.status, output: location('output'), failure: location('failure') }
  }
  const describe = async (): Promise<unknown> => {
    const headers = { 'x-amz-target': 'SageMaker.DescribeEndpoint' }
    const response = await send('/', { method: 'POST', headers, body: JSON.stringify({ EndpointName: 'sharp' }) })
    return ((await response.json()) as { ProductionVariants: unknown[] }).ProductionVariants[0]
  }
  return { clock, emulator, send, read, invoke, describe }
}

test('a request is taken with 202, waits for an instance, and its answer appears where its headers said, to the millisecond', async () => {
  const { clock, emulator, read, invoke, describe } = setup()
  expect(await describe()).toEqual({ ...variant, CurrentInstanceCount: 0, DesiredInstanceCount: 0 })
  const { status, output, failure } = await invoke()
  expect(status).toBe(202)
  expect(await describe()).toEqual({ ...variant, CurrentInstanceCount: 0, DesiredInstanceCount: 1 })
  await clock.advance(11_999)
  expect([await read(output), await describe()]).toEqual([
    '404',
    { ...variant, CurrentInstanceCount: 1, DesiredInstanceCount: 1 },
  ])
  await clock.advance(1)
  expect([await read(output), await read(failure)]).toEqual(['{"text":"hi"}', '404'])
  expect(emulator.state()).toMatchObject({ submits: 1, running: 0, ledger: [{ billedMs: 10_000, status: 'ended' }] })
})

test('an error appears at the other address', async () => {
  const { clock, read, invoke } = setup({ faults: ['model-error'] })
  const { output, failure } = await invoke()
  await clock.advance(60_000)
  expect(await read(output)).toBe('404')
  expect(await read(failure)).toBe(
    'Received server error (500) from primary with message "ValueError: Input image must have 3 channels, got 4".',
  )
})

test('a request that waits longer than its time to live expires; one that works longer than its limit is ended', async () => {
  const waiting = setup({ faults: ['queue-forever'] })
  const expired = await waiting.invoke({ 'x-amzn-sagemaker-requestttlseconds': '60' })
  await waiting.clock.advance(59_999)
  expect(await waiting.read(expired.failure)).toBe('404')
  await waiting.clock.advance(1)
  expect(await waiting.read(expired.failure)).toContain('expired')
  const stuck = setup({ faults: ['stall@0.5'] })
  const ended = await stuck.invoke({ 'x-amzn-sagemaker-invocationtimeoutseconds': '60' })
  await stuck.clock.advance(62_000)
  expect(await stuck.read(ended.failure)).toContain('timed out')
  expect(stuck.emulator.state().ledger[0]?.billedMs).toBe(60_000)
})

test('an input that is gone before an instance reads it is an error', async () => {
  const { clock, send, read, invoke } = setup()
  const { failure } = await invoke()
  await send('/b/input.json', { method: 'DELETE' })
  await clock.advance(2_000)
  expect(await read(failure)).toContain('Unable to download')
})

test('a request without an input is refused', async () => {
  const { emulator, send } = setup()
  expect((await send('/endpoints/sharp/async-invocations', { method: 'POST' })).status).toBe(400)
  expect(emulator.state().submits).toBe(0)
})
