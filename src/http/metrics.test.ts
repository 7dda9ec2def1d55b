import { describe, expect, it } from 'vitest'
import { createEngineTally } from '../engine/engine-tally.ts'
import { metrics } from './metric-list.ts'
import { setup } from './test-support.ts'

/** A front whose engine has counted a little. */
async function setupCounted() {
  const tally = createEngineTally()
  const front = await setup()
  const figures = async () => ({
    ...(await front.deps.engine.figures()),
    tally,
    deployments: [{ name: 'sketch@acme', concurrency: 4, breaker: 'open' as const }],
    leaseLeftMs: 12_000,
    spentToday: 1.5,
  })
  const { send } = await setup({ store: front.store, engine: { ...front.deps.engine, figures } })
  const scrape = async (headers = {}) => await (await send('/metrics', { headers })).text()
  return { ...front, tally, send, scrape }
}

describe('GET /metrics', () => {
  it("answers Prometheus' text, and OpenMetrics to who asks for it", async () => {
    const { send } = await setupCounted()
    const plain = await send('/metrics')
    expect([plain.status, plain.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    const open = await send('/metrics', { headers: { accept: 'application/openmetrics-text; version=1.0.0' } })
    expect(open.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(await open.text()).toMatch(/\n# EOF\n$/)
  })

  it('tells of predictions, deployments, money and the engine', async () => {
    const { add, tally, scrape } = await setupCounted()
    await add({ id: 'p1', status: 'processing' })
    tally.cost.add({ deployment: 'sketch@acme' }, 0.25)
    tally.attemptsEnded.add({ deployment: 'sketch@acme', state: 'failed', failure: 'stalled' })
    tally.attemptSeconds.observe({ deployment: 'sketch@acme', state: 'failed' }, 7)
    const lines = (await scrape()).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'surefoot_predictions_open{model="acme/sketch",status="processing"} 1',
        'surefoot_attempts_ended_total{deployment="sketch@acme",state="failed",failure="stalled"} 1',
        'surefoot_attempt_duration_seconds_bucket{deployment="sketch@acme",state="failed",le="5.0"} 0',
        'surefoot_attempt_duration_seconds_bucket{deployment="sketch@acme",state="failed",le="10.0"} 1',
        'surefoot_cost_usd_total{deployment="sketch@acme"} 0.25',
        'surefoot_cost_today_usd 1.5',
        'surefoot_breaker_state{deployment="sketch@acme",state="open"} 1',
        'surefoot_breaker_state{deployment="sketch@acme",state="closed"} 0',
        'surefoot_engine_lease_left_seconds 12',
        'surefoot_store_failures_total 0',
        'surefoot_store_up 1',
      ]),
    )
  })

  it('counts answers by pattern, never by path, and takes no method for a label that is not known', async () => {
    const { send, scrape } = await setupCounted()
    await send('/v1/predictions/secret-id?signature=secret')
    await send('/secret-path')
    await send('/v1/predictions/secret-id', { method: 'SECRET' })
    const text = await scrape()
    expect(text).toContain('surefoot_http_requests_total{method="GET",route="/v1/predictions/:id",status="404"} 1')
    expect(text).toContain('method="other"')
    expect(text).not.toMatch(/secret/i)
  })

  it('tells how many event streams are open', async () => {
    const { add, send, scrape } = await setupCounted()
    await add({ id: 'p1' })
    const stream = await send('/v1/predictions/p1/events')
    expect(await scrape()).toContain('surefoot_event_streams_open 1\n')
    await stream.body?.cancel()
    await expect.poll(scrape).toContain('surefoot_event_streams_open 0\n')
  })

  it('leaves out what the store knows while it does not answer, and says so', async () => {
    const front = await setup()
    const figures = async () => ({ ...(await front.deps.engine.figures()), stored: null, keptBytes: null })
    const { send } = await setup({ engine: { ...front.deps.engine, figures } })
    const text = await (await send('/metrics')).text()
    expect(text).toContain('surefoot_store_up 0\n')
    expect(text).not.toMatch(/^surefoot_predictions_overdue_seconds /m)
  })

  it('is for administrators, where tokens are needed', async () => {
    const { send } = await setup({ access: { tokensRequired: true, ownerSecret: 'owner' } })
    expect((await send('/metrics')).status).toBe(401)
    expect((await send('/metrics', { headers: { authorization: 'Bearer owner' } })).status).toBe(200)
  })
})

describe('the list of metrics', () => {
  it('has names as OpenMetrics wants them', () => {
    const names = metrics.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, unit, help, labels } of metrics) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
      expect(name).not.toMatch(/_(total|bucket|count|sum|created|info)$/)
      if (unit !== undefined) expect(name).toMatch(new RegExp(`_${unit}$`))
      expect(help).toMatch(/^[A-Z0-9][^\n]*\.$/)
      for (const label of labels) expect(label).toMatch(/^[a-z]+$/)
    }
  })

  it('names the labels that samples have', async () => {
    const { tally, add, send, scrape } = await setupCounted()
    const labels = { model: 'm', purpose: 'caller', status: 'failed', failure: 'stalled' }
    const deployment = 'sketch@acme'
    tally.created.add(labels)
    tally.ended.add(labels)
    tally.predictionSeconds.observe(labels, 1)
    tally.attemptsSent.add({ deployment })
    tally.attemptsEnded.add({ deployment, state: 'won', failure: '' })
    tally.attemptSeconds.observe({ deployment, state: 'won' }, 1)
    tally.stageSeconds.observe({ deployment, stage: 'run' }, 1)
    tally.startsLost.add({ deployment })
    tally.failovers.add({ deployment })
    tally.cost.add({ deployment }, 1)
    tally.webhooksDied.add({ event: 'completed' })
    await add({ id: 'p1' })
    await send('/healthz')
    const text = await scrape()
    const missing: string[] = []
    for (const { name, labels } of metrics) {
      const line = new RegExp(`^${name}(?:_total|_count)?(?:\\{(.*)\\})? `, 'm').exec(text)
      if (line === null) missing.push(name)
      else expect([name, [...(line[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label)]).toEqual([name, labels])
    }
    // Nothing runs here, nothing is limited, and lag is measured from the first scrape on.
    expect(missing).toEqual([
      'surefoot_attempts_running',
      'surefoot_cost_reserved_usd',
      'surefoot_kept_limit_bytes',
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_eventloop_lag_max_seconds',
    ])
  })
})
