import { describe, expect, test } from 'vitest'
import { createFailure, SurefootError } from '../core/failure.ts'
import { defaultPolicy, type Policy } from '../core/policy.ts'
import { sharp } from '../models/sharp.ts'
import type { Finding, Health } from '../providers/contract.ts'
import { intent } from '../providers/test-intent.ts'
import { askProvider } from './ask-provider.ts'
import { judgeClock, watchClocks } from './judge-clock.ts'
import { judgePolicy } from './judge-policy.ts'
import { judgePrice } from './judge-price.ts'
import { judgeWays } from './judge-ways.ts'
import { createDeployment, createRoute, type Differences } from './test-support.ts'

const publicUrl = 'https://gateway.example'

function brief(findings: readonly Finding[]): string[] {
  return findings.map(({ level, message, advice }) => `${level}: ${message} ${advice ?? ''}`)
}

describe('the ways of bytes', () => {
  const kit = { target: { kit: true } }
  const emulated = { provider: { trustedOrigins: ['http://127.0.0.1:9001'] } }

  test.each<[string, Differences, string | null, string]>([
    ['a kit that can upload', kit, publicUrl, 'ok: .* outputs come by upload to us'],
    ['a kit without a public URL', kit, null, 'problem: .*no public URL'],
    [
      'a kit, and a public URL that is not https',
      kit,
      'http://gateway.example',
      'problem: .*cannot be reached from there',
    ],
    ['a kit, and a public URL of this machine', kit, 'https://localhost', 'problem: .*cannot be reached from there'],
    ['a kit at an emulator here', { ...kit, ...emulated }, 'http://127.0.0.1:8787', 'ok: '],
    ['a webhook that is needed', { limits: { needsCallback: true } }, null, 'problem: .*an address of ours only'],
    ['webhooks or uploads only', { limits: { outputForms: ['stored'] } }, null, 'problem: .*an address of ours only'],
    ['a SHARP splat in a webhook', { limits: { outputForms: ['stored'] } }, publicUrl, 'warning: .*66.1 MB.*7.5 MB'],
    ['links only', { limits: { inputForms: ['url'] } }, null, 'problem: .*by link only'],
    ['a SHARP splat in an answer', {}, publicUrl, 'warning: .*66.1 MB.*7.5 MB.*kit: true in the target\\),'],
    [
      'a SHARP splat, and nothing but the answer',
      { limits: { outputForms: ['data'] } },
      publicUrl,
      'problem: .*66.1 MB.*7.5 MB',
    ],
    ['an answer of any size', { limits: { inlineOutputBytes: null } }, publicUrl, 'ok: '],
    ['uploads to the provider', { limits: { inputForms: ['upload'], outputForms: ['url'] } }, null, 'ok: '],
  ])('%s', (_what, differences, url, expected) => {
    expect(brief(judgeWays(createDeployment(differences), sharp, url))).toEqual([
      expect.stringMatching(new RegExp(`^${expected}`)),
    ])
  })

  test('without a public URL both ways may be narrow', () => {
    expect(brief(judgeWays(createDeployment(), sharp, null))).toEqual([
      expect.stringMatching(/^warning: .*inside the request/),
      expect.stringMatching(/^warning: .*66.1 MB.*and set a public URL/),
    ])
  })
})

describe('prices', () => {
  const now = Date.parse('2026-11-24')

  test.each<[string, Differences, string | null]>([
    ['unknown', { provider: { pricePerSecond: () => null } }, 'warning: No price is known'],
    ['stated', {}, 'ok: The config states 0.001 USD per second; an attempt costs 0.6 USD at most'],
    ['180 days old', { provider: { pricesAsOf: () => '2026-05-28' } }, 'ok: By the list of 2026-05-28'],
    ['181 days old', { provider: { pricesAsOf: () => '2026-05-27' } }, 'warning: The price list is of 2026-05-27, 181'],
    ['nobody paid', { limits: { thisHostOnly: true } }, null],
  ])('%s', (_what, differences, expected) => {
    const found = brief(judgePrice(createDeployment(differences), defaultPolicy, now))
    expect(found).toEqual(expected === null ? [] : [expect.stringContaining(expected)])
  })
})

describe('policies', () => {
  const searchable = { provider: { find: async () => [] } }

  test.each<[string, Differences, Partial<Policy>, string]>([
    ['the default', searchable, {}, 'ok: Runs on sharp@there: at most 3 attempts within 30 min'],
    [
      'a deadline that ends the first attempt',
      searchable,
      { deadlineMs: 1_499_000 },
      'warning: The deadline of 1499 s',
    ],
    ['one attempt', searchable, { attempts: 1 }, 'warning: One attempt'],
    ['a long silence', { ...searchable, limits: { silent: true } }, { runMs: 601_000 }, 'warning: .*shows nothing'],
    [
      'a budget, and no price',
      { provider: { ...searchable.provider, pricePerSecond: () => null } },
      { budget: 1 },
      'problem: The budget keeps everything from sharp@there',
    ],
    ['a budget for less than an attempt', searchable, { budgetPerDay: 0.5 }, 'problem: The budget of 0.5 USD'],
    ['a budget for one attempt', searchable, { budget: 0.6 }, 'ok: '],
    ['starts that nobody can find again', {}, {}, 'warning: A start whose answer is lost is paid again after 90 s'],
    ['the same, given up', {}, { onUnknown: 'fail' }, 'ok: '],
    ['a deadline on this machine', { limits: { thisHostOnly: true } }, { deadlineMs: 60_000 }, 'ok: '],
  ])('%s', (_what, differences, policy, expected) => {
    expect(brief(judgePolicy(createRoute([createDeployment(differences)], policy), null))).toEqual([
      expect.stringMatching(new RegExp(`^${expected}`)),
    ])
  })

  test.each<[string, Partial<Policy>, string]>([
    ['a boot that outlives the deadline', { deadlineMs: 60_000 }, 'queueMs (5 min), bootMs (10 min), runMs (10 min)'],
    ['a stall that outlives the run', { runMs: 120_000 }, 'stallMs is 2 min, lastStageMs 60 s, runMs 2 min'],
  ])('timers: %s', (_what, policy, words) => {
    const findings = judgePolicy(createRoute([createDeployment(searchable)], policy), null)
    const [found] = findings.filter(({ code }) => code === 'timers')
    expect(found).toMatchObject({ level: 'warning', message: expect.stringContaining(words) })
  })

  test('what one deployment of two is kept from is a warning', () => {
    const route = createRoute(
      [createDeployment(searchable), createDeployment({ provider: { pricePerSecond: () => null } })],
      {
        budget: 1,
      },
    )
    expect(judgePolicy(route, publicUrl).map(({ level }) => level)).toEqual(['warning'])
  })
})

describe('clocks', () => {
  async function offBy(seconds: number): Promise<Finding[]> {
    const zero = Date.parse('2026-11-24T12:00:00Z')
    const date = new Date(zero + seconds * 1000).toUTCString()
    const watch = watchClocks(
      async () => new Response(null, { headers: { date } }),
      () => zero + 500,
    )
    await watch.fetch('https://vendor.example/v1')
    return judgeClock(watch.offBy)
  }

  test('differ by more than a minute, or not', async () => {
    expect((await offBy(60)).map(({ level }) => level)).toEqual(['ok'])
    expect((await offBy(-60)).map(({ level }) => level)).toEqual(['ok'])
    expect(brief(await offBy(61))[0]).toMatch(/^warning: .*vendor\.example is 61 s ahead of/)
    expect(brief(await offBy(-61))[0]).toMatch(/^warning: .*61 s behind/)
    expect(judgeClock(new Map())).toEqual([])
  })
})

describe('a provider that is asked', () => {
  const options = { fetch: globalThis.fetch, now: 0, marker: { attemptId: 'none', secret: 'none' }, intent }
  const health = (state: Health['state']) => async () => ({ state, message: state, queued: null, workers: {} })
  const refusing = async () => Promise.reject(new SurefootError(createFailure('auth_rejected', 'No.')))

  test.each<[string, Differences['provider'], readonly Finding['level'][]]>([
    ['by check and health', { check: async () => [], find: refusing, health: health('ok') }, ['ok']],
    ['by a search, else', { find: async () => [], health: health('queueing') }, ['ok', 'warning']],
    ['with a crash loop', { health: health('crash-loop') }, ['problem']],
    ['that refuses one of two', { find: refusing, health: health('ok') }, ['problem', 'ok']],
    ['that refuses both in the same words', { check: refusing, health: refusing }, ['problem']],
    ['that has no harmless question', {}, ['warning']],
  ])('%s', async (_what, provider, levels) => {
    const findings = await askProvider(createDeployment({ provider: provider ?? {} }), options)
    expect(findings.map(({ level }) => level)).toEqual(levels)
  })
})
