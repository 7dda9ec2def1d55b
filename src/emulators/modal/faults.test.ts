import { expect, test } from 'vitest'
import { createWitness, type Told } from '../../testing/test-witness.ts'
import { decodeCbor, encodeCbor } from '../../wire/cbor.ts'
import { decodeMessage, encodeMessage, type Message } from '../../wire/protobuf.ts'
import { faultCatalogue, faultsAt } from '../catalogue.ts'
import { frame, unframe } from './grpc.ts'
import { createModalEmulator } from './index.ts'
import { rpcMessages } from './messages.ts'

/** Everything that a caller can see of one call from start to end, without ids. */
async function account({ fault, withCancel = false, kit = false }: Told): Promise<string[]> {
  const { emulator, clock, lines, wait, download, close } = createWitness({
    fault,
    emulator: createModalEmulator,
    heard: body => body.replace(/"id":"[^"]*"/, ''),
  })
  async function call(name: string, message: Message): Promise<Message> {
    const messages = rpcMessages[name]
    if (messages === undefined) throw new Error(`no RPC ${name}`)
    const body = frame(encodeMessage(messages.request, message))
    const url = `https://modal.test/modal.client.ModalClient/${name}`
    const { got, after } = await wait(async signal => {
      const response = await emulator.fetch(new Request(url, { method: 'POST', body, signal }))
      const content = await response.bytes()
      const { status, headers } = response
      const head = `${status} ${headers.get('grpc-status')} ${headers.get('grpc-message')} ${headers.get('grpc-status-details-bin')}`
      const inner = headers.get('grpc-status') === '0' ? unframe(content) : null
      return { head, message: inner === null ? {} : decodeMessage(messages.response, inner) }
    })
    const { head, message: answer } = typeof got === 'string' ? { head: got, message: {} } : got
    lines.push(`${name} ${head} ${told(answer)} ${after}`)
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
  if (output !== '') await download(output)
  return close()
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
