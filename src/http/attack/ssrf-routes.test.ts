import { describe, expect, test } from 'vitest'
import { setupGateway } from '../test-gateway.ts'
import { png } from '../test-support.ts'
import { insideUrls } from './test-inside-urls.ts'

/** OWASP API7:2023 once more, through the real routes and engine: inputs, webhooks and what a provider calls its output. */
const photo = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
const path = '/v1/models/acme/sketch/predictions'

async function stage() {
  const gateway = await setupGateway()
  const post = (body: object, headers: object = {}) =>
    gateway.app().fetch(
      new Request(gateway.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
    )
  const count = async () => {
    const answer = await gateway.app().fetch(new Request(`${gateway.url}/v1/predictions`))
    return ((await answer.json()) as { results: unknown[] }).results.length
  }
  return { gateway, post, count }
}

describe('nothing inside is asked for', () => {
  test('by the address of an input', async () => {
    const { post, count } = await stage()
    for (const image of insideUrls.filter(url => !url.includes('@example.com'))) {
      const answer = await post({ input: { image } })
      expect([image, answer.status]).toEqual([image, 422])
    }
    expect(await count()).toBe(0)
  })

  test('by the address of a webhook', async () => {
    const { post, count } = await stage()
    for (const webhook of insideUrls.filter(url => !url.includes('@example.com'))) {
      const answer = await post({ input: { image: photo }, webhook })
      expect([webhook, answer.status]).toEqual([webhook, 422])
    }
    expect(await count()).toBe(0)
  })

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:127.0.0.1]/',
    'file:///etc/passwd',
    'http://0x7f.1/',
  ])('by what a provider calls its output: %s', async url => {
    const { gateway, post } = await stage()
    gateway.succeedAt(`${url}?signature=very-secret`)
    const answer = await post({ input: { image: photo } }, { prefer: 'wait=60', 'cancel-after': '4s' })
    const text = await answer.text()
    expect(JSON.parse(text)).toMatchObject({ output: null })
    expect(JSON.parse(text).status).not.toBe('succeeded')
    expect(text).not.toContain('very-secret')
  })
})
