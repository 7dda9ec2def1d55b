import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { AttemptsJson, PredictionJson } from '../src/http/shapes.ts'
import { makeFolder, root, startGateway, surefoot } from './support/gateway.ts'
import { startPostgres } from './support/postgres.ts'

const photo = readFileSync(join(root, 'examples/photos/chelsea.png'))

it('a worker finishes what a killed gateway had begun on this machine, and a new gateway serves it', async () => {
  const database = await startPostgres()
  onTestFinished(() => database.close())
  const place = { cwd: makeFolder(), env: { SUREFOOT_DATABASE_URL: database.url } }
  const gateway = await startGateway(place)
  const worker = surefoot(['worker'], place)
  await worker.said(/drives predictions/)

  const created = await fetch(`${gateway.url}/v1/models/surefoot/relief/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: { image: `data:image/png;base64,${photo.toString('base64')}` } }),
  })
  const { id } = (await created.json()) as PredictionJson
  const statusAt = async (url: string) => (await read(url, id)).status
  await expect.poll(() => statusAt(gateway.url), { timeout: 60_000 }).not.toBe('starting')
  gateway.child.kill('SIGKILL')
  await gateway.ended

  const next = await startGateway(place)
  await expect.poll(() => statusAt(next.url), { timeout: 60_000 }).toBe('succeeded')
  const { attempts } = (await (await fetch(`${next.url}/v1/predictions/${id}/attempts`)).json()) as AttemptsJson
  // A take-over may take longer than the 10 s after which a silent run on this machine counts as stalled: then it is made again.
  const states = attempts.map(({ state }) => state)
  expect(states.filter(state => state !== 'failed')).toEqual(['won'])
  const { output } = await read(next.url, id)
  expect((await fetch(String(output))).status).toBe(200)

  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0 })
})

async function read(url: string, id: string): Promise<PredictionJson> {
  return (await (await fetch(`${url}/v1/predictions/${id}`)).json()) as PredictionJson
}
