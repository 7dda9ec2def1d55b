import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { loadConfig } from './config/load-config.ts'
import type { PredictionJson } from './http/shapes.ts'
import { png } from './http/test-support.ts'
import { openDataFolder } from './open.ts'

test('an opened data folder tells the receivers that its config names of the end, with links to where it listens', async () => {
  const received = Promise.withResolvers<PredictionJson>()
  const receiver = createServer(async (request, response) => {
    received.resolve(JSON.parse(await text(request)))
    response.end()
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => receiver.once('listening', resolve))
  const receiverUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  const cwd = mkdtempSync(join(tmpdir(), 'surefoot-open-'))
  writeFileSync(
    join(cwd, 'surefoot.config.mjs'),
    `export default { port: 0, webhookOrigins: [${JSON.stringify(receiverUrl)}] }`,
  )
  const opened = await openDataFolder(await loadConfig({ cwd, env: {} }), () => {})
  onTestFinished(async () => {
    await opened.close()
    receiver.closeAllConnections()
    await new Promise(resolve => receiver.close(resolve))
    rmSync(cwd, { recursive: true })
  })
  await opened.lock.announce({ url: 'http://127.0.0.1:5555', pid: process.pid, startedAt: 0 })

  const { engine } = opened
  const image = await engine.addFile({
    owner: 'local',
    name: 'dot.png',
    mediaType: 'image/png',
    metadata: {},
    body: Readable.from([png]),
    maxBytes: 1_000,
  })
  const create = (url: string) =>
    engine.create({
      model: 'surefoot/relief',
      owner: 'local',
      source: 'api',
      input: {},
      files: { image },
      cancelAfterMs: null,
      webhook: { url, events: ['completed'] },
    })
  await expect(create('http://127.0.0.1:1/hook')).rejects.toMatchObject({ failure: { code: 'input_invalid' } })
  const { record } = await create(`${receiverUrl}/hook`)
  expect(await received.promise).toMatchObject({
    id: record.id,
    status: 'succeeded',
    urls: { get: `http://127.0.0.1:5555/v1/predictions/${record.id}` },
    output: expect.stringMatching(/^http:\/\/127\.0\.0\.1:5555\/v1\/outputs\//),
  })
})

test.each([
  ['is a file', (data: string) => writeFileSync(data, '')],
  [
    'holds a database that is none',
    (data: string) => {
      mkdirSync(data)
      writeFileSync(join(data, 'surefoot.db'), 'a letter to somebody')
    },
  ],
])('a data folder that %s is refused in one sentence, and can be had afterwards', async (_, prepare) => {
  const cwd = mkdtempSync(join(tmpdir(), 'surefoot-open-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  const data = join(cwd, 'data')
  prepare(data)
  const config = await loadConfig({ cwd, env: { SUREFOOT_DATA: 'data' } })
  await expect(openDataFolder(config, () => {})).rejects.toMatchObject({
    failure: {
      code: 'input_invalid',
      fault: 'config',
      message: expect.stringMatching(/^The data folder \S+ cannot be used: [^\n]+\.$/),
    },
  })
  rmSync(data, { recursive: true })
  await (await openDataFolder(config, () => {})).close()
})
