import { expect, test } from 'vitest'
import { createWitness, type Told } from '../../testing/test-witness.ts'
import { faultCatalogue, faultsAt } from '../catalogue.ts'
import { createRunpodEmulator } from './index.ts'

/** Everything that a caller can see of one job from start to end, without ids. */
async function account({ fault, withCancel = false, kit = false }: Told): Promise<string[]> {
  const { emulator, clock, lines, ask, download, close } = createWitness({
    fault,
    emulator: createRunpodEmulator,
    heard: body => body.replace(/"id":"[^"]*"/, ''),
  })
  const headers = { authorization: 'Bearer any', 'content-type': 'application/json' }
  const call = (path: string, init: RequestInit = {}) => ask(`https://runpod.test${path}`, { ...init, headers })
  const shown = (answer: string) => answer.replace(/"(id|workerId)":"[^"]*"/g, '').replace(/bucket\/[\w-]+/g, 'bucket')

  const surefoot = { attempt: 'a1', upload: { url: 'https://us.test/upload' }, hello: 'https://us.test/hello' }
  const input = kit ? { text: 'hello', surefoot } : { text: 'hello' }
  const body = JSON.stringify({ input, webhook: 'https://us.test/webhook' })
  lines.push(shown(await call('/v2/abc123/run', { method: 'POST', body })))
  const id = emulator.state().ledger[0]?.id
  let output = ''
  for (let polls = 0; id !== undefined && polls < 60; polls++) {
    const answer = await call(`/v2/abc123/status/${id}`)
    lines.push(shown(answer))
    output = /https:[^"]*\/bucket\/[^"]*/.exec(answer)?.[0] ?? output
    if (withCancel && polls === 8) lines.push(shown(await call(`/v2/abc123/cancel/${id}`, { method: 'POST' })))
    if (polls % 10 === 3) lines.push(await call('/v2/abc123/health'))
    await clock.advance(polls < 30 ? 500 : 60_000)
  }
  if (output !== '') await download(output)
  return close()
}

test.each(faultsAt('runpod'))('%s can be seen from outside', async fault => {
  const setting = { withCancel: fault.startsWith('cancel-'), kit: fault === 'hello-lost' }
  expect(await account({ ...setting, fault })).not.toEqual(await account(setting))
})

test('a job without faults is one clean story', async () => {
  const lines = await account({})
  expect(lines.filter(line => line.startsWith('POST'))).toEqual([
    expect.stringMatching(/^POST \/webhook \{.*"status":"COMPLETED".*"output":\{"url":.*"input":.*"webhook":/),
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

test('every fault of the collection that can happen at RunPod has a name', () => {
  const named = new Set<number>(faultsAt('runpod').flatMap(name => [...faultCatalogue[name].numbers]))
  // Left out: other vendors' own (6 7 8 13 26 27 49), the gateway's side (36 38 39 44 52 58 60).
  const possible = [1, 2, 3, 4, 5, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 28, 29, 30, 32, 33, 34, 35]
  const after = [37, 41, 42, 43, 45, 47, 48, 50, 53, 54, 55, 56, 59]
  expect([...possible, ...after].filter(number => !named.has(number))).toEqual([])
})
