import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sampleAttempt } from '../../testing/sample-records.ts'
import { createLinks, createProviderLinks } from '../links.ts'
import { origin, png, setup } from '../test-support.ts'
import { addToken } from '../test-tokens.ts'

const kinds = ['file', 'output', 'input', 'upload', 'content'] as const
type Kind = (typeof kinds)[number]

/** What is PUT once, and then refused as there already. */
function isUpload(kind: Kind): boolean {
  return kind === 'upload' || kind === 'content'
}

/** A front with one link of each kind, all good, and what the owner of none of them could want instead. */
async function setupLinks() {
  const front = await setup({ access: { tokensRequired: true } })
  const { id: owner, headers } = await addToken(front)
  const form = new FormData()
  form.set('content', new File([png], 'Photo of Ann.png', { type: 'image/png' }))
  const { id } = (await (await front.send('/v1/files', { method: 'POST', body: form, headers })).json()) as {
    id: string
  }
  const row = (await front.store.getFile(id)) ?? expect.fail('no file')
  const output = { ...row, name: 'scene 1.ply', facts: {} }
  await front.add({
    id: 'p1',
    status: 'succeeded',
    completedAt: 1,
    owner,
    output,
    attempts: [sampleAttempt({ id: 'a1' })],
  })
  await front.add({
    id: 'p2',
    status: 'succeeded',
    completedAt: 1,
    owner,
    output,
    attempts: [sampleAttempt({ id: 'a2' })],
  })
  const { record } = (await front.store.get('p1')) ?? expect.fail('no prediction')
  const links = createLinks(front.deps, origin)
  const until = front.clock.now() + 3_600_000
  const place = { owner, name: 'photo.png', mediaType: 'image/png', metadata: {}, maxBytes: 9, bytes: 5 }
  const pending = await front.deps.engine.addPlace(place)
  const all: Readonly<Record<Kind, string>> = {
    file: links.download(row),
    output: links.output(record) ?? '',
    input: links.input({ ...row, facts: {} }),
    upload: createProviderLinks(front.deps.signer, origin).upload('a1', 'scene.ply', until) ?? '',
    content: links.content(pending.id, pending.until),
  }
  const ask = async (kind: Kind, link: string) => {
    const put = { method: 'PUT', body: 'splat', headers: { 'content-type': 'image/png' } }
    const answer = await front.send(link, isUpload(kind) ? put : { method: 'GET' })
    await answer.bytes()
    return answer
  }
  return { front, all, ask }
}

/** What a link asks for, however it is spelled: its path, and the values that its route reads. */
function meaningOf(link: string): string {
  const { pathname, searchParams } = new URL(link)
  const read = ['owner', 'key', 'expiry', 'expires', 'signature'].map(name => searchParams.getAll(name))
  return JSON.stringify([pathname.split('/').map(decode), read])
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const letters = [
  ...'aA0_-.~%/?&=+;#:@\\ \'"<>\0é²１',
  '%00',
  '%2e',
  '%2f',
  '%5c',
  '%0d%0a',
  '../',
  './',
  '//',
  '%25',
  '🖼',
]
const change = fc.oneof(
  { arbitrary: fc.record({ how: fc.constant('replace' as const), by: fc.constantFrom(...letters) }), weight: 4 },
  { arbitrary: fc.record({ how: fc.constant('insert' as const), by: fc.constantFrom(...letters) }), weight: 2 },
  { arbitrary: fc.record({ how: fc.constantFrom('remove', 'case', 'encode', 'cut'), by: fc.constant('') }), weight: 4 },
)

/** A link changed at one place behind its origin. */
function changed(link: string, at: number, { how, by }: { readonly how: string; readonly by: string }): string {
  const place = origin.length + 1 + (at % (link.length - origin.length - 1))
  const [before, letter, after] = [link.slice(0, place), link[place] ?? '', link.slice(place + 1)]
  const other = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()
  const encoded = `%${letter.charCodeAt(0).toString(16)}`
  const instead = { replace: by, insert: by + letter, remove: '', case: other, encode: encoded, cut: '' }[how] ?? ''
  return before + instead + (how === 'cut' ? '' : after)
}

test.each(kinds)('a link (%s) that is changed anywhere, and means something else then, opens nothing', async kind => {
  const { all, ask } = await setupLinks()
  const link = all[kind]
  await fc.assert(
    fc.asyncProperty(fc.nat(10_000), change, fc.boolean(), async (at, how, isTwice) => {
      const first = changed(link, at, how)
      const tampered = isTwice ? changed(first, at * 7, how) : first
      if (!URL.canParse(tampered)) return
      const same = meaningOf(tampered) === meaningOf(link)
      const { status } = await ask(kind, tampered)
      if (!same) expect([tampered, status]).toEqual([tampered, expect.toSatisfy(is => is >= 400 && is < 500)])
      else if (!isUpload(kind)) expect([tampered, status]).toEqual([tampered, 200])
    }),
    { numRuns: 1_500 },
  )
  expect((await ask(kind, link)).ok || isUpload(kind)).toBe(true)
})

describe.each(kinds)('a link (%s)', kind => {
  const expiryOf = (url: URL) => (url.searchParams.has('expires') ? 'expires' : 'expiry')
  const cases: readonly [string, (url: URL) => void][] = [
    ['that ends later', url => url.searchParams.set(expiryOf(url), '9999999999')],
    ['whose end is written with a point', url => url.searchParams.append(expiryOf(url), '.0')],
    ['whose end is padded', url => pad(url, value => `0${value}`)],
    ['whose end is hexadecimal', url => pad(url, value => `0x${Number(value).toString(16)}`)],
    ['whose end is a power', url => pad(url, value => `${value}e0`)],
    ['whose end has a blank', url => pad(url, value => ` ${value}`)],
    ['whose end has a sign', url => pad(url, value => `+${value}`)],
    ['whose end is no number', url => pad(url, () => 'NaN')],
    ['whose end is endless', url => pad(url, () => 'Infinity')],
    ['with its end twice', url => url.searchParams.append(expiryOf(url), url.searchParams.get(expiryOf(url)) ?? '')],
    ['with its signature twice', url => url.searchParams.append('signature', url.searchParams.get('signature') ?? '')],
    ['with a false signature behind the good one', url => url.searchParams.append('signature', 'x')],
    ['with its signature under another key', url => rename(url, 'signature', 'Signature')],
    ['with its signature as a list', url => rename(url, 'signature', 'signature[]')],
    ['with its signature in upper case', url => sign(url, text => text.toUpperCase())],
    ['with its signature in lower case', url => sign(url, text => text.toLowerCase())],
    ['with its signature padded', url => sign(url, text => `${text}=`)],
    ['with its signature in hex', url => sign(url, text => Buffer.from(text, 'base64url').toString('hex'))],
    ['with its signature in plain base64', url => sign(url, text => `${text.replace(/[-_]/g, '/')}=`)],
    ['with another last letter that decodes to the same', url => sign(url, sameBits)],
    ['with a signature of nothing', url => sign(url, () => '')],
    ['with a signature of zeros', url => sign(url, () => 'A'.repeat(43))],
    [
      'of another prediction, file or attempt',
      url => (url.pathname = url.pathname.replace(/p1|a1|file\d|Photo/, 'p2')),
    ],
    ['of another name', url => (url.pathname += '.txt')],
    ['with a path behind it', url => (url.pathname += '/x')],
    ['with a slash behind it', url => (url.pathname += '/')],
    ['in upper case', url => (url.pathname = url.pathname.toUpperCase())],
    ['encoded twice', url => (url.pathname = url.pathname.replace(/.$/, '%2565'))],
    ['without its query', url => (url.search = '')],
  ]

  test.each(cases)('%s is refused', async (_, tamper) => {
    const { all, ask } = await setupLinks()
    const url = new URL(all[kind])
    tamper(url)
    expect([401, 403, 422]).toContain((await ask(kind, url.href)).status)
  })

  test('of another kind does not open it, nor does any of another owner, key or secret', async () => {
    const { front, all, ask } = await setupLinks()
    for (const other of kinds) {
      if (other === kind) continue
      const url = new URL(all[kind])
      const [mine, theirs] = [url.searchParams, new URL(all[other]).searchParams]
      for (const name of mine.keys()) {
        const value = theirs.get(name) ?? theirs.get(name === 'expires' ? 'expiry' : 'expires')
        if (value !== null) mine.set(name, value)
      }
      expect((await ask(kind, url.href)).status).toBe(403)
    }
    for (const name of ['owner', 'key']) {
      const url = new URL(all[kind])
      if (!url.searchParams.has(name)) continue
      url.searchParams.set(name, name === 'owner' ? 'nobody' : '../surefoot.db')
      expect((await ask(kind, url.href)).status).toBe(403)
    }
    await front.clock.advance(3 * 3_600_000)
    expect((await ask(kind, all[kind])).status).toBe(403)
  })
})

function pad(url: URL, to: (value: string) => string): void {
  const name = url.searchParams.has('expires') ? 'expires' : 'expiry'
  url.searchParams.set(name, to(url.searchParams.get(name) ?? ''))
}

function sign(url: URL, to: (signature: string) => string): void {
  url.searchParams.set('signature', to(url.searchParams.get('signature') ?? ''))
}

function rename(url: URL, from: string, to: string): void {
  url.searchParams.set(to, url.searchParams.get(from) ?? '')
  url.searchParams.delete(from)
}

/** 43 letters carry 258 bits, two more than a digest has. */
function sameBits(signature: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return signature.slice(0, -1) + alphabet[alphabet.indexOf(signature.slice(-1)) ^ 1]
}
