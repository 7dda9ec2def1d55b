import { expect, test } from 'vitest'
import { createWitness, type Told } from '../../testing/test-witness.ts'
import { faultCatalogue, faultsAt } from '../catalogue.ts'
import { createCogEmulator } from './index.ts'

/** Everything that a caller can see of one run from start to end. */
async function account({ fault, withCancel = false, kit = false }: Told): Promise<string[]> {
  let output = ''
  const { clock, lines, ask, download, close } = createWitness({
    fault,
    emulator: parts => createCogEmulator({ ...parts, bootMs: 0 }),
    heard(body) {
      output = /https:[^"]*\/bucket\/[^"]*/.exec(body)?.[0] ?? output
      return body
    },
  })
  const call = (path: string, init: RequestInit = {}) => ask(`https://cog.test${path}`, init)

  const surefoot = { attempt: 'a1', upload: { url: 'https://us.test/upload' }, hello: 'https://us.test/hello' }
  const input = kit ? { text: 'hello', surefoot } : { text: 'hello' }
  const body = JSON.stringify({ input, webhook: 'https://us.test/webhook' })
  lines.push(await call('/predictions/a1', { method: 'PUT', headers: { prefer: 'respond-async' }, body }))
  for (let polls = 0; polls < 60; polls++) {
    lines.push(await call('/health-check'))
    if (withCancel && polls === 8) lines.push(await call('/predictions/a1/cancel', { method: 'POST' }))
    await clock.advance(polls < 30 ? 500 : 60_000)
  }
  if (output !== '') await download(output)
  return close()
}

test.each(faultsAt('cog'))('%s can be seen from outside', async fault => {
  const setting = { withCancel: fault.startsWith('cancel-'), kit: fault === 'hello-lost' }
  expect(await account({ ...setting, fault })).not.toEqual(await account(setting))
})

test('a run without faults is one clean story', async () => {
  const lines = await account({})
  expect(lines[0]).toMatch(/^202 \{"id":"a1","status":"starting"\} after/)
  const heard = lines.filter(line => line.startsWith('POST')).map(line => /"status":"(\w+)"/.exec(line)?.[1])
  expect([heard[0], new Set(heard).size, heard.at(-1)]).toEqual(['processing', 2, 'succeeded'])
  expect(lines.at(-1)).toMatch(/^download 200 \d+ \w{64} after 0 ms$/)
})

test('our kit says hello as it begins, and uploads what it made', async () => {
  const calls = (await account({ kit: true })).filter(line => /^(POST \/hello|PUT) /.test(line))
  expect(calls.map(line => line.split(' ').slice(0, 2).join(' '))).toEqual(['POST /hello', 'PUT /upload'])
  expect(calls[0]).toContain('{"surefoot":"hello","id":"a1"}')
  expect(calls[1]).toContain('element vertex 2')
})

test('every fault of the collection that can happen at a Cog server has a name', () => {
  const named = new Set<number>(faultsAt('cog').flatMap(name => [...faultCatalogue[name].numbers]))
  // Left out: queues and other vendors' own (1 6 7 8 13 24 26 27 32 49), the gateway's side (36 38 39 44 52 58 60).
  const possible = [2, 3, 4, 5, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 33, 34, 35, 37]
  const after = [41, 42, 43, 45, 47, 48, 50, 53, 54, 55, 56, 59]
  expect([...possible, ...after].filter(number => !named.has(number))).toEqual([])
})
