import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createLog } from '../../cli/log.ts'
import { createDiskFiles } from '../../files/disk.ts'
import { accessByRoute } from '../access.ts'
import { createLinks, createProviderLinks } from '../links.ts'
import { origin, png, setup } from '../test-support.ts'
import { fill } from '../test-tokens.ts'

/** Characters that end a line or a header, move a cursor, or turn the direction of text. */
const dangerous = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u
const texts = [
  'a\r\nset-cookie: stolen=1',
  'a\nb',
  'a\rb',
  'a\0b',
  '\u001b[2J\u001b]0;owned\u0007',
  '\u009b31mred',
  'a\u0085b',
  'line\u2028and\u2029paragraph',
  'exe\u202egpj.ply',
  'a\u007fb',
  '{"level":"error","message":"forged"}',
  '%0d%0aset-cookie: x',
  'a" onload="x',
]
const traversals = [
  '../surefoot.db',
  '..',
  '.',
  '../../etc/passwd',
  '..%2f..%2fsurefoot.db',
  '%2e%2e%2fsurefoot.db',
  '%252e%252e%252fsurefoot.db',
  '..%5c..%5csurefoot.db',
  '..\\surefoot.db',
  '....//surefoot.db',
  '/etc/passwd',
  '%2fetc%2fpasswd',
  'file:///etc/passwd',
  'C:\\surefoot.db',
  'surefoot.db%00.ply',
  '.env',
  'inputs/../../surefoot.db',
  'a'.repeat(3_000),
]

/** A front that logs as `surefoot serve` does, to a terminal and to a file. */
async function setupLogged() {
  const lines: string[] = []
  const logs = [true, false].map(isTTY => createLog({ isTTY, write: text => void lines.push(text) }, 'info'))
  const front = await setup({
    log: (...entry) => {
      for (const log of logs) log(...entry)
    },
  })
  return { front, lines }
}

/** That nothing of an answer or of the log can do more than be read. */
async function expectPlain(answer: Response, lines: readonly string[]): Promise<void> {
  for (const [name, value] of answer.headers) expect(`${name}: ${value}`).not.toMatch(dangerous)
  expect(answer.headers.has('set-cookie')).toBe(false)
  if (answer.status >= 400) expect(await answer.text()).not.toMatch(dangerous)
  expect(answer.status).not.toBe(500)
  for (const line of lines) expect(line).toMatch(/^[^\p{Cc}\u2028\u2029\u202a-\u202e]+\n$/u)
}

describe.each(texts)('%j stays text', text => {
  test('in the path and the query of every route', async () => {
    const { front, lines } = await setupLogged()
    for (const route of Object.keys(accessByRoute)) {
      const [method = '', path = ''] = route.split(' ')
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, encodeURIComponent(text)] as const)
      const query = new URLSearchParams({
        cursor: text,
        owner: text,
        signature: text,
        expiry: text,
        key: text,
        model: text,
      })
      await expectPlain(await front.send(`${fill(path, Object.fromEntries(names))}?${query}`, { method }), lines)
    }
    expect(lines.length).toBeGreaterThan(20)
  })

  test('in the headers that are read', async () => {
    const { front, lines } = await setupLogged()
    // What no header can carry never gets here: HTTP refuses it.
    const sent = text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '')
    for (const name of ['x-request-id', 'idempotency-key', 'prefer', 'cancel-after', 'range', 'content-digest']) {
      const headers = { 'content-type': 'application/json', [name]: sent }
      await expectPlain(await front.send('/v1/predictions', { method: 'POST', headers, body: '{}' }), lines)
      await expectPlain(await front.send('/v1/predictions', { headers: { [name]: sent } }), lines)
    }
  })

  test('in the name of a file, from its upload to its download', async () => {
    const { front, lines } = await setupLogged()
    const head = `content-disposition: form-data; name="content"; filename*=UTF-8''${encodeURIComponent(text)}`
    const type = `content-type: text/html${text.replaceAll(/[^\x20-\x7e]/g, '')}`
    const body = Buffer.concat([Buffer.from(`--b\r\n${head}\r\n${type}\r\n\r\n`), png, Buffer.from('\r\n--b--\r\n')])
    const headers = { 'content-type': 'multipart/form-data; boundary=b' }
    const stored = await front.send('/v1/files', { method: 'POST', headers, body })
    // The parser of forms takes no name with line ends in it.
    if (/[\r\n]/.test(text)) return expect(stored.status).toBe(422)
    expect(stored.status).toBe(201)
    const { id, name } = (await stored.json()) as { id: string; name: string }
    expect(name).not.toMatch(dangerous)
    expect(name).not.toMatch(/[/\\"<>]/)
    const row = (await front.store.getFile(id)) ?? expect.fail('no file')
    const links = createLinks(front.deps, origin)
    for (const link of [links.download(row), links.input({ ...row, facts: {} })]) {
      const answer = await front.send(link)
      await expectPlain(answer, lines)
      expect([answer.status, (await answer.bytes()).length]).toEqual([200, png.length])
      expect(answer.headers.get('content-security-policy')).toContain('sandbox')
    }
  })

  test('in an input, in a webhook and in the name of a model', async () => {
    const { front, lines } = await setupLogged()
    const image = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
    const bodies = [
      { version: text, input: {} },
      { version: `acme/${text}`, input: {} },
      { version: 'acme/sketch', input: { [text]: 1, image } },
      { version: 'acme/sketch', input: { image }, webhook: text },
      { version: 'acme/sketch', input: { image }, webhook: `https://example.com/${text}` },
      { version: 'acme/sketch', input: { image, title: text }, surefoot: { deployments: [text] } },
    ]
    for (const body of bodies) await expectPlain(await front.post('/v1/predictions', body), lines)
    const webhook = `/v1/webhooks/${encodeURIComponent(text)}/${encodeURIComponent(text)}/x`
    await expectPlain(await front.send(webhook, { method: 'POST', body: text }), lines)
  })
})

describe.each(traversals)('%j leads nowhere', text => {
  test('as any parameter of any route', async () => {
    const front = await setup()
    for (const route of Object.keys(accessByRoute)) {
      const [method = '', path = ''] = route.split(' ')
      // The engine of these tests has a plan, an empty one, for every model.
      if (!path.includes('{') || route === 'GET /v1/models/{owner}/{name}/warm') continue
      for (const value of [encodeURIComponent(text), text.replaceAll('\\', '%5c')]) {
        const { status } = await front.send(
          path.replaceAll(/\{\w+\}/g, () => value),
          { method },
        )
        // A path that the parser of URLs has shortened may be another route's, and that one a list.
        if (value === encodeURIComponent(text) && !/^\.+$/.test(text))
          expect([route, status]).toEqual([route, expect.toSatisfy(is => is >= 400)])
        expect(status).toBeLessThan(500)
      }
    }
  })

  test('as a key or a name that somebody has even got signed', async () => {
    const root = mkdtempSync(join(tmpdir(), 'surefoot-traversal-'))
    onTestFinished(() => rmSync(root, { recursive: true }))
    mkdirSync(join(root, 'files'))
    writeFileSync(join(root, 'surefoot.db'), 'the database')
    writeFileSync(join(root, '.env'), 'the database')
    const front = await setup({ files: createDiskFiles({ directory: join(root, 'files') }) })
    const links = createLinks(front.deps, origin)
    const row = { id: 'f1', key: text, name: 'photo.png', mediaType: 'image/png', bytes: 1, sha256: 'a', facts: {} }
    const signer = createProviderLinks(front.deps.signer, origin)
    const upload = signer.upload('a1', encodeURIComponent(text), front.clock.now() + 60_000) ?? ''
    for (const [link, init] of [
      [links.input(row), {}],
      [links.derivative(encodeURIComponent(text), text), {}],
      [upload, { method: 'PUT', body: 'x' }],
    ] as const) {
      const answer = await front.send(link, init)
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
      expect(await answer.text()).not.toContain('the database')
    }
  })
})
