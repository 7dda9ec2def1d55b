import { describe, expect, test } from 'vitest'
import { createDownload } from '../../files/download.ts'
import { createOutsidePost } from '../../files/outside-post.ts'

/**
 * OWASP API7:2023, server-side request forgery, at the two ways out: what fetches inputs and outputs of providers, and what
 * posts webhooks. The forms of addresses one by one: `files/outside-url.test.ts`; redirects and rebinding with servers:
 * `files/download.test.ts`, `files/outside-post.test.ts`.
 */
const urls: readonly string[] = [
  // Metadata of clouds: AWS, Azure, DigitalOcean, Google; AWS by IPv6; Alibaba; Oracle; AWS ECS; Kubernetes; Azure's wire server
  'http://169.254.169.254/latest/meta-data/iam/security-credentials/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://100.100.100.200/latest/meta-data/',
  'http://192.0.0.192/latest/',
  'http://169.254.170.2/v2/credentials/',
  'http://10.96.0.1/api/v1/secrets',
  // Forms of addresses
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0xA9.0xFE.0xA9.0xFE/',
  'http://0251.0376.0251.0376/',
  'http://0251.254.0xa9.254/',
  'http://169.254.43518/',
  'http://169.16689662/',
  'http://127.1/',
  'http://0/',
  'http://127.0.0.1./',
  'http://127.0.0.1:22/',
  'http://127.0.0.1:6379/',
  'http://%31%32%37.0.0.1/',
  'http://１２７.０.０.１/',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  // IPv6
  'http://[::1]/',
  'http://[::]/',
  'http://[::ffff:169.254.169.254]/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://[0:0:0:0:0:ffff:7f00:1]/',
  'http://[::169.254.169.254]/',
  'http://[64:ff9b::169.254.169.254]/',
  'http://[64:ff9b:1::a9fe:a9fe]/',
  'http://[2002:a9fe:a9fe::1]/',
  'http://[2001:0:a9fe:a9fe::1]/',
  'http://[fe80::1%25eth0]/',
  'http://[fe80::1]/',
  'http://[fc00::1]/',
  'http://[ff02::1]/',
  // Who is the host?
  'http://example.com@127.0.0.1/',
  'http://127.0.0.1@example.com/',
  'http://example.com:80@169.254.169.254/',
  'http:\\\\127.0.0.1\\',
  'http:127.0.0.1/',
  'http://127.0.0.1#@example.com/',
  'http://127.0.0.1?@example.com/',
  'http://127.0.0.1\t/',
  'http://127.0.\r\n0.1/',
  // Not HTTP
  'file:///etc/passwd',
  'file://127.0.0.1/etc/passwd',
  'gopher://127.0.0.1:6379/_FLUSHALL',
  'dict://127.0.0.1:11211/stats',
  'ftp://127.0.0.1/',
  'ldap://127.0.0.1/',
  'jar:http://127.0.0.1!/',
  'ws://127.0.0.1/',
  'blob:http://127.0.0.1/1',
  'javascript:fetch(1)',
]

/** Names that lead inside by what they resolve to, as wildcard DNS services have them. */
const addresses = ['127.0.0.1', '169.254.169.254', '10.0.0.1', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1', 'fd00::1']

const signal = AbortSignal.timeout(20_000)
const noAnswer = async () => []

describe('no address leads inside', () => {
  test.each(urls)('%j', async url => {
    const refused = expect.objectContaining({ failure: expect.objectContaining({ code: 'input_invalid' }) })
    const download = createDownload({ resolve: noAnswer })
    await expect(download(url, { maxBytes: 1, trustedOrigins: [], signal })).rejects.toEqual(refused)
    const outside = createOutsidePost({ trustedOrigins: [], resolve: noAnswer })
    expect(() => outside.check(url)).toThrow(refused)
    await expect(outside.post(url, { headers: {}, body: '{}', signal })).rejects.toEqual(refused)
  })

  test.each(addresses)('nor does a name that resolves to %s, alone', async address => {
    const refused = expect.objectContaining({ failure: expect.objectContaining({ code: 'input_invalid' }) })
    const resolve = async () => [{ address, family: address.includes(':') ? 6 : 4 }]
    const url = 'http://127.0.0.1.nip.example/'
    const download = createDownload({ resolve })
    await expect(download(url, { maxBytes: 1, trustedOrigins: [], signal })).rejects.toEqual(refused)
    const outside = createOutsidePost({ trustedOrigins: [], resolve })
    await expect(outside.post(url, { headers: {}, body: '{}', signal })).rejects.toEqual(refused)
  })
})
