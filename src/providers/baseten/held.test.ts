import { expect, test } from 'vitest'
import { createBasetenEmulator } from '../../emulators/baseten/index.ts'
import { asFetch } from '../../emulators/contract.ts'
import { createFixedWork } from '../../emulators/works.ts'
import { createSimulatedClock, settle } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { baseten } from './index.ts'
import { file, job, setup, unread } from './test-support.ts'

const held = { mode: 'held' } as const
const id = { 'x-baseten-request-id': 'r1' }

test('a start is one POST of the bare input, and its answer is the end', async () => {
  const answer = () => Response.json({ scene: 'https://bucket.test/scene.ply' }, { headers: id })
  const { provider, io, sent, body } = setup([answer], held)
  expect(await provider.start(job({ webhookUrl: null, uploadUrl: () => null }), io)).toEqual({
    kind: 'accepted',
    handle: { model: 'abcd1234', id: 'r1' },
    seen: { status: 'succeeded', word: '200', outputs: [{ kind: 'url', url: 'https://bucket.test/scene.ply' }] },
  })
  expect(sent.map(({ method, url }) => [method, url])).toEqual([
    ['POST', 'https://model-abcd1234.api.baseten.co/production/predict'],
  ])
  expect(body()).toEqual({ focal_length: 30, image: 'data:image/jpeg;base64,QUFB' })
})

test("our kit's answer means that its upload is there", async () => {
  const { provider, io, body } = setup([() => Response.json({ uploaded: true })], held)
  const answer = await provider.start(job({ target: { model: 'abcd1234', kit: true } }), io)
  expect(body()).toHaveProperty('surefoot.upload.url')
  expect(answer).toEqual({
    kind: 'accepted',
    // The vendor told no id, and nobody will be asked for one.
    handle: { model: 'abcd1234', id: 'attempt-1', stored: 'uploads/attempt-1/output' },
    seen: { status: 'succeeded', word: '200', outputs: [{ kind: 'stored', key: 'uploads/attempt-1/output' }] },
  })
})

test.each([
  ['nothing', null, []],
  ['an empty object', {}, []],
  ['text', 'a cat', [{ kind: 'data', uri: 'data:text/plain;base64,YSBjYXQ=' }]],
])('an answer of %s is taken for what it is', async (_, json, outputs) => {
  const { provider, io } = setup([() => Response.json(json)], held)
  expect(await provider.start(job(), io)).toMatchObject({ kind: 'accepted', seen: { status: 'succeeded', outputs } })
})

const ofModel = (code: string) => ({ 'x-baseten-error-source': '04', 'x-baseten-error-code': code })

test.each([
  ['hides its exception', 500, '600', 'Internal Server Error (in model/chainlet).', 'model_error'],
  ['tells of its memory', 500, '600', 'torch.OutOfMemoryError: CUDA out of memory', 'out_of_memory'],
  ['refuses its input', 400, '700', 'image is required', 'input_invalid'],
])('a model that %s has ended, and is not waited for', async (_, status, code, error, expected) => {
  const { provider, io } = setup([() => Response.json({ error }, { status, headers: ofModel(code) })], held)
  expect(await provider.start(job(), io)).toMatchObject({
    kind: 'accepted',
    seen: { status: 'failed', word: String(status), failure: { code: expected } },
  })
})

test.each([
  ['a refusal', 404, {}, 'rejected', 'deployment_missing'],
  ['a full deployment', 529, {}, 'rejected', 'no_capacity'],
  ['no replica in time', 500, {}, 'unknown', 'start_unknown'],
  ['an error inside the model server', 500, ofModel('500'), 'unknown', 'start_unknown'],
  ['a container that died', 502, {}, 'unknown', 'start_unknown'],
  ['a router without an answer', 504, {}, 'unknown', 'start_unknown'],
])('%s (%d) is no answer of the model', async (_, status, headers, kind, code) => {
  const { provider, io } = setup([() => Response.json({ error: 'because' }, { status, headers })], held)
  expect(await provider.start(job(), io)).toMatchObject({ kind, failure: { code } })
})

test.each([
  ['an HTML page', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
  ['an error object', () => Response.json({ error: 'something went wrong' })],
])('%s with 200 leaves open what became of the run', async (_, answer) => {
  const { provider, io } = setup([answer], held)
  expect(await provider.start(job(), io)).toMatchObject({ kind: 'unknown' })
})

test('bytes that are no JSON are lost, and the failure says so', async () => {
  const answer = () => new Response('ply...', { headers: { 'content-type': 'application/octet-stream' } })
  const { provider, io } = setup([answer], held)
  expect(await provider.start(job(), io)).toMatchObject({
    kind: 'accepted',
    seen: { failure: { code: 'output_lost', message: expect.stringContaining('application/octet-stream') } },
  })
})

test('files up to 100 MB travel inside; larger ones are refused unread', async () => {
  const { provider, io } = setup([() => Response.json('done')], held)
  expect((await provider.start(job({ files: { image: file(400_000) } }), io)).kind).toBe('accepted')
  expect(await provider.start(job({ files: { image: unread(80_000_000) } }), io)).toMatchObject({
    kind: 'rejected',
    failure: { code: 'no_route_for_bytes' },
  })
})

/** A start on the emulator, which is answered only as its clock goes on. */
function begin(faults: readonly string[]) {
  const clock = createSimulatedClock()
  const bytes = new TextEncoder().encode('done')
  const work = createFixedWork({ clock, name: 'text.txt', mediaType: 'text/plain', bytes })
  const emulator = createBasetenEmulator({ clock, random: createRandom(1), work, faults, answers: 'inline' })
  const provider = baseten({ apiKey: 'k', mode: 'held', baseUrl: 'https://baseten.test' })
  const stop = new AbortController()
  const answer = provider.start(job(), { fetch: asFetch(emulator), signal: stop.signal })
  return { clock, emulator, answer, stop }
}

test('on the emulator: held through boot and work, then the result', async () => {
  const { clock, answer } = begin([])
  let done = false
  void answer.then(() => {
    done = true
  })
  await clock.advance(12_299)
  expect(done).toBe(false)
  await clock.advance(1)
  expect(await answer).toMatchObject({ seen: { outputs: [{ kind: 'data', uri: 'data:text/plain;base64,ZG9uZQ==' }] } })
})

test.each([
  ['model-error', 'accepted'],
  ['create-401', 'rejected'],
  ['create-refused', 'rejected'],
  ['create-502', 'unknown'],
  ['accept-then-reset', 'unknown'],
  ['oom', 'unknown'],
  ['not-ready', 'unknown'],
  ['timed-out@run', 'unknown'],
] as const)('on the emulator: %s is %s', async (fault, kind) => {
  const { clock, answer } = begin([fault])
  await clock.advance(60_000)
  expect((await answer).kind).toBe(kind)
})

test('on the emulator: a limit that ends the call leaves the run unknown, and running', async () => {
  const { clock, answer, stop, emulator } = begin(['stall'])
  await clock.advance(60_000)
  stop.abort(new Error('the run limit is over'))
  expect(await answer).toMatchObject({ kind: 'unknown', failure: { code: 'start_unknown' } })
  await settle()
  expect(emulator.state()).toMatchObject({ submits: 1, running: 1 })
})

test('an answer that is too large is the end of a run that was good, not a start to look for', async () => {
  const huge = () => new Response(new Blob([new Uint8Array(33 * 1024 * 1024)]))
  const { provider, io, sent } = setup([huge], held)
  expect(await provider.start(job(), io)).toMatchObject({
    kind: 'accepted',
    seen: { status: 'failed', failure: { code: 'output_too_large', message: expect.stringContaining('Baseten') } },
  })
  expect(sent).toHaveLength(1)
})
