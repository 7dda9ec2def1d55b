import { expect, onTestFinished, test } from 'vitest'
import { startPostgres } from '../../test/support/postgres.ts'
import type { SurefootJson } from '../http/shapes.ts'
import { describeFollowed } from './status.ts'
import { openTerminal } from './test-support.ts'

test('with a database that processes share, nobody is said not to serve', async () => {
  const server = await startPostgres()
  onTestFinished(server.close)
  const { run } = await openTerminal({ SUREFOOT_DATABASE_URL: server.url })
  const { code, stdout, stderr } = await run('status')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^Gateway {2}not known; any process on this database may serve, .*\nData .*\nRunning {2}0\n$/)
})

test('predictions that have ended but are not settled are counted as followed', () => {
  const prediction = (status: 'processing' | 'failed', settled: boolean) => ({
    status,
    surefoot: { settled } as SurefootJson,
  })
  const others = [prediction('processing', false), prediction('failed', true)]
  expect(describeFollowed(others)).toBe('')
  expect(describeFollowed([...others, prediction('failed', false)])).toBe(', ended but still being followed: 1')
})
