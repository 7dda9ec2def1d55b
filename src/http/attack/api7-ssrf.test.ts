import { describe, expect, test } from 'vitest'
import { createDownload } from '../../files/download.ts'
import { createOutsidePost } from '../../files/outside-post.ts'
import { insideUrls } from './test-inside-urls.ts'

/**
 * OWASP API7:2023, server-side request forgery, at the two ways out: what fetches inputs and outputs of providers, and what
 * posts webhooks; through the routes: `ssrf-routes.test.ts`. The forms of addresses one by one: `files/outside-url.test.ts`; redirects and rebinding with servers:
 * `files/download.test.ts`, `files/outside-post.test.ts`.
 */
/** Names that lead inside by what they resolve to, as wildcard DNS services have them. */
const addresses = ['127.0.0.1', '169.254.169.254', '10.0.0.1', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1', 'fd00::1']

const signal = AbortSignal.timeout(20_000)
const noAnswer = async () => []

describe('no address leads inside', () => {
  test.each(insideUrls)('%j', async url => {
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
