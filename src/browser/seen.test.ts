import { expect, test } from 'vitest'
import type { PredictionJson } from '../http/shapes.ts'
import { settle } from '../testing/clock.ts'
import type { Client } from './create-client.ts'
import { lookAt, nothingSeen, subscribe, tell } from './seen.ts'

/** A client whose watches say what the test says, and a list of them. */
function setup() {
  const watches: { readonly id: string; readonly signal: AbortSignal; say(status: string): Promise<void> }[] = []
  const client = {
    watch(id: string, { signal }: { readonly signal: AbortSignal }) {
      const { readable, writable } = new TransformStream<PredictionJson, PredictionJson>()
      const writer = writable.getWriter()
      watches.push({ id, signal, say: status => writer.write({ id, status } as PredictionJson) })
      return readable.values()
    },
  } as unknown as Client
  return { client, watches, calls: [] as string[] }
}

test('whoever leaves and comes back within one turn keeps the stream, and what was seen', async () => {
  const { client, watches } = setup()
  const leave = subscribe(client, 'p1', () => {})
  leave()
  const leaveAgain = subscribe(client, 'p1', () => {})
  await settle()
  expect(watches).toHaveLength(1)
  expect(watches[0]?.signal.aborted).toBe(false)
  leaveAgain()
  await settle()
  expect(watches[0]?.signal.aborted).toBe(true)
  expect(lookAt(client, 'p1')).toBe(nothingSeen)
})

test('all who follow one prediction share a watch; who comes later sees at once what is known', async () => {
  const { client, watches, calls } = setup()
  const listener = () => void calls.push('heard')
  const leaves = [subscribe(client, 'p1', listener), subscribe(client, 'p1', listener)]
  await watches[0]?.say('starting')
  await settle()
  expect(calls).toEqual(['heard', 'heard'])
  const seen = lookAt(client, 'p1')
  expect(seen).toMatchObject({ prediction: { status: 'starting' }, error: null })
  subscribe(client, 'p1', listener)
  expect(lookAt(client, 'p1')).toBe(seen)
  for (const leave of leaves) leave()
  await settle()
  expect(watches).toMatchObject([{ id: 'p1', signal: { aborted: false } }])
})

test('what was told never takes back an end', async () => {
  const { client, watches } = setup()
  subscribe(client, 'p1', () => {})
  await watches[0]?.say('succeeded')
  await settle()
  tell(client, { id: 'p1', status: 'starting' } as PredictionJson)
  expect(lookAt(client, 'p1').prediction?.status).toBe('succeeded')
  tell(client, { id: 'p2', status: 'starting' } as PredictionJson)
  expect(lookAt(client, 'p2')).toBe(nothingSeen)
})
