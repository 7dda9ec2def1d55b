import { expect, test } from 'vitest'
import { inspectPublicUrl } from './public-url.ts'

const gateway = 'http://127.0.0.1:8787'
const publicUrl = 'https://gateway.example'
const link = '/v1/inputs/photo.jpg?expiry=1&signature=x'

/** A gateway with one prediction, and what stands at the public URL. */
function networkWith(outside: (path: string) => Response, results: object[] = [prediction]): typeof globalThis.fetch {
  return async url => {
    const { origin, pathname, search } = new URL(String(url))
    if (origin === publicUrl) return outside(pathname + search)
    return pathname === '/v1/predictions' ? Response.json({ results }) : new Response('the photo')
  }
}

const prediction = { output: null, input: { image: gateway + link, steps: 3 } }
const ours = (path: string) =>
  path === link ? new Response('the photo') : Response.json({ code: 'input_invalid' }, { status: 404 })

async function levels(fetch: typeof globalThis.fetch, at: string | null = gateway): Promise<string[]> {
  return (await inspectPublicUrl(publicUrl, at, fetch, null)).map(({ level }) => level)
}

test('leads to the gateway when its signed links and webhooks do', async () => {
  expect(await levels(networkWith(ours))).toEqual(['ok', 'ok'])
  expect(await levels(networkWith(ours, []))).toEqual(['ok'])
})

test('does not when another gateway answers, or somebody else', async () => {
  const other = (path: string) => Response.json({ code: 'link_forged' }, { status: path === link ? 403 : 404 })
  expect(await levels(networkWith(other))).toEqual(['problem', 'ok'])
  expect(await levels(networkWith(() => new Response('<html>', { status: 404 })))).toEqual(['problem', 'problem'])
})

test('does not when nobody answers', async () => {
  const gone = networkWith(() => {
    throw new TypeError('fetch failed')
  })
  expect(await levels(gone)).toEqual(['problem'])
})

test('cannot be seen without a gateway, and need not be there', async () => {
  expect(await levels(networkWith(ours), null)).toEqual(['warning'])
  expect((await inspectPublicUrl(null, gateway, networkWith(ours), null)).map(({ level }) => level)).toEqual(['ok'])
})
