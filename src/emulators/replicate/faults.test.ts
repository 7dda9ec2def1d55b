import { expect, test } from 'vitest'
import { createWitness, type Told } from '../../testing/test-witness.ts'
import { faultCatalogue, faultsAt } from '../catalogue.ts'
import { createReplicateEmulator, type ReplicateEmulator } from './index.ts'
import { sign } from './webhooks.ts'

/** Everything that a caller can see of one prediction from start to end, without ids. */
async function account({ fault, withCancel = false }: Told): Promise<string[]> {
  const { emulator, clock, lines, ask, download, close } = createWitness<ReplicateEmulator>({
    fault,
    emulator: parts =>
      createReplicateEmulator({
        ...parts,
        async send(input, init) {
          const request = new Request(input, init)
          const body = await request.text()
          const [id, stamp] = [
            request.headers.get('webhook-id') ?? '',
            Number(request.headers.get('webhook-timestamp')),
          ]
          const good = sign(emulator.webhookSecret, { id, stamp, body }) === request.headers.get('webhook-signature')
          const at = Math.floor(clock.now() / 1000) - stamp
          lines.push(`webhook ${String(JSON.parse(body).status)}, signature ${good ? 'good' : 'bad'}, ${at} s old`)
          return new Response(null, { status: 200 })
        },
      }),
  })
  const call = (path: string, init: RequestInit = {}) => {
    const type = init.body instanceof FormData ? {} : { 'content-type': 'application/json' }
    return ask(`https://replicate.test${path}`, { ...init, headers: { authorization: 'Bearer any', ...type } })
  }
  const shown = (answer: string) =>
    answer
      .replace(/"(id|created_at|started_at|completed_at|get|cancel|web|etag|expires_at)":("[^"]*"|null)/g, '')
      .replace(/delivery\/\w+/g, 'delivery')

  const form = new FormData()
  form.set('content', new Blob(['photo']), 'photo.png')
  lines.push((await call('/v1/files', { method: 'POST', body: form })).slice(0, 3))
  const body = JSON.stringify({
    version: 'a'.repeat(64),
    input: { text: 'hello' },
    webhook: 'https://us.test/',
    webhook_events_filter: ['start', 'completed'],
  })
  lines.push(shown(await call('/v1/predictions', { method: 'POST', body })))
  const id = emulator.state().ledger[0]?.id
  let output = ''
  for (let polls = 0; id !== undefined && polls < 60; polls++) {
    const answer = await call(`/v1/predictions/${id}`)
    lines.push(shown(answer))
    output = /https:[^"]*\/delivery\/[^"]*/.exec(answer)?.[0] ?? output
    if (withCancel && polls === 4) lines.push(shown(await call(`/v1/predictions/${id}/cancel`, { method: 'POST' })))
    await clock.advance(polls < 30 ? 500 : 60_000)
  }
  if (output !== '') await download(output)
  return close()
}

const plain = { false: account({}), true: account({ withCancel: true }) }

test.each(faultsAt('replicate'))('%s can be seen from outside', async name => {
  const changed = await account({ fault: name, withCancel: name.startsWith('cancel-') })
  expect(changed).not.toEqual(await plain[name.startsWith('cancel-') ? 'true' : 'false'])
})

test('a prediction without faults is one clean story', async () => {
  const lines = await plain.false
  expect(lines.filter(line => line.startsWith('webhook'))).toEqual([
    'webhook processing, signature good, 0 s old',
    'webhook succeeded, signature good, 0 s old',
  ])
  expect(lines.at(-1)).toMatch(/^download 200 \d+ \w{64} after 0 ms$/)
})

test('every fault of the collection that can happen at Replicate has a name', () => {
  const named = new Set<number>(faultsAt('replicate').flatMap(name => [...faultCatalogue[name].numbers]))
  // Left out: other vendors' own (6 7 8 26 27 31 49), the gateway's side (36 38 39 44 52 60), double work (24), which Replicate shows as two ids.
  const possible = [1, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 28, 29, 30, 32, 33, 34, 35, 37]
  const after = [38, 41, 42, 43, 45, 47, 48, 50, 53, 54, 55, 56, 58, 59]
  expect([...possible, ...after].filter(number => !named.has(number))).toEqual([])
})
