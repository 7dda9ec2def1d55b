import { expect, test } from 'vitest'
import { createWitness, type Told } from '../../testing/test-witness.ts'
import { faultCatalogue, faultsAt } from '../catalogue.ts'
import { createBasetenEmulator } from './index.ts'

/** Everything that a caller can see of one request from start to end, without ids. */
async function account({ fault, withCancel = false, kit = false }: Told): Promise<string[]> {
  let output = ''
  const { emulator, clock, lines, ask, download, close } = createWitness({
    fault,
    emulator: parts => createBasetenEmulator({ ...parts, webhookSecrets: ['whsec_one'] }),
    heard(body) {
      output = /https:[^"]*\/bucket\/[^"]*/.exec(body)?.[0] ?? output
      return shown(body)
    },
  })
  const headers = { authorization: 'Api-Key any', 'content-type': 'application/json' }
  const call = (path: string, init: RequestInit = {}) =>
    ask(`https://baseten.test/model-m1/${path}`, { ...init, headers })

  const surefoot = { attempt: 'a1', upload: { url: 'https://us.test/upload' }, hello: 'https://us.test/hello' }
  const body = JSON.stringify({
    model_input: kit ? { text: 'hello', surefoot } : { text: 'hello' },
    webhook_endpoint: 'https://us.test/webhook',
    inference_retry_config: { max_attempts: 1 },
  })
  lines.push(shown(await call('production/async_predict', { method: 'POST', body })))
  const id = emulator.state().ledger[0]?.id
  for (let polls = 0; id !== undefined && polls < 60; polls++) {
    lines.push(shown(await call(`async_request/${id}`)))
    if (withCancel && polls === 1) lines.push(shown(await call(`async_request/${id}`, { method: 'DELETE' })))
    if (polls % 10 === 3) lines.push(await call('production/async_queue_status'))
    await clock.advance(polls < 30 ? 500 : 60_000)
  }
  if (output !== '') await download(output)
  return close()
}

function shown(text: string): string {
  return text.replace(/"(request_id|id)":"[^"]*"/g, '').replace(/bucket\/[\w-]+/g, 'bucket')
}

test.each(faultsAt('baseten'))('%s can be seen from outside', async fault => {
  const setting = { withCancel: fault.startsWith('cancel-'), kit: fault === 'hello-lost' }
  expect(await account({ ...setting, fault })).not.toEqual(await account(setting))
})

test('a request without faults is one clean story', async () => {
  const lines = await account({})
  expect(lines.filter(line => line.startsWith('POST'))).toEqual([
    expect.stringMatching(/^POST \/webhook \{.*"type":"async_request_completed".*"data":\{"url":.*"errors":\[\]/),
  ])
  expect(lines.at(-1)).toMatch(/^download 200 \d+ \w{64} after 0 ms$/)
})

test('our kit says hello first, uploads what it made, and answers with no bytes', async () => {
  const calls = (await account({ kit: true })).filter(line => /^(POST|PUT) /.test(line))
  expect(calls.map(line => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'POST /hello',
    'PUT /upload',
    'POST /webhook',
  ])
  expect(calls[0]).toContain('{"surefoot":"hello",}')
  expect(calls[1]).toContain('element vertex 2')
})

test('every fault of the collection that can happen at Baseten has a name', () => {
  const named = new Set<number>(faultsAt('baseten').flatMap(name => [...faultCatalogue[name].numbers]))
  // Left out: other vendors' own (2 6 7 8 13 26 55), a second execution beside the first (24), the gateway's side.
  const possible = [1, 3, 4, 5, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 32, 33, 34, 35]
  const after = [37, 41, 42, 43, 45, 47, 48, 49, 50, 53, 54, 56, 58, 59]
  expect([...possible, ...after].filter(number => !named.has(number))).toEqual([])
})
