import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { PredictionJson } from '../src/http/shapes.ts'
import type { Plan } from '../src/providers/local/test-sharp.ts'
import { makeFolder, root, startGateway } from './support/gateway.ts'

const photo = readFileSync(join(root, 'examples/photos/rocket.jpg'))

/** A gateway whose PATH leads to a stand-in for Apple's `sharp` (see `test-sharp.ts`), and a prediction of it. */
async function predict(ends: Plan['ends'], policy: object = {}) {
  const folder = makeFolder()
  const [command, plan, note] = [join(folder, 'sharp'), join(folder, 'plan.json'), join(folder, 'note.json')]
  writeFileSync(plan, JSON.stringify({ ends, note } satisfies Plan))
  const standIn = join(root, 'src/providers/local/test-sharp.ts')
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${standIn}" "${plan}" "$@"\n`)
  chmodSync(command, 0o755)
  const config = { deployments: { 'sharp@local': {} }, models: { sharp: { route: ['sharp@local'], policy } } }
  writeFileSync(join(folder, 'surefoot.config.mjs'), `export default ${JSON.stringify(config)}`)
  const env = { PATH: `${folder}${delimiter}${process.env.PATH}`, A_SECRET: 'hidden' }
  const { url } = await startGateway({ cwd: folder, env })
  const created = await fetch(`${url}/v1/models/surefoot/sharp/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: { image: `data:image/jpeg;base64,${photo.toString('base64')}` } }),
  })
  const { id } = (await created.json()) as PredictionJson
  const prediction = await vi.waitFor(
    async () => {
      const seen = (await (await fetch(`${url}/v1/predictions/${id}`)).json()) as PredictionJson
      expect(seen.surefoot.settled).toBe(true)
      return seen
    },
    { timeout: 120_000, interval: 100 },
  )
  return { prediction, given: JSON.parse(readFileSync(note, 'utf8')) as { pid: number; env: string[] } }
}

test('sharp on the PATH makes a verified splat, under its licence, and is told no secrets', async () => {
  const { prediction, given } = await predict('well')
  expect(prediction.status).toBe('succeeded')
  expect(prediction.surefoot.notice).toContain('research purposes only')
  expect(await (await fetch(String(prediction.output))).text()).toMatch(/^ply\n/)
  expect(given.env).not.toContain('A_SECRET')
})

test('one that hangs is ended as stalled, and is gone', async () => {
  const { prediction, given } = await predict('waits', { attempts: 1, stallMs: 5_000 })
  expect([prediction.status, prediction.surefoot.failure?.code]).toEqual(['failed', 'stalled'])
  // Also of one that has ended and whose end nobody has asked for yet.
  await vi.waitFor(() => expect(commandOf(given.pid)).toBe(''), { timeout: 20_000 })
})

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
