import { expect, it } from 'vitest'
import { setup } from './test-support.ts'

async function ready(over: Parameters<typeof setup>[0] = {}): Promise<unknown> {
  const { send } = await setup(over)
  const response = await send('/readyz')
  const { status, code, detail } = (await response.json()) as { status: string; code?: string; detail?: string }
  return response.ok ? status : [response.status, code, detail]
}

it('is ready where the store answers and nothing is in the way of new work', async () => {
  expect(await ready()).toBe('ok')
})

it('is not ready, and says why, where the engine says so, where it cannot be asked, and where the server is about to end', async () => {
  const { deps } = await setup()
  const engine = { ...deps.engine, obstacle: async () => 'Only 3 MB are free.' }
  expect(await ready({ engine })).toEqual([503, 'not_ready', 'Only 3 MB are free.'])
  const broken = { ...deps.engine, obstacle: () => Promise.reject(new Error('secret')) }
  expect(await ready({ engine: broken })).toEqual([503, 'not_ready', 'The store does not answer.'])
  const ending = [503, 'not_ready', 'The server is about to end.']
  expect(await ready({ leaving: AbortSignal.abort() })).toEqual(ending)
  expect(await ready({ closing: AbortSignal.abort() })).toEqual(ending)
})
