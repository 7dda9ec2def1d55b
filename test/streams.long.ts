import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PredictionJson } from '../src/http/shapes.ts'
import { makeFolder, root, startGateway } from './support/gateway.ts'

const streams = 10_000
/** What one caller may have open. */
const perCaller = 1_000
const predictions = 10
/** An idle stream is a socket, a request and its answer; measured at about 37 kB. */
const mostBytesPerStream = 100_000

/** A provider whose runs go on until they are cancelled. */
const config = `
const hand = {
  kind: 'hand',
  trustedOrigins: [],
  limits: {
    inputForms: ['data'], outputForms: ['data'], inlineOutputBytes: 1_000, resultKeptMs: 60_000, heldStart: false,
    startTimeoutMs: 5_000, callTimeoutMs: 5_000, pollMs: 5_000, thisHostOnly: false,
  },
  parseTarget: () => ({}),
  start: async () => ({ kind: 'accepted', handle: 'run' }),
  poll: async () => ({ status: 'running', word: 'running' }),
  cancel: async () => 'ended',
  cost: () => ({ amount: 0, currency: 'USD', estimated: false }),
  pricePerSecond: () => 0,
}
const policy = { stallMs: 3_600_000, stallMaxMs: 3_600_000, runMs: 3_600_000, deadlineMs: 3_600_000 }
export default {
  providers: { hand },
  deployments: { 'relief@hand': { concurrency: 100 } },
  models: { relief: { route: ['relief@hand'], policy } },
}
`

/** Why 10,000 sockets cannot be had in one process here; null where they can. */
function refusedBySystem(): string | null {
  const files = Number(execFileSync('sh', ['-c', 'ulimit -n']).toString().trim())
  return files < streams + 500 ? `ulimit -n is ${files}; ${streams + 500} are needed: raise it and run again.` : null
}

function residentBytes(pid: number | undefined): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

/** Opens an event stream; answers once its first event is here. */
function open(url: URL, authorization: string) {
  const seen = { text: '', done: Promise.withResolvers<void>() }
  const status = new Promise<number>((resolve, reject) => {
    request(url, { agent: new Agent({ keepAlive: false }), headers: { authorization } }, answer => {
      answer.setEncoding('utf8')
      answer.on('error', reject)
      answer.on('end', seen.done.resolve)
      answer.on('data', (text: string) => {
        seen.text = (seen.text + text).slice(-4_000)
        resolve(answer.statusCode ?? 0)
      })
    })
      .on('error', reject)
      .end()
  })
  return { status, seen }
}

const reason = refusedBySystem()
if (reason !== null) console.warn(`10,000 event streams are skipped: ${reason}`)

test.skipIf(reason !== null)(
  '10,000 event streams on one gateway: little memory each, every change at all of them, a clean end',
  async () => {
    const folder = makeFolder()
    writeFileSync(join(folder, 'surefoot.config.mjs'), config)
    const gateway = await startGateway({ cwd: folder, env: { SUREFOOT_LOG: 'warn' } })
    const { secret: owner } = JSON.parse(readFileSync(join(folder, '.surefoot/owner.json'), 'utf8')) as {
      secret: string
    }
    const send = async (path: string, secret: string, body?: object) => {
      const answer = await fetch(gateway.url + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      expect(answer.ok).toBe(true)
      return answer.json()
    }
    const callers: string[] = []
    for (let index = 0; index < streams / perCaller; index++) {
      const made = (await send('/v1/tokens', owner, { name: `n${index}`, scopes: ['read', 'predict', 'admin'] })) as {
        secret: string
      }
      callers.push(made.secret)
    }
    const [first = ''] = callers
    const photo = readFileSync(join(root, 'examples/photos/rocket.jpg')).toString('base64')
    const ids: string[] = []
    for (let index = 0; index < predictions; index++) {
      const input = { image: `data:image/jpeg;base64,${photo}` }
      const { id } = (await send('/v1/models/surefoot/relief/predictions', first, { input })) as PredictionJson
      ids.push(id)
    }

    const before = residentBytes(gateway.child.pid)
    const all: ReturnType<typeof open>[] = []
    for (const secret of callers) {
      const batch = Array.from({ length: perCaller }, (_, index) =>
        open(new URL(`/v1/predictions/${ids[index % predictions]}/events`, gateway.url), `Bearer ${secret}`),
      )
      expect(new Set(await Promise.all(batch.map(({ status }) => status)))).toEqual(new Set([200]))
      all.push(...batch)
    }
    const each = (residentBytes(gateway.child.pid) - before) / streams
    console.log(`${streams} event streams: ${Math.round(each)} bytes of memory each`)
    expect(each).toBeLessThan(mostBytesPerStream)
    const beyond = await fetch(`${gateway.url}/v1/predictions/${ids[0]}/events`, {
      headers: { authorization: `Bearer ${first}` },
    })
    expect(beyond.status).toBe(429)
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)

    const startedAt = performance.now()
    for (const id of ids) await send(`/v1/predictions/${id}/cancel`, first, {})
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
    await Promise.all(all.map(({ seen }) => seen.done.promise))
    console.log(
      `the end of ${predictions} predictions was at all ${streams} after ${Math.round(performance.now() - startedAt)} ms`,
    )
    for (const { seen } of all) expect(seen.text).toMatch(/"status":"canceled".*event: done/s)

    const again = await open(new URL(`/v1/predictions/${ids[0]}/events`, gateway.url), `Bearer ${first}`).status
    expect(again).toBe(200)
    gateway.child.kill('SIGTERM')
    expect((await gateway.ended).code).toBe(0)
  },
)
