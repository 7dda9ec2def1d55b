import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openSqliteStore } from '../store/sqlite.ts'
import { sampleChange, samplePrediction } from '../testing/sample-records.ts'
import { openTerminal } from './test-support.ts'

/** A data folder with a prediction whose webhook about the end is dead. */
async function setup() {
  const terminal = await openTerminal()
  mkdirSync(join(terminal.folder, '.surefoot'))
  const store = await openSqliteStore({ path: join(terminal.folder, '.surefoot', 'surefoot.db') })
  const [event, nobody] = ['completed', 'http://127.0.0.1:1/hook?key=secret'] as const
  const entry = { id: 'e1', event, at: 2_000, tries: 8, nextAt: 2_000, pending: null, state: 'dead' } as const
  const webhook = { url: nobody, events: [event], queue: [entry] }
  const ended = { status: 'canceled', completedAt: 2_000, settledAt: 2_000 } as const
  await store.commit([sampleChange(samplePrediction({ id: 'p1', webhook, ...ended }), { nextAt: null })])
  await store.close()
  return terminal
}

describe('surefoot webhooks', () => {
  test('lists those that could not be delivered, without what may be secret in their addresses', async () => {
    const { run } = await setup()
    const { code, stdout } = await run('webhooks', '--dead')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^p1 +completed +dead +8 +http:\/\/127\.0\.0\.1:1\n/m)])
    expect(stdout).not.toContain('secret')
  })

  test('sends them again', async () => {
    const { run } = await setup()
    const { code, stdout } = await run('webhooks', 'resend', 'p1', '--json')
    expect([code, JSON.parse(stdout)]).toMatchObject([0, [{ prediction: 'p1', state: 'waiting', event: 'completed' }]])
  })

  test.each([
    ['another verb', ['send', 'p1'], 2],
    ['resend without a prediction', ['resend'], 2],
    ['a prediction that is not there', ['resend', 'p2'], 1],
  ])('%s is refused', async (_, args, expected) => {
    const { run } = await setup()
    const { code, stderr } = await run('webhooks', ...args)
    expect([code, stderr.trim().split('\n').length]).toEqual([expected, expect.any(Number)])
    expect(stderr).not.toBe('')
  })
})
