import { expect, test } from 'vitest'
import { createVendorApi, type Vendor } from './vendor-api.ts'

const vendor: Vendor = { name: 'Acme', baseUrl: 'http://127.0.0.1:9', authorization: null }

async function failureOf(response: Response, more: Partial<Vendor> = {}) {
  const api = createVendorApi({ ...vendor, ...more })
  const io = { fetch: async () => response, signal: new AbortController().signal }
  return api.failureOf(await api.ask({ method: 'GET', path: '/jobs?key=secret' }, io))
}

test('a 404 that is no answer of the API leads to the base URL first, one of the API to the target', async () => {
  const page = await failureOf(new Response('<h1>Not Found</h1>', { status: 404 }))
  expect(page).toMatchObject({
    code: 'deployment_missing',
    advice: expect.stringContaining("provider's baseUrl, or else"),
  })
  const told = await failureOf(Response.json({ detail: 'no such job' }, { status: 404 }))
  expect(told.advice).toMatch(/target, or the provider's baseUrl/)
})

test("a vendor's own advice goes before the usual one", async () => {
  const adviceOf: Vendor['adviceOf'] = code => (code === 'auth_rejected' ? 'Set the option.' : undefined)
  const refused = await failureOf(new Response(null, { status: 401 }), { adviceOf })
  const busy = await failureOf(new Response(null, { status: 429 }), { adviceOf })
  expect([refused.advice, busy.advice]).toEqual(['Set the option.', expect.stringContaining('rate limit')])
})

test('a vendor that cannot be reached is named with host and port, and nothing else of the address', async () => {
  const fetch = async () => Promise.reject(new TypeError('failed', { cause: { code: 'ECONNREFUSED' } }))
  const asked = createVendorApi(vendor).ask(
    { method: 'GET', path: '/jobs?key=secret' },
    { fetch, signal: new AbortController().signal },
  )
  await expect(asked).rejects.toMatchObject({
    failure: {
      code: 'provider_unreachable',
      message: 'Acme could not be asked: the connection to 127.0.0.1:9 failed (ECONNREFUSED).',
      advice: expect.stringContaining('check its address'),
    },
  })
})
