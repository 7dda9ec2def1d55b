import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { createSimulatedClock, settle } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import type { FaultName } from '../catalogue.ts'
import { asFetch } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import { createAwsEmulator } from './index.ts'

const ply = new TextEncoder().encode(
  `ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\nend_header\n${'\0'.repeat(8)}`,
)
const signed = {
  authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/x/aws4_request, SignedHeaders=host, Signature=00',
}

/** Calls as a caller of AWS makes them; each gives its answer as one line. */
export interface Caller {
  /** An operation of a service that speaks JSON. */
  json(operation: string, body: object): Promise<string>
  object(method: 'GET' | 'HEAD', path: string): Promise<string>
  send(path: string, init: RequestInit): Promise<string>
}

/** How one service is used: start, look, cancel. */
export interface Story {
  readonly fault?: FaultName
  start(call: Caller): Promise<string>
  look(call: Caller, id: string): Promise<string[]>
  readonly cancel: ((call: Caller, id: string) => Promise<string>) | null
  /** Path of the output in the bucket. */
  readonly output: string
}

/** Everything that a caller can see of one run from start to end, without ids and times of answers. */
export async function account({ fault, start, look, cancel, output }: Story): Promise<string[]> {
  const clock = createSimulatedClock()
  const lines: string[] = []
  const emulator = createAwsEmulator({
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
  const wait = async (answer: Promise<string>, stop: AbortController): Promise<string> => {
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
  const send = (path: string, init: RequestInit): Promise<string> => {
    const stop = new AbortController()
    const headers = { ...signed, ...(init.headers as Record<string, string>) }
    const request = new Request(new URL(path, 'https://aws.test'), { ...init, headers, signal: stop.signal })
    const answer = emulator.fetch(request).then(async response => `${response.status} ${await response.text()}`)
    return wait(answer, stop)
  }
  const call: Caller = {
    send,
    json: (operation, body) =>
      send('/', { method: 'POST', headers: { 'x-amz-target': `Service.${operation}` }, body: JSON.stringify(body) }),
    object: (method, path) => send(path, { method }),
  }

  lines.push(await start(call))
  const entry = emulator.state().ledger[0]
  for (let polls = 0; entry !== undefined && polls < 60; polls++) {
    lines.push(...(await look(call, entry.id)))
    if (polls === 8 && cancel !== null) lines.push(await cancel(call, entry.id))
    await clock.advance(polls < 40 ? 500 : 60_000)
  }
  for (const { status, billedMs } of emulator.state().ledger) lines.push(`billed ${billedMs} ms, ${status}`)
  if (entry !== undefined) {
    const stop = new AbortController()
    const download = async () => {
      const response = await asFetch(emulator)(`https://aws.test${output}`, { headers: signed, signal: stop.signal })
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
