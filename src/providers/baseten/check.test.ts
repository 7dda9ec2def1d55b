import { expect, test } from 'vitest'
import type { Io } from '../contract.ts'
import { baseten } from './index.ts'

/** A vendor that answers everything so, and what it was asked. */
function vendorThat(answer: () => Response): Io & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    signal: new AbortController().signal,
    async fetch(url, init) {
      asked.push(`${init?.method} ${String(url)}`)
      return answer()
    },
  }
}

const held = baseten({ apiKey: 'key', mode: 'held' })
const target = held.parseTarget({ model: 'abcd1234' })

test('in held mode the model is asked for its queue, and nothing is started', async () => {
  const io = vendorThat(() =>
    Response.json({ model_id: 'abcd1234', num_queued_requests: 0, num_in_progress_requests: 0 }),
  )
  expect(await held.check?.(target, io)).toMatchObject([{ level: 'ok' }])
  expect(io.asked).toEqual(['GET https://model-abcd1234.api.baseten.co/production/async_queue_status'])
})

test.each([
  [403, 'auth_rejected'],
  [404, 'deployment_missing'],
])('%i is told as %s', async (status, code) => {
  const io = vendorThat(() => Response.json({ error: 'No.' }, { status }))
  await expect(held.check?.(target, io)).rejects.toMatchObject({ failure: { code } })
})

test('with a queue, health tells the same', () => {
  const queue = baseten({ apiKey: 'key' })
  expect([queue.check, typeof queue.health]).toEqual([undefined, 'function'])
})
