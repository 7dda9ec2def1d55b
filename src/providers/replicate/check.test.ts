import { expect, test } from 'vitest'
import { asFetch } from '../../emulators/contract.ts'
import { createReplicateEmulator } from '../../emulators/replicate/index.ts'
import type { Settings } from '../../emulators/settings.ts'
import { createFixedWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import type { Intent } from '../contract.ts'
import { brief, intent } from '../test-intent.ts'
import { replicate } from './index.ts'

const version = 'a'.repeat(64)
const input = (properties: object, required: readonly string[] = []) => ({
  openapi_schema: { components: { schemas: { Input: { properties, required } } } },
})

function setup(target: object, settings: Settings = {}, token = 'good') {
  const clock = createSimulatedClock()
  const work = createFixedWork({ clock, name: 'a', mediaType: 'a/b', bytes: new Uint8Array(1), durationMs: 1 })
  const emulator = createReplicateEmulator({ clock, random: createRandom(1), work, token: 'good', settings })
  const asked: string[] = []
  const provider = replicate({ token })
  const io = {
    signal: new AbortController().signal,
    fetch: (url: string | URL | Request, init?: RequestInit) => {
      asked.push(`${init?.method} ${new URL(String(url)).pathname.replace('/v1', '')}`)
      return asFetch(emulator)(url, init)
    },
  }
  const check = async (more: Partial<Intent> = {}) =>
    (await provider.check?.(provider.parseTarget(target), io, { ...intent, ...more })) ?? []
  return { check, asked, emulator }
}

test.each([
  [{ version: `owner/name:${version}` }, `/models/owner/name/versions/${version}`],
  [{ model: 'owner/name' }, '/models/owner/name'],
  [{ deployment: 'owner/name' }, '/deployments/owner/name'],
])('%j is looked up, and nothing is started', async (target, path) => {
  const { check, asked, emulator } = setup(target)
  expect((await check()).every(({ level }) => level === 'ok')).toBe(true)
  expect(asked).toEqual(['GET /account', `GET ${path}`])
  expect(emulator.state().submits).toBe(0)
})

test.each<[string, object, Settings, Partial<Intent>, string, string]>([
  ['nothing of that name', { model: 'o/n' }, { model: 404 }, {}, 'problem replicate-target', 'there is no model o/n'],
  [
    'a model of the public',
    { model: 'o/n' },
    { model: { is_official: false } },
    {},
    'problem replicate-target',
    'runs by a version only',
  ],
  [
    'a field of another name',
    { version: `o/n:${version}` },
    { version: input({ photo: {} }, ['photo']) },
    {},
    'problem replicate-input',
    'needs photo; ours are image',
  ],
  [
    'a field that it does not know',
    { version: `o/n:${version}` },
    { version: input({ photo: {} }) },
    {},
    'warning replicate-input',
    'knows no image',
  ],
  [
    'a kit of which nothing is said',
    { version: `o/n:${version}` },
    { version: input({ image: {}, surefoot_attempt: {} }) },
    {},
    'warning replicate-kit',
    'does not say so',
  ],
  [
    'no kit where one is named',
    { version: `o/n:${version}`, kit: true },
    { version: input({ image: {} }) },
    {},
    'problem replicate-kit',
    'surefoot_attempt',
  ],
  [
    'names that fit',
    { version: `o/n:${version}`, inputs: { image: 'photo' } },
    { version: input({ photo: {} }, ['photo']) },
    {},
    'ok replicate-input',
    'photo',
  ],
  [
    'instances that are always up',
    { deployment: 'o/n' },
    { deployment: { min_instances: 2 } },
    {},
    'warning replicate-instances',
    '2 of them are paid for around the clock',
  ],
  [
    'no instances at all',
    { deployment: 'o/n' },
    { deployment: { max_instances: 0 } },
    {},
    'problem replicate-instances',
    'nothing runs',
  ],
  [
    'another GPU than the one that is priced',
    { deployment: 'o/n', hardware: 'gpu-h100' },
    {},
    {},
    'warning replicate-hardware',
    'instances of gpu-l40s, and the target is priced as gpu-h100',
  ],
  [
    "a run limit above the vendor's",
    { model: 'o/n' },
    {},
    { runMs: 31 * 60_000 },
    'warning replicate-run-limit',
    'ends a run after 30 min',
  ],
])('%s is found', async (_what, target, settings, more, found, words) => {
  const findings = await setup(target, settings).check(more)
  expect(brief(findings)).toContain(found)
  expect(findings.map(({ message }) => message).join(' ')).toContain(words)
})

test('a version without its model is not looked up', async () => {
  const { check, asked } = setup({ version })
  expect(brief(await check())).toEqual(['ok replicate-token', 'ok replicate-target'])
  expect(asked).toEqual(['GET /account'])
})

test('a token that is refused is told as such', async () => {
  const { check } = setup({ model: 'owner/name' }, {}, 'bad')
  await expect(check()).rejects.toMatchObject({ failure: { code: 'auth_rejected' } })
})
