import { expect, test } from 'vitest'
import type { Io } from '../contract.ts'
import { replicate } from './index.ts'

const version = 'a'.repeat(64)

/** A vendor that has these paths and no others; the token is `good`. */
function vendorWith(...paths: readonly string[]): Io & { readonly asked: string[] } {
  const asked: string[] = []
  const answer = (status: number, body: object) => Response.json(body, { status })
  return {
    asked,
    signal: new AbortController().signal,
    async fetch(url, init) {
      const path = new URL(String(url)).pathname.replace('/v1', '')
      asked.push(`${init?.method} ${path}`)
      if (new Headers(init?.headers).get('authorization') !== 'Bearer good')
        return answer(401, { title: 'Unauthenticated', detail: 'You did not pass a valid authentication token' })
      if (path === '/account') return answer(200, { type: 'user', username: 'ada' })
      return paths.includes(path)
        ? answer(200, {})
        : answer(404, { detail: 'The requested resource could not be found.' })
    },
  }
}

test.each([
  [{ version: `owner/name:${version}` }, `/models/owner/name/versions/${version}`],
  [{ model: 'owner/name' }, '/models/owner/name'],
  [{ deployment: 'owner/name' }, '/deployments/owner/name'],
])('%j is looked up, and nothing is started', async (target, path) => {
  const provider = replicate({ token: 'good' })
  const there = vendorWith(path)
  const levels = async (io: Io) => (await provider.check?.(provider.parseTarget(target), io))?.map(({ level }) => level)
  expect(await levels(there)).toEqual(['ok', 'ok'])
  expect(there.asked).toEqual(['GET /account', `GET ${path}`])
  expect(await levels(vendorWith())).toEqual(['ok', 'problem'])
})

test('a version without its model is not looked up', async () => {
  const provider = replicate({ token: 'good' })
  const io = vendorWith()
  expect(await provider.check?.(provider.parseTarget({ version }), io)).toMatchObject([
    { level: 'ok' },
    { level: 'ok' },
  ])
  expect(io.asked).toEqual(['GET /account'])
})

test('a token that is refused is told as such', async () => {
  const provider = replicate({ token: 'bad' })
  const asked = provider.check?.(provider.parseTarget({ model: 'owner/name' }), vendorWith())
  await expect(asked).rejects.toMatchObject({ failure: { code: 'auth_rejected' } })
})
