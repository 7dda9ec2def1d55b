import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { replicate } from '../providers/replicate/index.ts'
import { runpod } from '../providers/runpod/index.ts'
import { plainScript } from '../testing/scripted-provider.ts'
import { type Process, serverKey } from '../testing/simulation-process.ts'
import { markerSecret } from './marker.ts'
import { request, setup } from './test-support.ts'

const endless = { ...plainScript, endAt: Number.POSITIVE_INFINITY }
const key = Buffer.from('the key of the account')
const minutes = 60_000
const uri = 'data:text/plain;base64,ZG9uZQ=='

/**
 * Runs that only their webhooks tell of: at `scripted`, whose webhooks are Replicate's with all that is checked there; and
 * at `plain`, where nothing is signed, as at RunPod.
 */
async function attack() {
  const signed = replicate({ token: 't' })
  const plain = runpod({ apiKey: 'k' })
  const hour = 3_600_000
  const stage = await setup({
    script: () => endless,
    policy: { stallMs: hour, lastStageMs: hour, runMs: hour, deadlineMs: hour, queueMs: hour },
    dress: provider => ({
      ...provider,
      limits: { ...provider.limits, pollMs: hour },
      hear: async (heard, io, now, to) => {
        const fetch = async () => Response.json({ key: `whsec_${key.toString('base64')}` })
        const answer = await signed.hear?.(heard, { ...io, fetch }, now, to)
        if (answer === undefined) throw new Error('Replicate hears.')
        return answer
      },
    }),
    more: () => [
      {
        name: 'text@plain',
        providerName: 'plain',
        provider: plain,
        target: plain.parseTarget({ endpoint: 'abc' }),
        concurrency: 4,
      },
    ],
  })
  const { engine } = await stage.boot()

  async function run() {
    const { record } = await engine.create(request({ deployments: ['text@scripted'] }))
    await stage.clock.advance(1_000)
    const attempt = (await stage.read(record.id)).attempts[0]?.id ?? ''
    return { id: record.id, attempt }
  }

  /** What Replicate sends of a run that has succeeded; `at` is its stamp. */
  function webhookOf(attempt: string, { id = 'msg_1', at = stage.clock.now(), by = key, echo = true } = {}) {
    const to = `https://gateway.example/v1/webhooks/scripted/${attempt}/secret`
    const content = { id: `run of ${attempt}`, status: 'succeeded', output: uri, ...(echo && { webhook: to }) }
    const body = JSON.stringify(content)
    const stamp = String(Math.floor(at / 1000))
    const signature = createHmac('sha256', by).update(`${id}.${stamp}.${body}`).digest('base64')
    const headers = { 'webhook-id': id, 'webhook-timestamp': stamp, 'webhook-signature': `v1,${signature}` }
    return { headers: new Headers(headers), body: async () => Buffer.from(body) }
  }

  const tell = (
    attempt: string,
    heard: ReturnType<typeof webhookOf>,
    provider = 'scripted',
    process: Process['engine'] = engine,
  ) => process.hear(provider, attempt, markerSecret(serverKey, attempt), heard)
  const statusOf = async (id: string) => {
    await stage.clock.advance(1_000)
    return (await stage.read(id)).status
  }
  return { stage, run, webhookOf, tell, statusOf }
}

const unauthorized = { status: 401, failure: { code: 'auth_rejected' } }

describe("a provider's webhook", () => {
  it('that is good ends the run that it is about', async () => {
    const { run, webhookOf, tell, statusOf } = await attack()
    const { id, attempt } = await run()
    await tell(attempt, webhookOf(attempt))
    expect(await statusOf(id)).toBe('succeeded')
  })

  it.each<[string, (now: number) => object]>([
    ['signed by another key', () => ({ by: Buffer.from('another key') })],
    ['stamped more than 5 minutes ago', now => ({ at: now - 5 * minutes - 1_000 })],
    ['stamped more than 5 minutes ahead', now => ({ at: now + 5 * minutes + 1_000 })],
    ['stamped in no time at all', () => ({ at: Number.NaN })],
  ])('%s is refused and changes nothing', async (_, over) => {
    const { stage, run, webhookOf, tell, statusOf } = await attack()
    const { id, attempt } = await run()
    const writes = stage.commits.length
    await expect(tell(attempt, webhookOf(attempt, over(stage.clock.now())))).rejects.toMatchObject(unauthorized)
    expect(stage.commits.length).toBe(writes)
    expect(await statusOf(id)).toBe('processing')
  })

  it('with another body than was signed is refused', async () => {
    const { run, webhookOf, tell } = await attack()
    const { attempt } = await run()
    const { headers, body } = webhookOf(attempt)
    const changed = async () => Buffer.from((await body()).toString().replace('succeeded', 'failed'))
    await expect(tell(attempt, { headers, body: changed })).rejects.toMatchObject(unauthorized)
  })

  it('that is sent again changes nothing, after a restart neither, and later it is refused', async () => {
    const { stage, run, webhookOf, tell, statusOf } = await attack()
    const { id, attempt } = await run()
    const first = webhookOf(attempt)
    await tell(attempt, first)
    await statusOf(id)
    const { engine } = await stage.boot()
    const before = stage.commits.length
    await tell(attempt, first, 'scripted', engine)
    await tell(attempt, first)
    expect(stage.commits.length).toBe(before)
    await stage.clock.advance(5 * minutes)
    await expect(tell(attempt, first)).rejects.toMatchObject(unauthorized)
  })

  it('of one run does nothing at the address of another, whose own is still taken', async () => {
    const { run, webhookOf, tell, statusOf } = await attack()
    const [mine, other] = [await run(), await run()]
    const swapped = { status: 422, failure: { code: 'provider_error' } }
    await expect(tell(other.attempt, webhookOf(mine.attempt))).rejects.toMatchObject(swapped)
    expect([await statusOf(mine.id), await statusOf(other.id)]).toEqual(['processing', 'processing'])
    await tell(other.attempt, webhookOf(other.attempt))
    expect([await statusOf(mine.id), await statusOf(other.id)]).toEqual(['processing', 'succeeded'])
  })

  it('whose id came to the address of another run before is no repetition', async () => {
    const { run, webhookOf, tell, statusOf } = await attack()
    const [mine, other] = [await run(), await run()]
    await tell(other.attempt, webhookOf(other.attempt, { id: 'msg_7', echo: false }))
    await tell(mine.attempt, webhookOf(mine.attempt, { id: 'msg_7' }))
    expect(await statusOf(mine.id)).toBe('succeeded')
  })

  it('whose body never ends holds up no other and no prediction', async () => {
    const { stage, run, webhookOf, tell, statusOf } = await attack()
    const [mine, other] = [await run(), await run()]
    const { headers } = webhookOf(mine.attempt)
    let asked = 0
    const endless = () => {
      asked += 1
      return new Promise<Buffer<ArrayBuffer>>(() => {})
    }
    for (let index = 0; index < 100; index++) void tell(mine.attempt, { headers, body: endless })
    await stage.clock.advance(1_000)
    expect(asked).toBe(100)
    await tell(other.attempt, webhookOf(other.attempt))
    await tell(mine.attempt, webhookOf(mine.attempt, { id: 'msg_2' }))
    expect([await statusOf(mine.id), await statusOf(other.id)]).toEqual(['succeeded', 'succeeded'])
  })

  it('is answered once it is stored: what follows from it comes after', async () => {
    const { stage, run, webhookOf, tell } = await attack()
    const { id, attempt } = await run()
    await tell(attempt, webhookOf(attempt))
    expect((await stage.read(id)).attempts[0]?.state).toBe('collecting')
    expect((await stage.read(id)).status).toBe('processing')
  })

  it("is not taken at another provider's address, where nothing would be signed", async () => {
    const { run, tell, statusOf } = await attack()
    const { id, attempt } = await run()
    const job = JSON.stringify({ id: 'j1', status: 'COMPLETED', output: { url: 'https://evil.example/' } })
    const forged = { headers: new Headers(), body: async () => Buffer.from(job) }
    await expect(tell(attempt, forged, 'plain')).rejects.toMatchObject({ status: 404 })
    expect(await statusOf(id)).toBe('processing')
  })
})
