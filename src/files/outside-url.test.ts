import { describe, expect, it } from 'vitest'
import { parseOutsideUrl, toNameInUrl } from './outside-url.ts'

describe('parseOutsideUrl', () => {
  it.each([
    // Plain
    'http://127.0.0.1/',
    'http://127.0.0.1:8080/x',
    'http://127.255.255.254/',
    'http://10.0.0.1/',
    'http://172.16.0.1/',
    'http://172.31.255.255/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://100.64.0.1/',
    'http://100.127.255.255/',
    'http://0.0.0.0/',
    'http://0.1.2.3/',
    'http://192.0.0.170/',
    'http://192.0.2.1/',
    'http://198.18.0.1/',
    'http://198.51.100.7/',
    'http://203.0.113.9/',
    'http://224.0.0.1/',
    'http://240.0.0.1/',
    'http://255.255.255.255/',
    // Odd forms of 127.0.0.1 and 169.254.169.254
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0x7f.0.0.1/',
    'http://0X7F.0X0.0X0.0X1/',
    'http://017700000001/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://127.0.1/',
    'http://0/',
    'http://127.0.0.1./',
    'http://2852039166/',
    'http://0xa9fea9fe/',
    'http://0251.0376.0251.0376/',
    'http://%31%32%37.0.0.1/',
    'http://１２７.０.０.１/',
    'http://127。0。0。1/',
    'http://①②⑦.0.0.1/',
    'http:127.0.0.1/',
    'http:\\\\127.0.0.1\\',
    '  http://127.0.0.1/  ',
    'h\tttp://127.0.\n0.1/',
    // IPv6
    'http://[::1]/',
    'http://[::]/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::ffff:8.8.8.8]/',
    'http://[::127.0.0.1]/',
    'http://[fe80::1]/',
    'http://[fec0::1]/',
    'http://[fc00::1]/',
    'http://[fd00:ec2::254]/',
    'http://[ff02::1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[64:ff9b:1::1]/',
    'http://[2002:7f00:1::]/',
    'http://[2001:db8::1]/',
    'http://[2001::1]/',
    'http://[3fff::1]/',
    'http://[100::1]/',
    // Not for fetching
    'file:///etc/passwd',
    'ftp://example.com/x',
    'gopher://example.com/',
    'data:text/plain,hello',
    'javascript:alert(1)',
    'blob:http://example.com/1',
    'unix:/var/run/docker.sock',
    // Credentials, which also hide the host from readers
    'http://example.com@127.0.0.1/',
    'http://user:password@example.com/',
    'http://user@example.com/',
    'http://:@[::1]/',
    // Not URLs
    '',
    'example.com/x',
    '//example.com/x',
    'http://',
    'http://[fe80::1%25eth0]/',
    'http://1.2.3.4.5/',
    'http://256.1.1.1/',
    'http://exa mple.com/',
    `http://example.com/${'x'.repeat(9_000)}`,
  ])('refuses %j', text => {
    expect(() => parseOutsideUrl(text, [])).toThrow(
      expect.objectContaining({ failure: expect.objectContaining({ code: 'input_invalid' }) }),
    )
  })

  it.each([
    ['https://example.com/a?b=c', 'https://example.com/a?b=c'],
    ['http://8.8.8.8/x', 'http://8.8.8.8/x'],
    ['http://134744072/', 'http://8.8.8.8/'],
    ['http://[2606:4700::1111]/', 'http://[2606:4700::1111]/'],
    ['HTTPS://EXAMPLE.com:443/', 'https://example.com/'],
    ['http://172.32.0.1/', 'http://172.32.0.1/'],
    ['http://100.128.0.1/', 'http://100.128.0.1/'],
    // Names are looked at when connecting.
    ['http://localhost/', 'http://localhost/'],
  ])('takes %j', (text, href) => {
    expect(parseOutsideUrl(text, [])).toMatchObject({ url: { href }, trusted: false })
  })

  it('lets a trusted origin be private, by scheme, host and port together', () => {
    const trusted = ['http://127.0.0.1:9000/']
    expect(parseOutsideUrl('http://127.0.0.1:9000/x', trusted)).toMatchObject({ trusted: true })
    for (const other of ['http://127.0.0.1:9001/x', 'https://127.0.0.1:9000/x', 'http://127.0.0.2:9000/x'])
      expect(() => parseOutsideUrl(other, trusted)).toThrow('not on the public internet')
  })

  it('never repeats the query or credentials of a refused URL', () => {
    for (const text of ['http://127.0.0.1/a?signature=hush', 'http://x:hush@example.com/', 'hush://hush', 'hush'])
      expect(() => parseOutsideUrl(text, [])).toThrow(/^((?!=hush|x:hush|\/\/hush).)*$/)
  })
})

describe('toNameInUrl', () => {
  it.each([
    ['https://example.com/a/scene.ply?x=1', 'scene.ply'],
    ['https://example.com/Z%C3%BCrich%20am%20See.jpg', 'Zürich am See.jpg'],
    ['https://example.com/', 'file'],
    ['https://example.com', 'file'],
    ['https://example.com/a/..%2f..%2fetc%2fpasswd', '_.._etc_passwd'],
    ['https://example.com/%00%0d%0aSet-Cookie:x', '___Set-Cookie_x'],
    ['https://example.com/%ff%fe.jpg', '%ff%fe.jpg'],
  ])('reads in %j the name %j', (text, name) => {
    expect(toNameInUrl(new URL(text))).toBe(name)
  })
})
