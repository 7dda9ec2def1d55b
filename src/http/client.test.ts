import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import Replicate, { type FileOutput, type Prediction, parseProgressFromLogs, validateWebhook } from 'replicate'
import { describe, expect, onTestFinished, test } from 'vitest'
import { refuse } from '../core/failure.ts'
import type { PredictionJson } from './shapes.ts'
import { setupGateway as setup, splat } from './test-gateway.ts'
import { png, sketch } from './test-support.ts'

test('the published client runs a model on an uploaded photo and gets the stored bytes', async () => {
  const { replicate, succeed } = await setup()
  const statuses: string[] = []
  const image = new Blob([png], { type: 'image/png' })
  const running = replicate.run(
    'acme/sketch',
    { input: { image, steps: 3 }, wait: { mode: 'block', timeout: 60 } },
    ({ status }) => statuses.push(status),
  )
  succeed()
  const output = await running
  // The client makes a FileOutput of https and data addresses only; on plain http its caller gets the address itself.
  const response = await fetch(String(output))
  expect(await response.text()).toBe(splat)
  expect(new Set(statuses)).toEqual(new Set(['succeeded']))
})

test('behind a local proxy with TLS, the published client gets its usual FileOutput', async () => {
  const publicUrl = 'https://localhost:8443'
  const { app, succeed } = await setup({ publicUrl })
  const fetch = async (url: string | URL | Request, init?: RequestInit) => app().fetch(new Request(url, init))
  const replicate = new Replicate({ auth: 'any', baseUrl: `${publicUrl}/v1`, fetch })
  succeed()
  const output = (await replicate.run('acme/sketch', { input: { image: new Blob([png]) } })) as FileOutput
  expect(output.url().href).toMatch(/^https:\/\/localhost:8443\/v1\/outputs\//)
  expect(await (await output.blob()).text()).toBe(splat)
})

test('the published client waits by polling, lists and shows predictions, with progress from the logs', async () => {
  const { replicate, succeed } = await setup()
  const image = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
  const created = await replicate.predictions.create({ version: sketch.version, input: { image } })
  expect(created.status).toBe('starting')
  const fractions: number[] = []
  const ended = await replicate.wait(created, { interval: 20 }, async prediction => {
    const progress = parseProgressFromLogs(prediction.logs ?? '')
    if (progress !== null) {
      fractions.push(progress.percentage)
      succeed()
    }
    return false
  })
  expect(ended).toMatchObject({ id: created.id, status: 'succeeded', model: 'acme/sketch' })
  expect(fractions[0]).toBe(0.25)
  const pages: string[][] = []
  for await (const page of replicate.paginate(replicate.predictions.list)) pages.push(page.map(({ id }) => id))
  expect(pages).toEqual([[created.id]])
  expect((await replicate.predictions.get(created.id)) as unknown as PredictionJson).toMatchObject({
    surefoot: { cost: { amount: 0.01 }, deployment: 'sketch@hand', output: { bytes: splat.length } },
  })
})

test('the published client cancels', async () => {
  const { replicate } = await setup()
  const image = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
  const created = await replicate.predictions.create({ model: 'acme/sketch', input: { image } })
  await replicate.predictions.cancel(created.id)
  expect((await replicate.wait(created, { interval: 20 })).status).toBe('canceled')
})

test('the published client stores, shows, lists and deletes files', async () => {
  const { replicate } = await setup()
  const file = await replicate.files.create(new Blob([png], { type: 'image/png' }), { from: 'test' })
  expect(file).toMatchObject({ content_type: 'image/png', size: png.length, metadata: { from: 'test' } })
  expect(await replicate.files.get(file.id)).toEqual(file)
  expect((await replicate.files.list()).results).toEqual([file])
  expect(await replicate.files.delete(file.id)).toBe(true)
  await expect(replicate.files.get(file.id)).rejects.toThrow('404')
})

test('the published client finds models and versions, and is told what is wrong', async () => {
  const { replicate } = await setup()
  expect(await replicate.accounts.current()).toMatchObject({ username: 'local' })
  expect((await replicate.models.list()).results.map(({ name }) => name)).toEqual(['sketch'])
  expect(await replicate.models.get('acme', 'sketch')).toMatchObject({ latest_version: { id: sketch.version } })
  expect(await replicate.models.versions.get('acme', 'sketch', sketch.version)).toMatchObject({ id: sketch.version })
  await expect(replicate.run('acme/sketch', { input: { steps: 0 } })).rejects.toThrow('422')
})

const image = `data:image/png;base64,${Buffer.from(png).toString('base64')}`

describe('run() of the published client', () => {
  test.each<[string, object]>([
    ['holds the request, as it does by itself', {}],
    ['holds the request for so long', { wait: { mode: 'block', timeout: 5 } }],
    ['polls', { wait: { mode: 'poll', interval: 10 } }],
  ])('%s', async (_, options) => {
    const { replicate, url, succeed } = await setup()
    succeed()
    const output = await replicate.run('acme/sketch', { input: { image }, ...options })
    expect(String(output)).toMatch(new RegExp(`^${url}/v1/outputs/`))
    expect(await (await fetch(String(output))).text()).toBe(splat)
  })

  test('goes on by polling when the wait runs out first', async () => {
    const { replicate, succeed } = await setup()
    const statuses = new Set<string>()
    const options = { input: { image }, wait: { mode: 'block', timeout: 1, interval: 10 } } as const
    const running = replicate.run(`acme/sketch:${sketch.version}`, options, prediction => {
      if (!statuses.has(prediction.status) && prediction.status === 'processing') succeed()
      statuses.add(prediction.status)
    })
    expect(await (await fetch(String(await running))).text()).toBe(splat)
    // Held to its end it would have been `succeeded` alone; a held answer never says `processing`.
    expect([...statuses]).toEqual(['starting', 'processing', 'succeeded'])
  })

  test('is told why a prediction failed', async () => {
    const { replicate } = await setup()
    const running = replicate.run('acme/sketch', { input: { image: 'data:image/png;base64,AAAA' } })
    await expect(running).rejects.toThrow(/422.*image/s)
  })

  test('cancels when its signal ends', async () => {
    const { replicate } = await setup()
    const gone = new AbortController()
    const options = { input: { image }, wait: { mode: 'poll', interval: 10 }, signal: gone.signal } as const
    let id = ''
    await replicate
      .run('acme/sketch', options, prediction => {
        id = prediction.id
        gone.abort()
      })
      .catch(() => undefined)
    await expect.poll(async () => (await replicate.predictions.get(id)).status).toBe('canceled')
  })
})

test('every address in every answer to the published client is on the origin that it used', async () => {
  const { replicate, url, succeed } = await setup()
  const uploaded = await replicate.files.create(new Blob([png], { type: 'image/png' }))
  const created = await replicate.predictions.create({ model: 'acme/sketch', input: { image: uploaded.urls.get } })
  succeed()
  const answers = [
    uploaded,
    created,
    await replicate.wait(created, { interval: 10 }),
    await replicate.predictions.list(),
    await replicate.files.list(),
    await replicate.models.list(),
  ]
  const addresses = JSON.stringify(answers).match(/https?:[^"]+/g) ?? []
  expect(addresses.length).toBeGreaterThan(8)
  for (const address of addresses) expect(address.startsWith(`${url}/`)).toBe(true)
})

test('the published client runs on a deployment by its name, and is told which there are not', async () => {
  const { replicate, succeed } = await setup()
  succeed()
  const created = await replicate.deployments.predictions.create('acme', 'sketch@hand', {
    input: { image },
    wait: true,
  })
  expect(created).toMatchObject({ status: 'succeeded', model: 'acme/sketch', deployment: 'acme/sketch@hand' })
  for (const [owner, name] of [
    ['acme', 'sketch@elsewhere'],
    ['other', 'sketch@hand'],
  ] as const)
    await expect(replicate.deployments.predictions.create(owner, name, { input: { image } })).rejects.toThrow(
      /404.*\/v1\/providers/s,
    )
})

test('a deadline by Cancel-After ends a prediction for the published client', async () => {
  const { url, replicate } = await setup()
  const response = await fetch(`${url}/v1/models/acme/sketch/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'cancel-after': '1s' },
    body: JSON.stringify({ input: { image } }),
  })
  const created = (await response.json()) as Prediction
  expect(created).toMatchObject({ deadline: expect.any(String) })
  expect((await replicate.wait(created, { interval: 20 })).status).toBe('canceled')
})

test('stream() of the published client says that nothing is streamed', async () => {
  const { replicate, url } = await setup()
  const events = replicate.stream('acme/sketch', { input: { image } })
  await expect(events.next()).rejects.toThrow('does not support streaming')
  const [created] = (await replicate.predictions.list()).results
  expect(created?.urls).not.toHaveProperty('stream')
  const answer = await fetch(`${url}/v1/predictions/${created?.id}/stream`)
  expect(await answer.json()).toMatchObject({ code: 'not_offered', detail: expect.stringContaining('/events') })
})

test.each<[string, (replicate: Replicate) => Promise<unknown>]>([
  ['trainings.list', replicate => replicate.trainings.list()],
  ['trainings.get', replicate => replicate.trainings.get('t')],
  ['trainings.cancel', replicate => replicate.trainings.cancel('t')],
  ['trainings.create', replicate => replicate.trainings.create('a', 'b', 'c', { destination: 'a/b', input: {} })],
  ['collections.list', replicate => replicate.collections.list()],
  ['collections.get', replicate => replicate.collections.get('c')],
  ['hardware.list', replicate => replicate.hardware.list()],
  ['deployments.list', replicate => replicate.deployments.list()],
  ['deployments.get', replicate => replicate.deployments.get('a', 'b')],
  ['deployments.delete', replicate => replicate.deployments.delete('a', 'b')],
  ['models.create', replicate => replicate.models.create('a', 'b', { visibility: 'private', hardware: 'cpu' })],
  ['models.search', replicate => replicate.models.search('splats')],
])('%s of the published client is told at once that it is not offered, and what to do', async (_, ask) => {
  const { replicate } = await setup()
  await expect(ask(replicate)).rejects.toThrow(/404.*Replicate has this, Surefoot has not\. \w.*not_offered/s)
})

test('webhooks of a prediction pass validateWebhook with the key that the published client gets', async () => {
  const received: Request[] = []
  const server = createServer(async (request, response) => {
    const headers = new Headers(request.headers as Record<string, string>)
    received.push(new Request('http://receiver.test/', { method: 'POST', headers, body: await text(request) }))
    response.writeHead(200).end()
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => void server.close())
  const receiver = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { replicate, url, succeed } = await setup({ receivers: [receiver] })
  const options = { webhook: `${receiver}/hook`, webhook_events_filter: ['start', 'completed'] as const }
  const created = await replicate.predictions.create({
    model: 'acme/sketch',
    input: { image },
    webhook: options.webhook,
    webhook_events_filter: [...options.webhook_events_filter],
  })
  await expect.poll(() => received.length).toBe(1)
  succeed()
  await expect.poll(() => received.length).toBe(2)
  const { key } = await replicate.webhooks.default.secret.get()
  for (const request of received) expect(await validateWebhook(request.clone(), key)).toBe(true)
  const [first, last] = received
  expect(first?.headers.get('webhook-id')).not.toBe(last?.headers.get('webhook-id'))
  const ended = (await (last ?? refuse('internal', 'nothing came')).json()) as PredictionJson
  expect(ended).toMatchObject({
    id: created.id,
    status: 'succeeded',
    urls: { get: `${url}/v1/predictions/${created.id}` },
  })
})

test('a request that is sent again with its Idempotency-Key is the same prediction; another body is 409', async () => {
  const { url, replicate } = await setup()
  const send = (input: object, key = 'order 17'.replace(' ', '-')) =>
    fetch(`${url}/v1/models/acme/sketch/predictions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ input }),
    })
  const [first, again] = (await Promise.all([send({ image }), send({ image })])).map(response => response.json())
  expect(((await first) as PredictionJson).id).toBe(((await again) as PredictionJson).id)
  const other = await send({ image, steps: 3 })
  expect([other.status, await other.json()]).toMatchObject([409, { code: 'input_invalid' }])
  expect((await send({ image }, 'two words')).status).toBe(422)
  expect((await replicate.predictions.list()).results).toHaveLength(1)
})

test('a form that is sent again with its Idempotency-Key leaves no second file', async () => {
  const { url, replicate } = await setup()
  const send = () => {
    const body = new FormData()
    body.set('image', new Blob([png], { type: 'image/png' }), 'photo.png')
    const headers = { 'idempotency-key': 'form' }
    return fetch(`${url}/v1/models/acme/sketch/predictions`, { method: 'POST', headers, body })
  }
  const answers = (await Promise.all([send(), send(), send()])).map(response => response.json())
  const ids = (await Promise.all(answers)).map(answer => (answer as PredictionJson).id)
  expect(new Set(ids).size).toBe(1)
  expect((await replicate.files.list()).results).toHaveLength(1)
})
