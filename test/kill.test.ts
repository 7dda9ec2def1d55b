import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { AttemptsJson } from '../src/http/shapes.ts'
import { startGateway } from './support/gateway.ts'
import { ask, makeGatewayFolder, readRecords, settled, surviveKills } from './support/survival.ts'

test('predictions survive kills of the gateway at any moment: none lost, none doubled, all picked up at once', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  console.log(`Kills with seed ${seed}.`)
  const { predictions, attempts, pickUpMs } = await surviveKills(seed, 4)
  console.log(
    `${predictions} predictions in ${attempts} attempts; all picked up ${Math.max(...pickUpMs)} ms after the start of the next process at the latest.`,
  )
})

test('a gateway that is stopped while a run ends, and goes on later, takes the output of that very run', async () => {
  const folder = makeGatewayFolder()
  const gateway = await startGateway({ cwd: folder })
  const id = await ask(gateway.url)
  const attempt = await vi.waitFor(async () => {
    const response = await fetch(`${gateway.url}/v1/predictions/${id}/attempts`)
    const [first] = ((await response.json()) as AttemptsJson).attempts
    expect(first?.state).toBe('running')
    return first?.id ?? ''
  }, 120_000)
  gateway.child.kill('SIGSTOP')
  const status = join(folder, '.surefoot/local', attempt, 'status.json')
  await vi.waitFor(
    () => expect(existsSync(status) && JSON.parse(readFileSync(status, 'utf8'))).toMatchObject({ state: 'succeeded' }),
    120_000,
  )
  gateway.child.kill('SIGCONT')
  expect(await settled(gateway.url, id ?? '')).toMatchObject({ status: 'succeeded' })
  gateway.child.kill('SIGTERM')
  await gateway.ended
  expect(await readRecords(folder)).toMatchObject([{ id, attempts: [{ id: attempt, state: 'won' }] }])
})
