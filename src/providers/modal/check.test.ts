import { expect, test } from 'vitest'
import { asFetch } from '../../emulators/contract.ts'
import { createModalEmulator } from '../../emulators/modal/index.ts'
import { createFixedWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import type { Io } from '../contract.ts'
import { brief, intent } from '../test-intent.ts'
import { modal } from './index.ts'
import { found, grpcError, type Script, setup } from './test-support.ts'

const target = { app: 'sharp', function: 'predict' }

async function check(script: Script, more: object = {}) {
  const { provider, io, sent } = setup(script, undefined, { environment: 'main' })
  const findings = (await provider.check?.(provider.parseTarget(target), io, { ...intent, ...more })) ?? []
  return { found: brief(findings), words: findings.map(({ message }) => message).join(' '), sent }
}

const deployed = (data: object): Script => ({ FunctionGet: { ...found.FunctionGet, function: data } })

test('a function is looked up, and nothing is spawned', async () => {
  const { found: levels, words, sent } = await check(found)
  expect(levels).toEqual(['ok modal-function', 'ok modal-timeout'])
  expect(words).toContain('in the environment main')
  expect(words).toContain('without timeout= it is 300 s')
  expect(sent.map(({ name }) => name)).toEqual(['FunctionGet'])
})

test.each<[string, object, string, string]>([
  [
    'the usual timeout',
    { timeoutSecs: 300 },
    'warning modal-timeout',
    'after 5 min, and the policy lets one go on for 10 min',
  ],
  ['a timeout that is long enough', { timeoutSecs: 600 }, 'ok modal-timeout', '600 s'],
  [
    'containers that are kept',
    { autoscalerSettings: { minContainers: 2 } },
    'warning modal-containers',
    '2 containers',
  ],
  [
    'no container at all',
    { autoscalerSettings: { maxContainers: 0 } },
    'problem modal-containers',
    'no container at all',
  ],
])('%s is found where Modal tells', async (_what, data, expected, words) => {
  const { found: levels, words: said } = await check(deployed(data))
  expect(levels).toContain(expected)
  expect(said).toContain(words)
})

test('a function that is not there is told as such', async () => {
  const gone = check({ FunctionGet: grpcError(5, 'Function sharp/predict not found') })
  await expect(gone).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})

const keys = { proxyKey: 'wk-1', proxySecret: 'ws-1' }

function endpoint(wanted: { proxyKey?: string; proxySecret?: string } = {}) {
  const clock = createSimulatedClock()
  const work = createFixedWork({ clock, name: 'a', mediaType: 'a/b', bytes: new Uint8Array(1), durationMs: 1 })
  const emulator = createModalEmulator({ clock, random: createRandom(1), work, ...wanted })
  const io: Io = { signal: new AbortController().signal, fetch: asFetch(emulator) }
  return { emulator, io }
}

async function checkWeb(io: Io, ours: object = {}) {
  const provider = modal({ mode: 'web', baseUrl: 'https://modal.test', ...ours })
  return brief(await provider.check?.(provider.parseTarget({ url: 'https://modal.test/web/sharp' }), io, intent))
}

test('a web endpoint is asked for its credentials only: nothing runs', async () => {
  const { emulator, io } = endpoint(keys)
  expect(await checkWeb(io, keys)).toEqual(['ok modal-web', 'ok modal-web-auth'])
  expect(await checkWeb(io, { proxyKey: 'wk-1', proxySecret: 'ws-2' })).toEqual(['problem modal-web-auth'])
  expect(await checkWeb(io)).toEqual(['problem modal-web-auth'])
  expect(emulator.state().submits).toBe(0)
})

test('one that takes calls from anybody is a warning', async () => {
  const { io } = endpoint()
  expect(await checkWeb(io)).toEqual(['ok modal-web', 'warning modal-web-open'])
  expect(await checkWeb(io, keys)).toEqual(['ok modal-web', 'warning modal-web-open'])
})

test('a workspace that is disabled is a problem, a host that is not there an error', async () => {
  const answering = (answer: () => Promise<Response>): Io => ({ signal: new AbortController().signal, fetch: answer })
  const disabled = async () => new Response('modal-http: workspace acme is disabled', { status: 404 })
  expect(await checkWeb(answering(disabled))).toEqual(['problem modal-web-auth'])
  const away = answering(() =>
    Promise.reject(Object.assign(new TypeError('fetch failed'), { cause: { code: 'ENOTFOUND' } })),
  )
  await expect(checkWeb(away)).rejects.toMatchObject({ failure: { code: 'provider_unreachable' } })
})
