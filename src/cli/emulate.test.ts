import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { faultNames } from '../emulators/index.ts'
import { openTerminal } from './test-support.ts'

test('serves the API until Ctrl-C and prints the config that leads to it', async () => {
  const { begin } = await openTerminal()
  const emulator = begin('emulate', 'replicate', '--port', '0', '--work', 'echo', '--fault', 'create-402*1')
  await emulator.said(/^Faults: create-402\*1$/m)
  const [, baseUrl = ''] = await emulator.said(/replicate\(\{ token: 'anything', baseUrl: '(\S+)' \}\)/)
  const response = await fetch(`${baseUrl}/models/surefoot/relief/predictions`, {
    method: 'POST',
    headers: { authorization: 'Bearer anything', 'content-type': 'application/json' },
    body: JSON.stringify({ input: {} }),
  })
  expect(response.status).toBe(402)
  emulator.interrupt()
  expect(await emulator.ended).toMatchObject({ code: 0, stderr: '' })
  await expect(fetch(baseUrl)).rejects.toThrow()
})

test("serves RunPod's API as well, with the faults that can happen there", async () => {
  const { begin } = await openTerminal()
  const emulator = begin('emulate', 'runpod', '--port', '0', '--work', 'echo', '--fault', 'create-402')
  const [, baseUrl = ''] = await emulator.said(/runpod\(\{ apiKey: 'anything', baseUrl: '(\S+)' \}\)/)
  const body = JSON.stringify({ input: {} })
  const response = await fetch(`${baseUrl}/relief/run`, { method: 'POST', headers: { authorization: 'any' }, body })
  expect(response.status).toBe(402)
  emulator.interrupt()
  expect(await emulator.ended).toMatchObject({ code: 0, stderr: '' })
})

test("RunPod's jobs wait for a worker of the vendor's SDK where that is asked for, and nobody else's do", async () => {
  const { begin, run } = await openTerminal()
  const emulator = begin('emulate', 'runpod', '--port', '0', '--work', 'sdk')
  const [, baseUrl = ''] = await emulator.said(/RUNPOD_WEBHOOK_GET_JOB='(\S+)\/relief\/job-take\/\$ID\?gpu=none'/)
  const headers = { authorization: 'any' }
  const body = JSON.stringify({ input: { text: 'hi' } })
  const { id } = (await (await fetch(`${baseUrl}/relief/run`, { method: 'POST', headers, body })).json()) as {
    id: string
  }
  const taken = await fetch(`${baseUrl}/relief/job-take/worker1?gpu=none&job_in_progress=0`, { headers })
  expect(await taken.json()).toMatchObject({ id, input: { text: 'hi' } })
  emulator.interrupt()
  expect(await emulator.ended).toMatchObject({ code: 0, stderr: '' })
  expect(await run('emulate', 'cog', '--work', 'sdk')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('takes no workers of yours'),
  })
})

test("serves Baseten's API, with a model's address in the path", async () => {
  const { begin } = await openTerminal()
  const emulator = begin('emulate', 'baseten', '--port', '0', '--work', 'echo', '--fault', 'create-402')
  const [, baseUrl = ''] = await emulator.said(/baseten\(\{ apiKey: 'anything', mode: 'held', baseUrl: '(\S+)' \}\)/)
  const url = `${baseUrl}/model-relief/production/predict`
  const response = await fetch(url, { method: 'POST', headers: { authorization: 'Api-Key any' }, body: '{}' })
  expect(response.status).toBe(402)
  emulator.interrupt()
  expect(await emulator.ended).toMatchObject({ code: 0, stderr: '' })
})

test('serves a Cog server, and a service of Koyeb that sleeps at first', async () => {
  const { begin } = await openTerminal()
  const server = begin('emulate', 'cog', '--port', '0', '--work', 'echo', '--boot-ms', '0')
  const [, cogUrl = ''] = await server.said(/cog\(\{ mode: 'held', baseUrl: '(\S+)' \}\)/)
  expect(await (await fetch(`${cogUrl}/health-check`)).json()).toMatchObject({ status: 'READY' })
  server.interrupt()
  expect(await server.ended).toMatchObject({ code: 0, stderr: '' })

  const service = begin('emulate', 'koyeb', '--port', '0', '--work', 'echo')
  const [, koyebUrl = ''] = await service.said(/koyeb\(\{ mode: 'held', baseUrl: '(\S+)' \}\)/)
  expect((await fetch(`${koyebUrl}/health-check`)).status).toBe(503)
  service.interrupt()
  expect(await service.ended).toMatchObject({ code: 0, stderr: '' })
})

test('a fault of another provider is a slip, and --faults with a provider prints its own', async () => {
  const { run } = await openTerminal()
  const slip = await run('emulate', 'runpod', '--fault', 'aborted')
  expect(slip).toMatchObject({ code: 2, stderr: expect.stringContaining(`RunPod's API has no fault "aborted"`) })
  const { stdout } = await run('emulate', 'runpod', '--faults')
  expect(stdout).toContain('crash-loop')
  expect(stdout).not.toContain('upload-503')
})

test('--faults prints every fault', async () => {
  const { run } = await openTerminal()
  const { code, stdout } = await run('emulate', '--faults')
  expect(code).toBe(0)
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map(line => line.split(/[@ ]/)[0]),
  ).toEqual(faultNames)
})

test('a port that is taken is one sentence', async () => {
  const { run } = await openTerminal()
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await new Promise(resolve => other.once('listening', resolve))
  const address = other.address()
  const port = typeof address === 'object' ? String(address?.port) : ''
  const { code, stderr } = await run('emulate', 'replicate', '--port', port)
  expect(code).toBe(1)
  expect(stderr).toMatch(new RegExp(`^surefoot: Port ${port} cannot be had: [^\\n]+ Use another --port\\.\\n$`))
})
