import { expect, test } from 'vitest'
import { openTerminal } from './test-support.ts'

test('worker without a database says what it needs, and exit code 1', async () => {
  const { run } = await openTerminal()
  const { code, stdout, stderr } = await run('worker')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(
    /^surefoot: A worker needs a database that processes can share\. [^\n]*SUREFOOT_DATABASE_URL[^\n]*\n$/,
  )
})

test('worker with a database that is not there says so, and exit code 1', async () => {
  const { run } = await openTerminal({ SUREFOOT_DATABASE_URL: 'postgres://surefoot:secret@127.0.0.1:1/surefoot' })
  const { code, stderr } = await run('worker')
  expect(code).toBe(1)
  expect(stderr).toMatch(/^surefoot: PostgreSQL is not available: [^\n]*ECONNREFUSED[^\n]*\n$/)
  expect(stderr).not.toContain('secret')
})
