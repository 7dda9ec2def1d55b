import { expect, test } from 'vitest'
import { createCogEmulator } from '../../emulators/cog/index.ts'
import { asFetch } from '../../emulators/contract.ts'
import { createKoyebEmulator } from '../../emulators/koyeb/index.ts'
import type { Settings } from '../../emulators/settings.ts'
import { createFixedWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import type { Io } from '../contract.ts'
import { koyeb } from '../koyeb/index.ts'
import { brief, intent } from '../test-intent.ts'
import { cog } from './index.ts'

const baseUrl = 'https://cog.test'

/** A server here, or behind Koyeb, with these settings. */
function setup(kind: 'cog' | 'koyeb', settings: Settings, version: 'coglet' | 'python' = 'coglet') {
  const clock = createSimulatedClock()
  const work = createFixedWork({ clock, name: 'a', mediaType: 'a/b', bytes: new Uint8Array(1), durationMs: 1 })
  const create = kind === 'cog' ? createCogEmulator : createKoyebEmulator
  const emulator = create({ clock, random: createRandom(1), work, settings, version })
  const asked: string[] = []
  const io: Io = {
    signal: new AbortController().signal,
    fetch: (url, init) => {
      asked.push(new URL(String(url)).pathname)
      return asFetch(emulator)(url, init)
    },
  }
  return { io, asked, emulator }
}

async function checkCog(settings: Settings, target: object = {}, version: 'coglet' | 'python' = 'coglet') {
  const { io, emulator } = setup('cog', settings, version)
  const provider = cog({ baseUrl })
  const findings = (await provider.check?.(provider.parseTarget(target), io, intent)) ?? []
  expect(emulator.state().submits).toBe(0)
  return { found: brief(findings), words: findings.map(({ message }) => message).join(' ') }
}

test.each<[string, Settings, object, string, string]>([
  ['a server that tells no input', {}, {}, 'ok cog-input', 'checks none'],
  ['one that takes ours', { openapi: { properties: { image: {} }, required: ['image'] } }, {}, 'ok cog-input', 'image'],
  [
    'one that has another name',
    { openapi: { properties: { photo: {} }, required: ['photo'] } },
    {},
    'problem cog-input',
    'needs photo',
  ],
  ['one that drops ours', { openapi: { properties: { photo: {} } } }, {}, 'warning cog-input', 'knows no image'],
  [
    'names that are mapped',
    { openapi: { properties: { photo: {} } } },
    { inputs: { image: 'photo' } },
    'ok cog-input',
    'photo',
  ],
  ['a kit', { openapi: { properties: { image: {}, surefoot: {} } } }, { kit: true }, 'ok cog-kit', 'kits'],
  [
    'a kit of which nothing is said',
    { openapi: { properties: { image: {}, surefoot: {} } } },
    {},
    'warning cog-kit',
    '',
  ],
  [
    'no kit where one is named',
    { openapi: { properties: { image: {} } } },
    { kit: true },
    'problem cog-kit',
    'none of',
  ],
  ['a version that is well', {}, {}, 'ok cog-version', 'cog 0.23.1'],
  ['one that loses outputs', { root: { cog_version: '0.23.0' } }, {}, 'warning cog-version', 'the run still succeeds'],
  ['which a kit never meets', { root: { cog_version: '0.23.0' } }, { kit: true }, 'ok cog-version', '0.23.0'],
  ['no version', { root: { cog_version: undefined } }, {}, 'ok cog-version', 'does not tell'],
])('Cog: %s is found', async (_what, settings, target, expected, words) => {
  const { found, words: said } = await checkCog(settings, target)
  expect(found).toContain(expected)
  expect(said).toContain(words)
})

test('Cog: the older server is told apart', async () => {
  const { found, words } = await checkCog({}, {}, 'python')
  expect(found[0]).toBe('warning cog-version')
  expect(words).toContain('paths of its own disk')
})

test.each<[string, object, 'warning kit-open' | undefined]>([
  ['https://gpu.example', {}, 'warning kit-open'],
  ['http://172.32.0.1:5000', {}, 'warning kit-open'],
  ['https://[2001:4860::1]', {}, 'warning kit-open'],
  ['https://gpu.example', { kitSecret: 'correct horse battery' }, undefined],
  ['https://gpu.example', { authorization: 'Bearer proxy' }, undefined],
  ['http://cog:5000', {}, undefined],
  ['http://gpu.internal:5000', {}, undefined],
  ['http://10.0.0.5:5000', {}, undefined],
  ['http://172.16.0.1:5000', {}, undefined],
  ['http://[fd00::1]:5000', {}, undefined],
])('whether a kit at %s with %j works for anybody is said', async (place, options, expected) => {
  const { io } = setup('cog', {})
  const fetch: Io['fetch'] = url => io.fetch(baseUrl + new URL(String(url)).pathname)
  const of = async (provider: ReturnType<typeof cog>, target: object) =>
    brief(await provider.check?.(provider.parseTarget(target), { ...io, fetch }, intent)).find(each =>
      each.includes('kit-open'),
    )
  expect(await of(cog({ baseUrl: place, ...options }), { kit: true })).toBe(expected)
  expect(await of(cog({ baseUrl: place, ...options }), {})).toBe(undefined)
  if (place.startsWith('https:')) expect(await of(koyeb({ baseUrl: place, ...options }), { kit: true })).toBe(expected)
})

async function checkKoyeb(settings: Settings, target: object = {}) {
  const { io, asked } = setup('koyeb', settings)
  const provider = koyeb({ baseUrl, token: 'koyeb', service: 'service-1', apiUrl: baseUrl })
  const findings = (await provider.check?.(provider.parseTarget(target), io, intent)) ?? []
  // Nothing else, so that the service is not woken.
  expect(asked.every(path => path.startsWith('/v1/'))).toBe(true)
  return { found: brief(findings), words: findings.map(({ message }) => message).join(' ') }
}

const scaling = (fields: object): Settings => ({ definition: { scalings: [fields] } })

test.each<[string, Settings, object, string, string]>([
  ['a service that is well', {}, {}, 'ok koyeb-sleep', 'sleeps after 5 min without traffic'],
  ['several instances', scaling({ min: 0, max: 3 }), {}, 'problem koyeb-instances', 'may reach another'],
  ['one that never sleeps', scaling({ min: 1, max: 1 }), {}, 'warning koyeb-instances', 'around the clock'],
  [
    'one that sleeps at once',
    scaling({ min: 0, max: 1, targets: [{ sleep_idle_delay: { deep_sleep_value: 30 } }] }),
    {},
    'warning koyeb-sleep',
    'after 30 s',
  ],
  ['a worker', { definition: { type: 'WORKER' } }, {}, 'problem koyeb-deployment', 'no public route'],
  ['nothing deployed', { service: { active_deployment_id: undefined } }, {}, 'problem koyeb-deployment', 'no active'],
  [
    'one that deletes itself',
    { service: { life_cycle: { delete_after_sleep: 3_600 } } },
    {},
    'warning koyeb-life-cycle',
    'deletes itself',
  ],
  ['another GPU', {}, { hardware: 'gpu-nvidia-rtx-4000-sff-ada' }, 'warning koyeb-hardware', 'runs on gpu-nvidia-l4'],
])('Koyeb: %s is found', async (_what, settings, target, expected, words) => {
  const { found, words: said } = await checkKoyeb(settings, target)
  expect(found).toContain(expected)
  expect(said).toContain(words)
})

test('Koyeb: without a token nothing is asked, and that is said', async () => {
  const { io, asked } = setup('koyeb', {})
  const provider = koyeb({ baseUrl })
  expect(brief(await provider.check?.(provider.parseTarget({}), io, intent))).toEqual(['warning koyeb-token'])
  expect(asked).toEqual([])
})
