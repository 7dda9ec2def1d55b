import { createWitness } from '../../testing/test-witness.ts'
import type { FaultName } from '../catalogue.ts'
import { createAwsEmulator } from './index.ts'

const signed = {
  authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/x/aws4_request, SignedHeaders=host, Signature=00',
}

const bucket = 'https://aws.test/predictions/a1'
const link = '?X-Amz-Credential=AKIA%2F20260101'

/** What our kit is told of one attempt, in a bucket and at the address that `account` knows. */
export const surefoot = {
  attempt: 'a1',
  upload: { url: `${bucket}/output${link}` },
  state: { url: `${bucket}/state.json${link}` },
  claim: { url: `${bucket}/claim${link}` },
  hello: 'https://us.test/hello',
}

/** A cancel, where nothing can be stopped: the attempt is claimed before its worker does. */
export function claim(call: Caller): Promise<string> {
  return call.send('/predictions/a1/claim', { method: 'PUT', headers: { 'if-none-match': '*' }, body: 'x' })
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
  const { emulator, clock, lines, ask, download, close } = createWitness({
    fault,
    emulator: createAwsEmulator,
    heard: body => body.replace(/"id":"[^"]*"/, ''),
  })
  const send = (path: string, init: RequestInit) =>
    ask(`https://aws.test${path}`, { ...init, headers: { ...signed, ...(init.headers as Record<string, string>) } })
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
  if (entry !== undefined) await download(`https://aws.test${output}`, { headers: signed })
  return close()
}
