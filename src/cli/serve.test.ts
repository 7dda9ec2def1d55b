import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openTerminal } from './test-support.ts'

const listening = /listening on (http:\S+)/

test('serves until Ctrl-C, and announces where while it does', async () => {
  const { folder, begin } = await openTerminal()
  const gateway = begin('serve', '--port', '0')
  const [, url = ''] = await gateway.said(listening)
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  const owner = join(folder, '.surefoot/owner.json')
  expect(JSON.parse(readFileSync(owner, 'utf8'))).toMatchObject({ url, pid: process.pid })
  gateway.interrupt()
  expect(await gateway.ended).toMatchObject({ code: 0 })
  expect(existsSync(owner)).toBe(false)
  await expect(fetch(`${url}/healthz`)).rejects.toThrow()
})

test('other commands go through the gateway that has the folder', async () => {
  const { folder, begin, run } = await openTerminal()
  const gateway = begin('serve', '--port', '0')
  const [, url = ''] = await gateway.said(listening)
  expect(await run('predict', 'photo.png', '-o', 'scene.ply')).toMatchObject({ code: 0 })
  expect(readdirSync(folder)).toContain('scene.ply')
  expect((await run('status')).stdout).toMatch(`Gateway  ${url}\n`)
  const list = (await (await fetch(`${url}/v1/predictions`)).json()) as { results: unknown[] }
  expect(list.results).toHaveLength(1)
  gateway.interrupt()
  await gateway.ended
})

test('a second gateway on the same folder is refused in one sentence that names the first', async () => {
  const { begin, run } = await openTerminal()
  const gateway = begin('serve', '--port', '0')
  const [, url = ''] = await gateway.said(listening)
  expect(await run('serve', '--port', '0')).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      `^surefoot: The data folder \\S+ is in use by the process ${process.pid}, which serves ${url}\\. [^\\n]+\\n$`,
    ),
  })
  gateway.interrupt()
  await gateway.ended
})

test('a port that is taken is one sentence, and the folder is given back', async () => {
  const { begin, run } = await openTerminal()
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await new Promise(resolve => other.once('listening', resolve))
  const address = other.address()
  const port = typeof address === 'object' ? String(address?.port) : ''
  expect(await run('serve', '--port', port)).toEqual({
    code: 1,
    stdout: '',
    stderr: `surefoot: Port ${port} on 127.0.0.1 is taken by another program. Stop it, or set another port: --port, SUREFOOT_PORT, or port in the config.\n`,
  })
  const gateway = begin('serve', '--port', '0')
  await gateway.said(listening)
  gateway.interrupt()
  await gateway.ended
})

test('the command line goes before the environment, the environment before the file', async () => {
  const { folder, begin } = await openTerminal({ SUREFOOT_PORT: '0', SUREFOOT_DATA: 'from-environment' })
  writeFileSync(join(folder, 'surefoot.config.mjs'), `export default { port: 1, host: 'localhost', data: 'from-file' }`)
  const gateway = begin('serve', '--data', 'from-command-line')
  const [, url] = await gateway.said(listening)
  await gateway.said(/Config .*surefoot\.config\.mjs/)
  gateway.interrupt()
  await gateway.ended
  expect(url).toMatch(/^http:\/\/localhost:\d{2,}$/)
  expect(readdirSync(folder).filter(name => name.startsWith('from'))).toEqual(['from-command-line'])
})

test('requests are logged where SUREFOOT_LOG asks for them, and not for people', async () => {
  for (const [env, lines] of [
    [{}, 0],
    [{ SUREFOOT_LOG: 'info' }, 1],
  ] as const) {
    const { begin } = await openTerminal(env)
    const gateway = begin('serve', '--port', '0')
    const [, url] = await gateway.said(listening)
    await fetch(`${url}/v1/models`)
    gateway.interrupt()
    const { stderr } = await gateway.ended
    const logged = stderr
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line))
    expect(logged.filter(({ message }) => message === 'request')).toHaveLength(lines)
  }
})

test('--sample runs the bundled photo once, says what came of it and where it is', async () => {
  const { begin } = await openTerminal()
  const first = begin('serve', '--port', '0', '--sample')
  const [, path = ''] = await first.said(
    /^Sample: rocket\.jpg -> [\d,]+ splats, [\d.]+ MB in [\d.]+ s \(preview by relief, not SHARP\): (\S+)$/m,
  )
  expect(readFileSync(path).subarray(0, 4).toString()).toBe('ply\n')
  first.interrupt()
  await first.ended
  const second = begin('serve', '--port', '0', '--sample')
  await second.said(listening)
  second.interrupt()
  expect((await second.ended).stdout).not.toContain('Sample')
})

test('--sample spends nothing at a provider elsewhere', async () => {
  const { folder, begin } = await openTerminal()
  const provider = new URL('../providers/replicate/index.ts', import.meta.url)
  writeFileSync(
    join(folder, 'surefoot.config.mjs'),
    `import { replicate } from ${JSON.stringify(provider.href)}
export default {
  providers: { replicate: replicate({ token: 'none', baseUrl: 'http://127.0.0.1:9/v1' }) },
  deployments: { 'relief@replicate': { target: { model: 'surefoot/relief' } } },
  models: { relief: { route: ['relief@local', 'relief@replicate'] } },
}`,
  )
  const gateway = begin('serve', '--port', '0', '--sample')
  await gateway.said(/Sample: left out, because relief@replicate may cost money\./)
  gateway.interrupt()
  await gateway.ended
})
