import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { setup } from './test-support.ts'

async function withStudio() {
  const outside = mkdtempSync(join(tmpdir(), 'surefoot-studio-'))
  onTestFinished(() => rmSync(outside, { recursive: true }))
  const studio = join(outside, 'dist')
  mkdirSync(join(studio, 'assets', 'deep'), { recursive: true })
  writeFileSync(join(outside, 'secret.svg'), 'secret')
  writeFileSync(join(studio, 'index.html'), '<!doctype html>')
  writeFileSync(join(studio, 'icon.svg'), '<svg/>')
  writeFileSync(join(studio, '.env'), 'secret')
  writeFileSync(join(studio, 'assets', 'page-abc123.js'), 'run()')
  writeFileSync(join(studio, 'assets', 'deep', 'splat-abc123.wasm'), 'wasm')
  symlinkSync(join(outside, 'secret.svg'), join(studio, 'assets', 'link.svg'))
  return setup({ studio })
}

test('serves the page fresh, under a policy that lets the viewer run and nothing else in', async () => {
  const { send } = await withStudio()
  const response = await send('/')
  expect([response.status, await response.text()]).toEqual([200, '<!doctype html>'])
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(response.headers.get('cache-control')).toBe('no-cache')
  const policy = response.headers.get('content-security-policy') ?? ''
  for (const part of [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "frame-ancestors 'none'",
  ])
    expect(policy).toContain(part)
})

test.each([
  ['/assets/page-abc123.js', 'text/javascript; charset=utf-8', 'run()', /immutable/],
  ['/assets/deep/splat-abc123.wasm', 'application/wasm', 'wasm', /immutable/],
  ['/icon.svg', 'image/svg+xml', '<svg/>', /no-cache/],
  ['/index.html', 'text/html; charset=utf-8', '<!doctype html>', /no-cache/],
])('serves %s', async (path, type, text, cache) => {
  const { send } = await withStudio()
  const response = await send(path)
  expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([200, type, text])
  expect(response.headers.get('cache-control')).toMatch(cache)
  const head = await send(path, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, String(text.length), ''])
})

test.each([
  '/assets/none.js',
  '/assets/deep',
  '/assets/link.svg',
  '/assets/..%2f..%2fsecret.svg',
  '/assets/%2e%2e/%2e%2e/secret.svg',
  '/assets/deep/../../../secret.svg',
  '/assets/..%5c..%5csecret.svg',
  '/..%2fsecret.svg',
  '/secret.svg',
  '/.env',
  '/assets/%00',
  '/assets//etc/passwd',
])('%s is not there', async path => {
  const { send } = await withStudio()
  const response = await send(path)
  expect([response.status, await response.json()]).toMatchObject([404, { code: 'not_found' }])
})

test('says in one sentence that the page is not built', async () => {
  const { send } = await setup({ studio: null })
  const response = await send('/')
  expect([response.status, response.headers.get('content-type')]).toEqual([404, 'text/plain; charset=UTF-8'])
  expect(await response.text()).toContain('npm run build')
})
