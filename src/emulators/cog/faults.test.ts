import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSimulatedClock, settle } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { type FaultName, faultCatalogue, faultsAt } from '../catalogue.ts'
import { asFetch } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import { createCogEmulator } from './index.ts'

const ply = new TextEncoder().encode(
  `ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\nend_header\n${'\0'.repeat(8)}`,
)

interface Told {
  readonly fault?: FaultName
  readonly withCancel?: boolean
  readonly kit?: boolean
}

/** Everything that a caller can see of one run from start to end. */
async function account({ fault, withCancel = false, kit = false }: Told): Promise<string[]> {
  const clock = createSimulatedClock()
  const lines: string[] = []
  let output = ''
  const emulator = createCogEmulator({
    clock,
    random: createRandom(1),
    work: createFixedWork({ clock, name: 'scene.ply', mediaType: 'application/octet-stream', bytes: ply }),
    faults: fault === undefined ? [] : [fault === 'output-slow' ? 'output-slow@20' : fault],
    bootMs: 0,
    async send(input, init) {
      const request = new Request(input, init)
      const body = await request.text()
      output = /https:[^"]*\/bucket\/[^"]*/.exec(body)?.[0] ?? output
      lines.push(`${request.method} ${new URL(request.url).pathname} ${body} at ${clock.now()}`)
      return new Response(null, { status: 200 })
    },
  })
  /** What a promise gives, and after how long; what does not come within a minute never comes. */
  const wait = async (answer: Promise<string>, stop = new AbortController()): Promise<string> => {
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
    return `${await done} after ${clock.now() - began} ms`
  }
  const call = (path: string, init: RequestInit = {}): Promise<string> => {
    const stop = new AbortController()
    const request = new Request(new URL(path, 'https://cog.test'), { ...init, signal: stop.signal })
    const answer = emulator.fetch(request).then(async response => `${response.status} ${await response.text()}`)
    return wait(answer, stop)
  }

  const surefoot = { attempt: 'a1', upload: { url: 'https://us.test/upload' }, hello: 'https://us.test/hello' }
  const input = kit ? { text: 'hello', surefoot } : { text: 'hello' }
  const body = JSON.stringify({ input, webhook: 'https://us.test/webhook' })
  lines.push(await call('/predictions/a1', { method: 'PUT', headers: { prefer: 'respond-async' }, body }))
  for (let polls = 0; polls < 60; polls++) {
    lines.push(await call('/health-check'))
    if (withCancel && polls === 8) lines.push(await call('/predictions/a1/cancel', { method: 'POST' }))
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
    lines.push(await wait(download(), stop))
  }
  emulator.close()
  expect(clock.waiting, 'timers left behind').toBe(0)
  return lines
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
