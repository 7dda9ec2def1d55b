import { expect, test } from 'vitest'
import { createBasetenEmulator } from '../emulators/baseten/index.ts'
import { createCogEmulator } from '../emulators/cog/index.ts'
import { createModalEmulator } from '../emulators/modal/index.ts'
import { createRunpodEmulator } from '../emulators/runpod/index.ts'
import { during, hour, io, start } from '../testing/provider-under-test.ts'
import { sampleOf } from '../testing/sample-output.ts'
import { openAdapter } from '../testing/test-adapter.ts'
import { baseten } from './baseten/index.ts'
import { cog } from './cog/index.ts'
import type { Observation } from './contract.ts'
import { modal } from './modal/index.ts'
import { runpod } from './runpod/index.ts'

const bytes = sampleOf(300_000)

/** Vendors whose workers put files into their answers, here one of 300 kB. */
const vendors = {
  'cog, held': () =>
    openAdapter([], {
      emulator: parts => createCogEmulator({ ...parts, answers: 'inline', bootMs: 0 }),
      provider: () => cog({ baseUrl: 'http://127.0.0.1:1', mode: 'held' }),
      target: {},
    }),
  'modal, web endpoints': () =>
    openAdapter([], {
      emulator: parts => createModalEmulator({ ...parts, answers: 'inline', bootMs: 0 }),
      provider: () => modal({ mode: 'web' }),
      target: { url: 'http://127.0.0.1:1/web/sharp' },
    }),
  'baseten, held': () =>
    openAdapter([], {
      emulator: parts => createBasetenEmulator({ ...parts, answers: 'inline', bootMs: 0 }),
      provider: () => baseten({ apiKey: 'any', baseUrl: 'https://baseten.test', mode: 'held' }),
      target: { model: 'abcd1234' },
    }),
  runpod: () =>
    openAdapter([], {
      emulator: parts => createRunpodEmulator({ ...parts, answers: 'inline' }),
      provider: () => runpod({ apiKey: 'any', baseUrl: 'https://runpod.test/v2' }),
      target: { endpoint: 'abc123' },
    }),
}

test.each(Object.entries(vendors))('%s: a long file in an answer is kept as it comes', async (_, open) => {
  const under = open()
  const kept: Buffer[] = []
  const keeping = {
    ...io(under),
    async keep(body: AsyncIterable<Uint8Array>) {
      const parts: Uint8Array[] = []
      for await (const part of body) parts.push(Uint8Array.from(part))
      kept.push(Buffer.concat(parts))
      return `kept:${kept.length}`
    },
  }
  const answer = await during(under, start(under, { input: { give: 300_000 } }, keeping))
  if (answer.kind !== 'accepted') throw new Error(answer.failure.message)
  let seen: Observation | undefined = answer.seen
  for (let waited = 0; waited < hour && seen?.status !== 'succeeded'; waited += 1_000) {
    await under.clock.advance(1_000)
    seen = await under.provider.poll?.(answer.handle, keeping)
  }
  expect(seen).toMatchObject({ status: 'succeeded', outputs: [{ kind: 'stored', key: 'kept:1' }] })
  expect(kept.map(({ length }) => length)).toEqual([bytes.length])
  expect(kept[0]?.equals(bytes)).toBe(true)
  under.close()
})
