import { expect, test } from 'vitest'
import { makeFolder, startGateway, surefoot } from './support/gateway.ts'

test('a first signal makes it not ready while it serves on, and a second one ends it at once', async () => {
  const cwd = makeFolder()
  const gateway = surefoot(['serve', '--port', '0', '--drain', '600'], { cwd })
  const [, url = ''] = await gateway.said(/listening on (\S+)/)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  gateway.child.kill('SIGTERM')
  await gateway.said(/Stopping/)
  expect([(await fetch(`${url}/readyz`)).status, (await fetch(`${url}/v1/models`)).status]).toEqual([503, 200])
  // One and the same Ctrl-C may come twice within 300 ms, so a signal is repeated until it counts as the second.
  const again = setInterval(() => gateway.child.kill('SIGTERM'), 100)
  expect(await gateway.ended.finally(() => clearInterval(again))).toMatchObject({ code: 130 })
})

test('what a process says of itself in JSON is what the log and the metrics of docs/operating.md promise', async () => {
  const cwd = makeFolder()
  const gateway = await startGateway({ cwd, env: { SUREFOOT_LOG: 'info', SUREFOOT_LOG_FORMAT: 'json' } })
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  expect(metrics).toMatch(/^surefoot_store_up 1$/m)
  expect(metrics).toMatch(/^surefoot_engine_lease_left_seconds \d/m)
  gateway.child.kill('SIGTERM')
  const { code, stderr } = await gateway.ended
  const lines = stderr.split('\n').filter(line => line.startsWith('{'))
  expect(code).toBe(0)
  expect(lines.map(line => JSON.parse(line) as unknown)).toContainEqual(
    expect.objectContaining({ level: 'info', message: 'request', route: '/metrics', status: 200 }),
  )
})
