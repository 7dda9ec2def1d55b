import { expect, it } from 'vitest'
import { createSigner } from './signing.ts'

const secret = 'a secret of the test'
const signer = createSigner(secret)

it('takes a signature as good until its end and as expired from then on', () => {
  const signature = signer.sign(['PUT', 'attempt', 'scene.ply'], 5_000)
  const verify = (now: number) => signer.verify(['PUT', 'attempt', 'scene.ply'], 5_000, signature, now)
  expect([verify(0), verify(4_999), verify(5_000), verify(9_000)]).toEqual(['good', 'good', 'expired', 'expired'])
})

it('makes signatures that need no escaping in a URL', () => {
  expect(signer.sign(['GET', 'ä/?&='], 1)).toMatch(/^[A-Za-z0-9_-]{43}$/)
})

it.each([
  ['another part', ['PUT', 'attempt', 'other.ply'], 5_000],
  ['a part less', ['PUT', 'attempt'], 5_000],
  ['a part more', ['PUT', 'attempt', 'scene.ply', ''], 5_000],
  ['parts cut elsewhere', ['PUT', 'attemptscene', '.ply'], 5_000],
  ['parts joined', ['PUT', 'attempt","scene.ply'], 5_000],
  ['another order', ['attempt', 'PUT', 'scene.ply'], 5_000],
  ['a later end', ['PUT', 'attempt', 'scene.ply'], 5_001],
  ['no end', ['PUT', 'attempt', 'scene.ply'], Number.NaN],
  ['an endless end', ['PUT', 'attempt', 'scene.ply'], Number.POSITIVE_INFINITY],
])('takes a signature used for %s as forged', (_, parts, expiresAt) => {
  const signature = signer.sign(['PUT', 'attempt', 'scene.ply'], 5_000)
  expect(signer.verify(parts, expiresAt, signature, 0)).toBe('forged')
})

it('takes every single changed character, also where it decodes to the same, and any other length, as forged', () => {
  const signature = signer.sign(['a'], 5_000)
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= %é'
  for (let index = 0; index < signature.length; index++)
    for (const letter of letters) {
      if (letter === signature[index]) continue
      const changed = signature.slice(0, index) + letter + signature.slice(index + 1)
      expect(signer.verify(['a'], 5_000, changed, 0)).toBe('forged')
    }
  for (const wrong of ['', `${signature}A`, signature.slice(1), `${signature}=`, ` ${signature}`, `${signature}\n`])
    expect(signer.verify(['a'], 5_000, wrong, 0)).toBe('forged')
})

it('takes a signature of another secret as forged', () => {
  const signature = createSigner('another secret, also long').sign(['a'], 5_000)
  expect(signer.verify(['a'], 5_000, signature, 0)).toBe('forged')
})

it('does not let an endless and an undefined end share a signature with a real one', () => {
  const endless = signer.sign(['a'], Number.POSITIVE_INFINITY)
  expect(signer.verify(['a'], 0, endless, -1)).toBe('forged')
})

it('refuses a secret that is too short to be one', () => {
  expect(() => createSigner('short')).toThrow('at least 16 characters')
})
