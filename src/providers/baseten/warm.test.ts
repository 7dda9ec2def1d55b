import { expect, test } from 'vitest'
import type { Io } from '../contract.ts'
import { baseten } from './index.ts'

const target = { model: 'abcd1234', hardware: 'l4' }

/** What a warm-up says where the management API tells this, and what was asked. */
async function warm(settings: { status: number; body: object }, over: object = {}) {
  const asked: string[] = []
  const io: Io = {
    signal: new AbortController().signal,
    async fetch(url, init) {
      const { host, pathname } = new URL(String(url))
      asked.push(`${init?.method} ${host}${pathname}`)
      if (pathname.endsWith('/wake')) return new Response(null, { status: 202 })
      return Response.json(settings.body, { status: settings.status })
    },
  }
  const provider = baseten({ apiKey: 'key' })
  const told = await provider.warm?.(provider.parseTarget({ ...target, ...over }), io)
  return { state: told?.state, asked }
}

const look = 'GET api.baseten.co/v1/models/abcd1234/deployments/production'
const wake = 'POST model-abcd1234.api.baseten.co/production/wake'

test.each<[string, number, object, string, string[]]>([
  ['a replica is up', 200, { status: 'ACTIVE', active_replica_count: 2 }, 'ready', [look]],
  ['none is', 200, { status: 'SCALED_TO_ZERO', active_replica_count: 0 }, 'waking', [look, wake]],
  ['one is starting', 200, { status: 'WAKING_UP', active_replica_count: 0 }, 'waking', [look, wake]],
  ['the API does not count them', 200, { status: 'ACTIVE' }, 'asked', [look, wake]],
  ['the key may only call models', 403, { error: 'No.' }, 'asked', [look, wake]],
])('where %s', async (_, status, body, state, asked) => {
  expect(await warm({ status, body })).toEqual({ state, asked })
})

test('an environment of its own is looked up, and woken, as one', async () => {
  const body = { current_deployment: { status: 'SCALED_TO_ZERO', active_replica_count: 0 } }
  const { asked } = await warm({ status: 200, body }, { environment: 'staging' })
  expect(asked).toEqual([
    'GET api.baseten.co/v1/models/abcd1234/environments/staging',
    'POST model-abcd1234.api.baseten.co/environments/staging/wake',
  ])
})

test('a deployment that was switched off is not woken', async () => {
  const answer = warm({ status: 200, body: { status: 'INACTIVE', active_replica_count: 0 } })
  await expect(answer).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})
