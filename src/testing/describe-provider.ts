import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { FailureCode } from '../core/failure.ts'
import type { HeardRequest, Job } from '../providers/contract.ts'
import { settle } from './clock.ts'
import type { Cell } from './provider-cells.ts'
import {
  accepted,
  collect,
  during,
  fileOf,
  follow,
  hear,
  hearAll,
  hour,
  io,
  marker,
  type ProviderUnderTest,
  poll,
  running,
  start,
  warm,
} from './provider-under-test.ts'
import { sampleOf } from './sample-output.ts'

export type { Cell } from './provider-cells.ts'
export type { ProviderUnderTest } from './provider-under-test.ts'

/** How each cell's behaviour is switched on at the emulator (`[]`: nothing to switch), or why it cannot apply. */
export type Cells = { readonly [cell in Cell]: readonly string[] | { readonly skip: string } }

export interface ProviderSuite {
  open(faults: readonly string[]): ProviderUnderTest
  readonly cells: Cells
}

/** Small input, large input, start answers, statuses, lost answers, outputs, cancels and webhooks: what every adapter owes the engine. */
const checks: { readonly [cell in Cell]: (under: ProviderUnderTest) => Promise<void> } = {
  'start: accepted': async under => {
    const { handle } = await accepted(under)
    expect((await follow(under, handle)).last).toMatchObject({ status: 'succeeded' })
    expect(under.submits()).toBe(1)
  },
  'start: accepted with an input too large to inline': async under => {
    const { handle } = await accepted(under, { files: { image: fileOf(new Uint8Array(600_000)) } })
    expect((await follow(under, handle)).last).toMatchObject({ status: 'succeeded' })
  },
  'start: rejected with 401': rejects('auth_rejected'),
  'start: rejected with 402': rejects('payment_required'),
  'start: rejected with 403': rejects('account_locked'),
  'start: rejected because the target is missing': rejects('deployment_missing'),
  'start: rejected because of a bad token that looks like a missing target': rejects('auth_rejected'),
  'start: rejected with 409': async under => {
    expect(await start(under)).toMatchObject({ kind: 'rejected', failure: { code: 'rate_limited' } })
    expect(under.submits()).toBe(0)
  },
  'start: rejected with 413': rejects('input_too_large'),
  'start: rejected with 422': rejects('input_invalid'),
  'start: rejected with 429 and seconds': rejects('rate_limited', 2000),
  'start: rejected with 429 and a fraction': rejects('rate_limited', 1500),
  'start: rejected with 429 and a date': rejects('rate_limited', 2000),
  'start: rejected with 429 and a hint in the body': rejects('rate_limited', 2000),
  'start: rejected with a bare 429': rejects('rate_limited'),
  'start: rejected because nobody listens': rejects('provider_unreachable'),
  'start: rejected because an input cannot be uploaded': async under => {
    const answer = await start(under, { files: { image: fileOf(new Uint8Array(600_000)) }, webhookUrl: null })
    expect(answer).toMatchObject({ kind: 'rejected' })
    expect(under.submits()).toBe(0)
  },
  'start: unknown after a 409 from in between': async under => {
    const fetch: typeof under.fetch = async (input, init) => {
      const request = new Request(input, init)
      const before = under.submits()
      const response = await under.fetch(request)
      return under.submits() === before ? response : Response.json({ error: 'Conflict' }, { status: 409 })
    }
    const answer = await start(under, {}, { ...io(under), fetch })
    expect(answer).toMatchObject({ kind: 'unknown', failure: { code: 'start_unknown' } })
    expect(under.submits()).toBe(1)
  },
  'start: unknown after 500': unknown(),
  'start: unknown after 502': unknown(),
  'start: unknown after 503': unknown(),
  'start: unknown after 504': unknown(),
  'start: unknown after 524': unknown(),
  'start: unknown after an HTML page with 200': unknown(),
  'start: unknown after an error object with 200': unknown(),
  'start: unknown after a cut connection': unknown(),
  'start: unknown when no byte comes and the signal ends it': async under => {
    const stop = new AbortController()
    const answer = start(under, {}, { fetch: under.fetch, signal: stop.signal })
    await settle()
    stop.abort(new Error('time is up'))
    expect(await answer).toMatchObject({ kind: 'unknown', failure: { code: 'start_unknown' } })
    expect(under.submits()).toBe(1)
  },
  'find: a lost start by its webhook': async under => findsItself(under, {}),
  'find: a lost start without a webhook': async under => findsItself(under, { webhookUrl: null }),
  'find: a lost start without a webhook, with a large input': async under =>
    findsItself(under, { webhookUrl: null, files: { image: fileOf(new Uint8Array(600_000)) } }),
  "find: never somebody else's run with the same input": async under => {
    await accepted(under, { marker: { attemptId: 'somebody-else', secret: 'another-secret' } })
    await accepted(under, { marker: { attemptId: 'somebody-else', secret: 'another-secret' }, webhookUrl: null })
    expect(await under.provider.find?.(marker, under.clock.now(), io(under))).toEqual([])
  },

  'poll: every stage to success, with progress': async under => {
    const { handle } = await accepted(under)
    const { trail, fractions, last } = await follow(under, handle, 500)
    expect(trail.filter(each => !['queued', 'booting'].includes(each))).toEqual(['running', 'succeeded'])
    expect(fractions).toEqual([...fractions].sort((one, other) => one - other))
    expect(fractions.length).toBeGreaterThan(2)
    expect(last.outputs).toHaveLength(1)
    const cost = under.provider.cost(last, under.provider.parseTarget(under.target))
    expect(cost).toMatchObject({ currency: 'USD', estimated: under.costEstimated ?? false })
    expect(cost?.amount === 0).toBe(under.isFree ?? false)
  },
  'poll: never a worker': async under => {
    const { handle } = await accepted(under)
    expect((await follow(under, handle, 30_000, hour / 4)).trail).not.toContain('running')
  },
  'poll: never booted': async under => {
    const { handle } = await accepted(under)
    expect((await follow(under, handle, 30_000, hour / 4)).trail).not.toContain('running')
  },
  'poll: stalls, and nothing visible changes': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle, 2000, 60_000)
    const { metrics: _before, ...before } = await poll(under, handle)
    await under.clock.advance(60_000)
    // Time goes on, and nothing that a stall watch looks at.
    const { metrics: _after, ...after } = await poll(under, handle)
    expect(after).toEqual(before)
    expect(before).toMatchObject({ status: 'running', progress: { fraction: 0.9 } })
  },
  'poll: progress begins again': async under => {
    const { handle } = await accepted(under)
    const { fractions, last } = await follow(under, handle, 500)
    expect(fractions).not.toEqual([...fractions].sort((one, other) => one - other))
    expect(last.status).toBe('succeeded')
  },
  'poll: the model fails': fails('model_error'),
  'poll: the GPU runs out of memory': fails('out_of_memory'),
  'poll: the machine runs out of memory': fails('out_of_memory'),
  'poll: the vendor gives up booting': fails('boot_timeout'),
  'poll: the worker is taken away': fails('worker_lost'),
  'poll: the vendor cannot store the output': fails('output_lost'),
  'poll: ended by the vendor before it started': async under => {
    const { handle } = await accepted(under)
    const { last } = await follow(under, handle)
    expect(['canceled', 'failed']).toContain(last.status)
    expect(under.provider.cost(last, under.target)).toMatchObject({ amount: 0 })
  },
  'poll: a word nobody knows': async under => {
    const { handle } = await accepted(under)
    const { trail, errors, last } = await follow(under, handle, 500)
    expect(trail).toContain('unclear')
    expect(errors).toEqual([])
    expect(last.status).toBe('succeeded')
  },
  'poll: a last word nobody knows': async under => {
    const { handle } = await accepted(under)
    expect(['failed', 'succeeded']).toContain((await follow(under, handle)).last.status)
  },
  'poll: 404 just after the start': async under => {
    const { handle } = await accepted(under)
    const { trail, last } = await follow(under, handle, 500)
    expect(trail[0]).toBe('gone')
    expect(last.status).toBe('succeeded')
  },
  'poll: 404 for good': async under => {
    const { handle } = await accepted(under)
    const { trail } = await follow(under, handle, 500, 60_000)
    expect(trail.at(-1)).toBe('gone')
  },
  'poll: 401 while it runs': survives('auth_rejected'),
  'poll: 402': survives('payment_required'),
  'poll: 403': survives('account_locked'),
  'poll: 409': survives('provider_error'),
  'poll: 422': survives('input_invalid'),
  'poll: 429 and seconds': survives('rate_limited', 2000),
  'poll: 429 and a fraction': survives('rate_limited', 1500),
  'poll: 429 and a date': survives('rate_limited', 2000),
  'poll: 429 and a hint in the body': survives('rate_limited', 2000),
  'poll: a bare 429': survives('rate_limited'),
  'poll: a burst of 503': survives('provider_error'),
  'poll: HTML pages with 200': survives('provider_error'),
  'poll: error objects with 200': survives('provider_error'),
  'poll: cut in the middle of the body': survives('provider_unreachable'),
  'poll: the bytes come slowly': async under => {
    const { handle } = await accepted(under)
    const began = under.clock.now()
    const { status } = await during(under, poll(under, handle), 100)
    // Time that passes before the request is signed may be enough for the run to end.
    expect(['queued', 'booting', 'running', 'unclear', 'succeeded']).toContain(status)
    expect(under.clock.now() - began).toBeGreaterThan(5000)
    expect(under.submits()).toBe(1)
  },
  'poll: no byte comes and the signal ends it': async under => {
    const { handle } = await accepted(under)
    const stop = new AbortController()
    const answer = under.provider.poll?.(handle, { fetch: under.fetch, signal: stop.signal })
    await settle()
    stop.abort(new Error('time is up'))
    await expect(answer).rejects.toMatchObject({ failure: { code: 'provider_unreachable' } })
  },

  'output: small': gives(sampleOf(40), {}),
  // More than an answer of Modal's holds, and less than what RunPod and Cog give back in theirs.
  'output: large': gives(sampleOf(2_500_000), { give: 2_500_000 }),
  'output: larger than the answer may be': async under => {
    const { handle } = await accepted(under, { input: { give: (under.provider.limits.inlineOutputBytes ?? 0) + 1 } })
    const { last } = await follow(under, handle)
    // Nothing rather than a part of it: the engine takes a success without outputs for a lost one.
    if (last.status === 'succeeded') expect(last.outputs).toEqual([])
    else expect(last).toMatchObject({ status: 'failed', failure: { code: 'output_too_large' } })
  },
  'output: missing': async under => {
    const { handle } = await accepted(under)
    expect((await follow(under, handle)).last).toMatchObject({ status: 'succeeded', outputs: [] })
  },
  'output: an empty object': async under => {
    const { handle } = await accepted(under)
    expect((await follow(under, handle)).last).toMatchObject({ status: 'succeeded', outputs: [] })
  },
  'output: of the wrong type': refused('output_invalid', { give: 'page' }),
  'output: cut off': refused(expect.stringMatching(/^(provider_unreachable|output_invalid)$/), { give: 200_000 }),
  'output: the bytes come slowly': gives(sampleOf(200_000), { give: 200_000 }),
  'output: its link has expired': refused('output_lost', {}),
  'output: purged by the vendor': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    await under.clock.advance(under.provider.limits.resultKeptMs)
    const last = await poll(under, handle)
    expect(last.status === 'gone' || last.outputs?.length === 0).toBe(true)
  },

  'cancel: confirmed by polling': async under => {
    const { handle } = await running(under)
    expect(['requested', 'ended']).toContain(await under.provider.cancel?.(handle, io(under)))
    expect((await follow(under, handle)).last.status).toBe('canceled')
  },
  'cancel: before it runs': async under => {
    const { handle } = await accepted(under)
    await under.provider.cancel?.(handle, io(under))
    expect((await follow(under, handle)).last.status).toBe('canceled')
  },
  'cancel: ignored': async under => {
    const { handle } = await running(under)
    expect(await under.provider.cancel?.(handle, io(under))).toBe('requested')
    expect((await follow(under, handle)).last.status).toBe('succeeded')
  },
  'cancel: too late': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    // `ended` would throw away an output that is paid for.
    expect(await under.provider.cancel?.(handle, io(under))).toBe('requested')
    expect((await poll(under, handle)).status).toBe('succeeded')
  },
  'cancel: lost, then confirmed': async under => {
    const { handle } = await running(under)
    const refused = under.provider.cancel?.(handle, io(under))
    await expect(refused).rejects.toMatchObject({ failure: { code: 'provider_error' } })
    await under.provider.cancel?.(handle, io(under)).catch(() => 'lost once more')
    await under.provider.cancel?.(handle, io(under))
    expect((await follow(under, handle)).last.status).toBe('canceled')
  },

  'webhook: good': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    const request = under.heard().at(-1) as HeardRequest
    const heard = await hear(under, request)
    expect(heard).toMatchObject({ handle, observation: { status: 'succeeded' } })
  },
  'webhook: forged': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    const verdicts = await hearAll(under, under.clock.now())
    expect(verdicts).toContain('auth_rejected')
    expect(verdicts.at(-1)).toBe('succeeded')
  },
  'webhook: changed on its way': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    const { headers, body } = under.heard().at(-1) as HeardRequest
    // In JSON the last of two equal keys counts.
    const lie = new TextDecoder().decode(body).replace(/\}$/, ',"status":"failed"}')
    const answer = hear(under, { headers, body: new TextEncoder().encode(lie) })
    await expect(answer).rejects.toMatchObject({ failure: { code: 'auth_rejected' }, status: 401 })
  },
  'webhook: played again later': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    const request = under.heard().at(-1) as HeardRequest
    const answer = hear(under, request, under.clock.now() + 6 * 60_000)
    await expect(answer).rejects.toMatchObject({ failure: { code: 'auth_rejected' }, status: 401 })
  },
  'webhook: stamped by a wrong clock': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    const answer = hear(under, under.heard().at(-1) as HeardRequest)
    await expect(answer).rejects.toMatchObject({ failure: { message: expect.stringMatching(/\d+ s behind/) } })
  },
  'webhook: late': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    await under.clock.advance(60_000)
    expect((await hearAll(under, under.clock.now())).at(-1)).toBe('succeeded')
  },
  'webhook: several times': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    await under.clock.advance(1000)
    const ids = under.heard().map(each => hear(under, each))
    const last = (await Promise.all(ids)).slice(-2).map(each => each.deliveryId)
    expect(last[0]).toEqual(expect.any(String))
    expect(last[0]).toBe(last[1])
  },
  'webhook: out of order': async under => {
    const { handle } = await accepted(under)
    await follow(under, handle)
    await under.clock.advance(1000)
    expect(await hearAll(under, under.clock.now())).toEqual(['succeeded', 'running'])
  },

  'warm: a place that sleeps is not ready, and looking costs no run': async under => {
    await under.clock.advance(hour)
    expect((await warm(under)).state).not.toBe('ready')
    expect(under.submits()).toBe(0)
  },
  'warm: a worker that works is known to be there': async under => {
    await running(under)
    expect((await warm(under)).state).toBe('ready')
    expect(under.submits()).toBe(1)
  },
  'warm: a call alone brings a worker': async under => {
    await under.clock.advance(hour)
    expect((await warm(under)).state).toBe('waking')
    for (let waited = 0; waited < hour && (await warm(under)).state !== 'ready'; waited += 500)
      await under.clock.advance(500)
    expect((await warm(under)).state).toBe('ready')
    expect(under.submits()).toBe(0)
  },
}

/**
 * The contract suite: runs every cell against an adapter and its emulator on simulated time. A cell that cannot apply
 * carries a reason, which is printed; none can be forgotten, because `cells` names them all.
 */
export function describeProvider(name: string, suite: ProviderSuite): void {
  describe(`provider contract: ${name}`, () => {
    for (const cell of Object.keys(checks) as Cell[]) {
      test(cell, async context => {
        const setting = suite.cells[cell]
        if ('skip' in setting) return context.skip(setting.skip)
        const under = suite.open(setting)
        try {
          await checks[cell](under)
        } finally {
          under.close()
        }
        expect(under.clock.waiting, 'timers left behind').toBe(0)
      })
    }
  })
}

function rejects(code: FailureCode, retryAfterMs?: number): (under: ProviderUnderTest) => Promise<void> {
  return async under => {
    const answer = await start(under)
    expect(answer).toMatchObject({ kind: 'rejected', failure: { code } })
    expect(answer.kind === 'rejected' && answer.failure.retryAfterMs).toBe(retryAfterMs)
    expect(under.submits()).toBe(0)
  }
}

function unknown(): (under: ProviderUnderTest) => Promise<void> {
  return async under => {
    expect(await start(under)).toMatchObject({ kind: 'unknown', failure: { code: 'start_unknown' } })
    // One start and no second: whoever cannot tell must not pay twice.
    expect(under.submits()).toBe(1)
  }
}

async function findsItself(under: ProviderUnderTest, more: Partial<Job>): Promise<void> {
  const since = under.clock.now()
  expect(await start(under, more)).toMatchObject({ kind: 'unknown' })
  const found = (await under.provider.find?.(marker, since, io(under))) ?? []
  expect(found).toHaveLength(1)
  expect((await follow(under, found[0]?.handle ?? null)).last.status).toBe('succeeded')
  expect(under.submits()).toBe(1)
}

function fails(code: FailureCode): (under: ProviderUnderTest) => Promise<void> {
  return async under => {
    const { handle } = await accepted(under)
    expect((await follow(under, handle)).last).toMatchObject({ status: 'failed', failure: { code } })
  }
}

/** A run whose output is collected whole. */
function gives(bytes: Uint8Array, input: Job['input']): (under: ProviderUnderTest) => Promise<void> {
  return async under => {
    const { handle } = await accepted(under, { input })
    const { last } = await follow(under, handle)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(await collect(under, last)).toMatchObject({ bytes: bytes.byteLength, sha256 })
  }
}

/** A run that succeeds for the vendor, whose output is refused when it is collected. */
function refused(code: FailureCode, input: Job['input']): (under: ProviderUnderTest) => Promise<void> {
  return async under => {
    const { handle } = await accepted(under, { input })
    const { last } = await follow(under, handle)
    expect(last.status).toBe('succeeded')
    await under.clock.advance(120_000)
    await expect(collect(under, last)).rejects.toMatchObject({ failure: { code } })
  }
}

/** Polls that cannot be answered throw with the right code, and the run goes on to its end. */
function survives(code: FailureCode, retryAfterMs?: number): (under: ProviderUnderTest) => Promise<void> {
  return async under => {
    const { handle } = await accepted(under)
    const { errors, last } = await follow(under, handle, 500)
    expect(errors.length).toBeGreaterThan(0)
    for (const { failure } of errors) {
      expect(failure.code).toBe(code)
      expect(failure.retryAfterMs).toBe(retryAfterMs)
    }
    expect(last.status).toBe('succeeded')
    expect(under.submits()).toBe(1)
  }
}
