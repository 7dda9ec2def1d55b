import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSimulatedClock, settle } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { decodeCbor, encodeCbor } from '../../wire/cbor.ts'
import { decodeMessage, encodeMessage, type Message } from '../../wire/protobuf.ts'
import { type FaultName, faultCatalogue, faultsAt } from '../catalogue.ts'
import { asFetch } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import { frame, unframe } from './grpc.ts'
import { createModalEmulator } from './index.ts'
import { rpcMessages } from './messages.ts'

const ply = new TextEncoder().encode(
  `ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\nend_header\n${'\0'.repeat(8)}`,
)

interface Told {
  readonly fault?: FaultName
  readonly withCancel?: boolean
  readonly kit?: boolean
}

/** Everything that a caller can see of one call from start to end, without ids. */
async function account({ fault, withCancel = false, kit = false }: Told): Promise<string[]> {
  const clock = createSimulatedClock()
  const lines: string[] = []
  const emulator = createModalEmulator({
    clock,
    random: createRandom(1),
    work: createFixedWork({ clock, name: 'scene.ply', mediaType: 'application/octet-stream', bytes: ply }),
    faults: fault === undefined ? [] : [fault === 'output-slow' ? 'output-slow@20' : fault],
    async send(input, init) {
      const request = new Request(input, init)
      const body = (await request.text()).replace(/"id":"[^"]*"/, '')
      lines.push(`${request.method} ${new URL(request.url).pathname} ${body} at ${clock.now()}`)
      return new Response(null, { status: 200 })
    },
  })
  /** What a promise gives, and after how long; what does not come within a minute never comes. */
  async function wait<T>(answer: Promise<T>, stop: AbortController): Promise<{ got: T | string; line: string }> {
    const began = clock.now()
    let open = true
    const done = answer
      .catch((error: unknown) => `broke: ${String(error)}`)
      .finally(() => {
        open = false
      })
    for (let waited = 0; waited < 60 && open; waited++) {
      await settle()
      if (open) await clock.advance(1000)
    }
    stop.abort(new Error('given up'))
    const got = await done
    return { got, line: `after ${clock.now() - began} ms` }
  }
  async function call(name: string, message: Message): Promise<Message> {
    const stop = new AbortController()
    const messages = rpcMessages[name]
    if (messages === undefined) throw new Error(`no RPC ${name}`)
    const body = frame(encodeMessage(messages.request, message))
    const request = new Request(`https://modal.test/modal.client.ModalClient/${name}`, {
      method: 'POST',
      body,
      signal: stop.signal,
    })
    const asked = emulator.fetch(request).then(async response => {
      const content = await response.bytes()
      const { status, headers } = response
      const head = `${status} ${headers.get('grpc-status')} ${headers.get('grpc-message')} ${headers.get('grpc-status-details-bin')}`
      const inner = headers.get('grpc-status') === '0' ? unframe(content) : null
      return { head, message: inner === null ? {} : decodeMessage(messages.response, inner) }
    })
    const { got, line } = await wait(asked, stop)
    const { head, message: answer } = typeof got === 'string' ? { head: got, message: {} } : got
    lines.push(`${name} ${head} ${told(answer)} ${line}`)
    return answer
  }

  const surefoot = { attempt: 'a1', upload: { url: 'https://us.test/upload' }, hello: 'https://us.test/hello' }
  const args = encodeCbor([[], kit ? { text: 'hello', surefoot } : { text: 'hello' }])
  const { functionId } = await call('FunctionGet', { appName: 'app', objectTag: 'predict' })
  await call('FunctionMap', { functionId, pipelinedInputs: [{ idx: 0, input: { args, dataFormat: 4 } }] })
  const functionCallId = emulator.state().ledger[0]?.id
  let output = ''
  for (let polls = 0; functionCallId !== undefined && polls < 60; polls++) {
    const answer = await call('FunctionGetOutputs', { functionCallId, maxValues: 1 })
    output = /https:[^"]*\/bucket\/[^"]*/.exec(told(answer, false))?.[0] ?? output
    if (withCancel && polls === 8) await call('FunctionCallCancel', { functionCallId })
    if (polls % 10 === 3) await call('FunctionGetCurrentStats', { functionId })
    await clock.advance(polls < 30 ? 500 : 60_000)
  }
  if (output !== '') {
    const stop = new AbortController()
    const download = async () => {
      const response = await asFetch(emulator)(output, { signal: stop.signal })
      const digest = createHash('sha256')
        .update(await response.bytes())
        .digest('hex')
      return `download ${response.status} ${response.headers.get('content-length')} ${digest}`
    }
    const { got, line } = await wait(download(), stop)
    lines.push(`${got} ${line}`)
  }
  emulator.close()
  expect(clock.waiting, 'timers left behind').toBe(0)
  return lines
}

/** A message in words, its results decoded, without what differs from call to call. */
function told(message: Message, withoutIds = true): string {
  const text = JSON.stringify(message, (_, value: unknown) => (value instanceof Uint8Array ? decodeCbor(value) : value))
  return withoutIds ? text.replace(/\b(fc|in|ta|bl)-\w+/g, '$1') : text
}

test.each(faultsAt('modal'))('%s can be seen from outside', async fault => {
  const setting = { withCancel: fault.startsWith('cancel-'), kit: fault === 'hello-lost' }
  expect(await account({ ...setting, fault })).not.toEqual(await account(setting))
})

test('a call without faults is one clean story', async () => {
  const lines = await account({})
  expect(lines[1]).toMatch(/^FunctionMap 200 0 .*"functionCallId":"fc"/)
  expect(lines.filter(line => line.startsWith('FunctionGetOutputs')).at(-1)).toMatch(
    /"status":1.*"data":\{"url":"https:.*\/bucket\//,
  )
  expect(lines.at(-1)).toMatch(/^download 200 \d+ \w{64} after 0 ms$/)
})

test('our kit says hello first, uploads what it made, and answers with no bytes', async () => {
  const lines = await account({ kit: true })
  const calls = lines.filter(line => /^(POST|PUT) /.test(line))
  expect(calls.map(line => line.split(' ').slice(0, 2).join(' '))).toEqual(['POST /hello', 'PUT /upload'])
  expect(calls[1]).toContain('element vertex 2')
  expect(lines.at(-1)).toContain('"data":{"uploaded":true}')
})

test('every fault of the collection that can happen at Modal has a name', () => {
  const named = new Set<number>(faultsAt('modal').flatMap(name => [...faultCatalogue[name].numbers]))
  // Left out: other vendors' own (6 7 8 13 24 26 27 49), webhooks and progress, which there are not (54 55 56 58), the
  // gateway's side (36 38 39 44 52 60).
  const possible = [1, 2, 3, 4, 5, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 32, 33, 34, 35]
  const after = [37, 41, 42, 43, 45, 47, 48, 50, 53, 59]
  expect([...possible, ...after].filter(number => !named.has(number))).toEqual([])
})
