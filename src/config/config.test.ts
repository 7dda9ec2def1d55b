import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { refuse, SurefootError } from '../core/failure.ts'
import { defaultPolicy, localPolicy } from '../core/policy.ts'
import { defaultRetention } from '../core/retention.ts'
import { weekdays } from '../core/schedule.ts'
import { createImageInput, defineModel } from '../models/index.ts'
import type { Provider } from '../providers/contract.ts'
import { replicate } from '../providers/replicate/index.ts'
import { type Config, defineConfig, type KeepWarmConfig } from './config.ts'
import { loadConfig } from './load-config.ts'
import { parseConfig } from './parse-config.ts'
import { resolveConfig } from './resolve-config.ts'
import { toolEnvironment } from './tool-environment.ts'

function folder(files: Readonly<Record<string, string>> = {}): string {
  const cwd = mkdtempSync(join(tmpdir(), 'surefoot-config-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
  return cwd
}

/** A provider elsewhere whose targets need a `version`. */
const remote: Provider = {
  kind: 'remote',
  trustedOrigins: [],
  limits: {
    inputForms: ['data'],
    outputForms: ['url'],
    inlineOutputBytes: null,
    resultKeptMs: 1,
    heldStart: false,
    startTimeoutMs: 1,
    callTimeoutMs: 1,
    pollMs: 1,
    thisHostOnly: false,
  },
  parseTarget(target) {
    if (typeof target === 'object' && target !== null && 'version' in target) return { version: String(target.version) }
    return refuse('deployment_missing', 'version is missing.')
  },
  start: () => refuse('internal', 'Nothing starts here.'),
  cost: () => null,
  pricePerSecond: () => null,
}

const withRemote = {
  providers: { remote },
  deployments: { 'relief@remote': { target: { version: 'v1' }, concurrency: 7 } },
} satisfies Config

function resolved(config: Config) {
  return resolveConfig(parseConfig(config, 'surefoot.config.ts'), '/data')
}

function routeOf(config: Config) {
  const route = resolved(config).routes.get('surefoot/relief')
  return route?.deployments.map(({ name }) => name)
}

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (SurefootError.is(error) && error.failure.fault === 'config') return error.failure.message
    throw error
  }
  throw new Error('it was taken')
}

describe('loadConfig', () => {
  test('without a file runs relief on this machine, on loopback', async () => {
    const cwd = folder()
    const config = await loadConfig({ cwd, env: {} })
    expect(config).toMatchObject({
      dataDirectory: join(cwd, '.surefoot'),
      host: '127.0.0.1',
      port: 8787,
      database: null,
      publicUrl: null,
      webhookOrigins: [],
      corsOrigins: [],
      retention: defaultRetention,
      keepLocation: false,
      token: null,
      logLevel: 'info',
      logFormat: null,
      path: null,
    })
    const route = config.routes.get('surefoot/relief')
    expect([...config.routes.keys()]).toEqual(['surefoot/relief'])
    expect(route).toMatchObject({
      deployments: [
        { name: 'relief@local', providerName: 'local', concurrency: Math.max(1, availableParallelism() - 1) },
      ],
      policy: localPolicy,
    })
    expect(route?.deployments[0]?.provider).toBe(config.providers.local)
  })

  test.each(['surefoot.config.ts', 'surefoot.config.js', 'surefoot.config.mjs'])('finds %s', async name => {
    const type = name.endsWith('.ts') ? ': number' : ''
    const cwd = folder({
      [name]: `const port${type} = 9000\nexport default { port, data: 'here' }`,
      'package.json': '{"type":"module"}',
    })
    expect(await loadConfig({ cwd, env: {} })).toMatchObject({
      port: 9000,
      dataDirectory: join(cwd, 'here'),
      path: join(cwd, name),
    })
  })

  test('reads the file that is named, whose data folder lies beside it', async () => {
    const cwd = folder()
    const elsewhere = folder({ 'other.mjs': 'export default { data: "kept" }' })
    const config = await loadConfig({ cwd, env: {}, path: join(elsewhere, 'other.mjs') })
    expect(config.dataDirectory).toBe(join(elsewhere, 'kept'))
  })

  test('the environment goes before the file, and its paths are relative to where one stands', async () => {
    const cwd = folder({
      'surefoot.config.mjs': 'export default { port: 1, host: "::1", data: "a", publicUrl: "https://file.example" }',
    })
    const env = {
      SUREFOOT_PORT: '2',
      SUREFOOT_HOST: 'localhost',
      SUREFOOT_DATA: 'b',
      SUREFOOT_DATABASE_URL: 'postgres://user:secret@db.example/surefoot',
      SUREFOOT_PUBLIC_URL: 'https://env.example:444/',
      SUREFOOT_LOG: 'silent',
    }
    expect(await loadConfig({ cwd, env })).toMatchObject({
      port: 2,
      host: 'localhost',
      dataDirectory: join(cwd, 'b'),
      database: 'postgres://user:secret@db.example/surefoot',
      publicUrl: 'https://env.example:444',
      logLevel: 'silent',
    })
    expect((await loadConfig({ cwd, env: { SUREFOOT_PORT: '' } })).port).toBe(1)
  })

  test.each<[string, Record<string, string>, Record<string, string>, RegExp]>([
    [
      'a file with a syntax error',
      { 'surefoot.config.mjs': 'export default {' },
      {},
      /^surefoot\.config\.mjs cannot be read: /,
    ],
    ['a file that throws', { 'surefoot.config.mjs': 'throw new Error("no token")' }, {}, /cannot be read: no token\.$/],
    ['a file without default export', { 'surefoot.config.mjs': 'export const x = 1' }, {}, /no default export/],
    [
      'an unknown key',
      { 'surefoot.config.mjs': 'export default { prot: 1 }' },
      {},
      /unknown key "prot"\. Did you mean "port"\?/,
    ],
    ['a port that is a word', {}, { SUREFOOT_PORT: 'x' }, /^SUREFOOT_PORT: "x" is not a port number/],
    ['a port beyond the last', {}, { SUREFOOT_PORT: '70000' }, /^environment: port: /],
    [
      'a database of another kind, whose password it does not repeat',
      {},
      { SUREFOOT_DATABASE_URL: 'mysql://user:secret@db.example/surefoot' },
      /^environment: database: is not a postgres:\/\/ URL\.$/,
    ],
    ['a public URL that is none', {}, { SUREFOOT_PUBLIC_URL: 'x.example' }, /publicUrl: is not an http or https URL/],
    ['a public URL with a query', {}, { SUREFOOT_PUBLIC_URL: 'https://x.example/?a=1' }, /publicUrl: has a query/],
    ['an unknown log level', {}, { SUREFOOT_LOG: 'wran' }, /no level "wran"\. Did you mean "warn"\?/],
  ])('refuses %s', async (_, files, env, message) => {
    const error = await loadConfig({ cwd: folder(files), env }).catch((caught: unknown) => caught)
    expect(SurefootError.is(error) && error.failure).toMatchObject({
      fault: 'config',
      message: expect.stringMatching(message),
    })
  })

  test('reads where an app mounts it, without a slash at the end', async () => {
    const env = { SUREFOOT_PUBLIC_URL: 'https://x.example/api/surefoot/' }
    expect((await loadConfig({ cwd: folder({}), env })).publicUrl).toBe('https://x.example/api/surefoot')
  })

  test('lets requests drive where the host ends processes with them, or as the config says', async () => {
    const read = async (text: string, env: Record<string, string>) =>
      (await loadConfig({ cwd: folder({ 'surefoot.config.mjs': `export default ${text}` }), env })).serverless
    expect(await read('{}', {})).toBeNull()
    expect(await read('{}', { VERCEL: '1' })).toEqual({ turnMs: 8_000 })
    expect(await read('{ serverless: { seconds: 50 } }', {})).toEqual({ turnMs: 50_000 })
    expect(await read('{ serverless: false }', { AWS_LAMBDA_FUNCTION_NAME: 'x' })).toBeNull()
  })

  test("takes the secret of ticks from the environment, else from the config, else from the host's cron", async () => {
    const secret = async (text: string, env: Record<string, string>) =>
      (await loadConfig({ cwd: folder({ 'surefoot.config.mjs': `export default ${text}` }), env })).tickSecret
    const config = '{ tickSecret: "of-the-config-file" }'
    expect(await secret('{}', {})).toBeNull()
    expect(await secret('{}', { CRON_SECRET: 'of-the-host-itself' })).toBe('of-the-host-itself')
    expect(await secret(config, { CRON_SECRET: 'of-the-host-itself' })).toBe('of-the-config-file')
    expect(await secret(config, { SUREFOOT_TICK_SECRET: 'of-the-environment' })).toBe('of-the-environment')
  })

  test.each([
    ['another.mjs', 'export default { prot: 1 }', {}, 'another.mjs'],
    ['another.mjs', 'export default { models: { relief: { route: ["relief@moon"] } } }', {}, 'another.mjs'],
    ['another.mjs', 'export default {', {}, 'another.mjs'],
    ['another.mjs', 'export default {}', { SUREFOOT_PORT: 'x' }, null],
    ['another.mjs', 'export default {}', { SUREFOOT_LOG: 'x' }, null],
  ])('says what is to be corrected: %s with %s', async (path, text, env, wrong) => {
    const cwd = folder({ [path]: text })
    const error = await loadConfig({ cwd, env, path }).catch((caught: unknown) => caught)
    const place = wrong === null ? 'the environment variable' : join(cwd, wrong)
    expect(SurefootError.is(error) && error.failure.advice).toBe(`Correct ${place} and start again.`)
  })

  test('refuses a named file that is not there', async () => {
    const loading = loadConfig({ cwd: folder(), env: {}, path: 'none.ts' })
    await expect(loading).rejects.toThrow(/There is no config file .*none\.ts/)
  })
})

describe('routes', () => {
  test('one line moves the work, by alias or by public name', () => {
    const route = ['relief@remote', 'relief@local']
    expect(routeOf(withRemote)).toEqual(['relief@local'])
    expect(routeOf({ ...withRemote, models: { relief: { route } } })).toEqual(route)
    expect(routeOf({ ...withRemote, models: { 'surefoot/relief': { route } } })).toEqual(route)
    expect(routeOf({ ...withRemote, models: { relief: { route: [{ deployment: 'relief@remote' }] } } })).toEqual([
      'relief@remote',
    ])
  })

  test('targets are what the provider read, and concurrency is the given one', () => {
    const { routes } = resolved({ ...withRemote, models: { relief: { route: ['relief@remote'] } } })
    expect(routes.get('surefoot/relief')?.deployments[0]).toMatchObject({
      providerName: 'remote',
      target: { version: 'v1' },
      concurrency: 7,
    })
  })

  test('predictions can be pinned to every deployment of the model, by the policy that fits all of them', () => {
    const { routes } = resolved({
      ...withRemote,
      models: { relief: { route: ['relief@local'], policy: { attempts: 1 } } },
    })
    const route = routes.get('surefoot/relief')
    expect(route?.deployments.map(({ name }) => name)).toEqual(['relief@local'])
    expect(route?.policy).toEqual({ ...localPolicy, attempts: 1 })
    expect(route?.pinnable?.deployments.map(({ name }) => name)).toEqual(['relief@local', 'relief@remote'])
    expect(route?.pinnable?.policy).toEqual({ ...defaultPolicy, attempts: 1 })
  })

  test('the policy is the local one only where the whole route is this machine', () => {
    const policyOf = (route: string[], policy?: object) =>
      resolved({ ...withRemote, models: { relief: { route, ...(policy && { policy }) } } }).routes.get(
        'surefoot/relief',
      )?.policy
    expect(policyOf(['relief@local'])).toEqual(localPolicy)
    expect(policyOf(['relief@remote', 'relief@local'])).toEqual(defaultPolicy)
    expect(policyOf(['relief@remote'], { attempts: 1, budget: null })).toEqual({ ...defaultPolicy, attempts: 1 })
  })

  test('providers may be made from the data folder, and local may be replaced', () => {
    const seen: string[] = []
    const make = ({ dataDirectory }: { dataDirectory: string }) => {
      seen.push(dataDirectory)
      return { ...remote, parseTarget: () => ({}) }
    }
    const { providers } = resolved({ providers: { local: make } })
    expect(seen).toEqual(['/data'])
    expect(Object.keys(providers)).toEqual(['local'])
  })
})

test.each<[string, object, string]>([
  ['an unknown key', { modles: {} }, 'unknown key "modles". Did you mean "models"?'],
  ['an unknown key of a model', { models: { relief: { rout: [] } } }, 'models.relief.route: is missing'],
  [
    'an extra key of a model',
    { models: { relief: { route: ['relief@local'], polcy: {} } } },
    'unknown key "models.relief.polcy". Did you mean "policy"?',
  ],
  [
    'an unknown key of what is kept',
    { retention: { maxAge: '1d' } },
    'unknown key "retention.maxAge". There are: days, gigabytes, spareGigabytes.',
  ],
  [
    'an unknown key in a route',
    { models: { relief: { route: [{ deployment: 'relief@local', wieght: 1 }] } } },
    'unknown key "models.relief.route.0.wieght". Did you mean "weight"? There are: deployment, weight.',
  ],
  [
    'an unknown key of the way',
    { models: { relief: { route: ['relief@local'], migration: { from: 'a', to: 'b', shadow: { each: 1 } } } } },
    'unknown key "models.relief.migration.shadow.each". There are: share, runs.',
  ],
  [
    'an unknown key of the files',
    {
      files: {
        s3: { bucket: 'splats', region: 'auto', credentials: { accessKeyId: 'a', secretAccessKey: 'b', x: 1 } },
      },
    },
    'unknown key "files.s3.credentials.x". There are: accessKeyId, secretAccessKey, sessionToken.',
  ],
  [
    'an unknown budget',
    { models: { relief: { route: ['relief@local'], policy: { stallMS: 1 } } } },
    'unknown key "models.relief.policy.stallMS". Did you mean "stallMs"?',
  ],
  [
    'an extra key of a deployment',
    { deployments: { 'relief@local': { tagret: 1 } } },
    'unknown key "deployments.relief@local.tagret". Did you mean "target"?',
  ],
  [
    'a time of nothing',
    { models: { relief: { route: ['relief@local'], policy: { stallMs: 0 } } } },
    'models.relief.policy.stallMs: ',
  ],
  [
    'an hour that no clock shows',
    { deployments: { 'relief@local': { keepWarm: { from: '8am' } } } },
    'deployments.relief@local.keepWarm.from: is no time of the day, such as 08:00',
  ],
  [
    'hours without length',
    { deployments: { 'relief@local': { keepWarm: { from: '08:00', to: '08:00' } } } },
    'deployments.relief@local.keepWarm.from: must be before 24:00 and differ from "to"',
  ],
  [
    'a time zone that nobody knows',
    { deployments: { 'relief@local': { keepWarm: { timeZone: 'Europe/Atlantis' } } } },
    'keepWarm.timeZone: is no time zone that is known here',
  ],
  [
    'a day that no week has',
    { deployments: { 'relief@local': { keepWarm: { days: ['monday'] } } } },
    'keepWarm.days.0: ',
  ],
  [
    'warm-ups one after the other',
    { deployments: { 'relief@local': { keepWarm: { everySeconds: 5 } } } },
    'keepWarm.everySeconds: must be at least 30',
  ],
  [
    'an unknown key of the hours',
    { deployments: { 'relief@local': { keepWarm: { form: '08:00' } } } },
    'unknown key "deployments.relief@local.keepWarm.form". Did you mean "from"?',
  ],
  [
    'hours where nothing stays warm',
    { deployments: { 'relief@local': { keepWarm: {} } } },
    'deployments.relief@local.keepWarm: nothing can be kept warm there',
  ],
  ['an empty route', { models: { relief: { route: [] } } }, 'models.relief.route: '],
  ['a port in words', { port: '8787' }, 'port: '],
  ['a webhook origin with a path', { webhookOrigins: ['http://127.0.0.1:3000/hook'] }, 'webhookOrigins.0: has a path'],
  ['a CORS origin for all', { corsOrigins: ['*'] }, 'corsOrigins.0: is not an http or https URL'],
  ['the CORS origin of nobody', { corsOrigins: ['null'] }, 'corsOrigins.0: is not an http or https URL'],
  ['a public URL by ftp', { publicUrl: 'ftp://x.example' }, 'publicUrl: is not an http or https URL'],
  ['a public URL with credentials', { publicUrl: 'https://a:b@x.example' }, 'publicUrl: has a query or credentials'],
  ['a provider that is none', { providers: { replicate: 'token' } }, 'providers.replicate: is neither a provider'],
  [
    'a function that makes none',
    { providers: { replicate: () => ({}) } },
    'providers.replicate: the function did not return a provider',
  ],
  [
    'an unknown model',
    { models: { relef: { route: ['relief@local'] } } },
    'models.relef: there is no model "relef". Did you mean "relief"?',
  ],
  [
    'a model twice',
    { models: { relief: { route: ['relief@local'] }, 'surefoot/relief': { route: ['relief@local'] } } },
    '"relief" and "surefoot/relief" are the same model',
  ],
  [
    'an unknown deployment',
    { models: { relief: { route: ['relief@locla'] } } },
    'there is no deployment "relief@locla". Did you mean "relief@local"?',
  ],
  [
    'a deployment twice',
    { models: { relief: { route: ['relief@local', 'relief@local'] } } },
    '"relief@local" is there twice',
  ],
  [
    'a deployment of another model',
    { ...withRemote, models: { sharp: { route: ['relief@remote'] } } },
    '"relief@remote" runs surefoot/relief, not surefoot/sharp',
  ],
  [
    'a deployment of no form',
    { deployments: { relief: {} } },
    'deployments.relief: a deployment is named model@provider',
  ],
  [
    'a deployment of an unknown model',
    { deployments: { 'x@local': {} } },
    'deployments.x@local: there is no model "x". There are: relief',
  ],
  [
    'a deployment on an unknown provider',
    { deployments: { 'relief@constructor': {} } },
    'there is no provider "constructor". There are: local',
  ],
  [
    'a target that the provider refuses',
    { ...withRemote, deployments: { 'relief@remote': {} } },
    'deployments.relief@remote.target: version is missing',
  ],
])('refuses %s in one sentence', (_, config, message) => {
  const said = messageOf(() => resolveConfig(parseConfig(config, 'surefoot.config.ts'), '/data'))
  expect(said).toContain(message)
})

describe('hours in which a deployment is kept warm', () => {
  const hoursOf = (keepWarm: KeepWarmConfig, idleMs: number | null = 300_000) => {
    const warmth = { idleMs, idleBy: 'target', bills: [], wokenBy: 'run', keptBy: 'run' } as const
    const config = { providers: { remote: { ...remote, warmth: () => warmth } } }
    const deployments = { 'relief@remote': { target: { version: 'v1' }, keepWarm } }
    const route = resolved({ ...config, deployments }).routes.get('surefoot/relief')
    return route?.pinnable?.deployments.find(({ name }) => name === 'relief@remote')?.keepWarm
  }

  test('are all hours in UTC unless they are given, and go by how long a worker stays', () => {
    expect(hoursOf({})).toEqual({
      ...{ window: { fromMinute: 0, toMinute: 1440, days: weekdays }, timeZone: 'UTC', everyMs: 240_000 },
    })
    expect(hoursOf({}, 1_000_000)?.everyMs).toBe(800_000)
    expect(hoursOf({ everySeconds: 90 })?.everyMs).toBe(90_000)
  })

  test('are read as minutes, past midnight too', () => {
    const given = { from: '22:00', to: '06:30', days: ['fri'], timeZone: 'Europe/Berlin' } as const
    expect(hoursOf(given)).toMatchObject({
      ...{ window: { fromMinute: 1320, toMinute: 390, days: ['fri'] }, timeZone: 'Europe/Berlin' },
    })
    expect(hoursOf({ from: '20:00', to: '00:00' })?.window.toMinute).toBe(1440)
  })
})

test('defineConfig returns what it was given', () => {
  const config = { port: 1 }
  expect(defineConfig(config)).toBe(config)
})

describe('sharp on this machine', () => {
  const config: Config = {
    deployments: { 'sharp@local': { target: { device: 'cpu' } } },
    models: { sharp: { route: ['sharp@local'] } },
  }

  test('exists when it is asked for: one run at a time, under the budgets of remote work', () => {
    const route = resolved(config).routes.get('surefoot/sharp')
    expect(route?.deployments[0]).toMatchObject({ concurrency: 1, target: { engine: 'sharp', device: 'cpu' } })
    expect(route?.policy).toEqual(defaultPolicy)
    expect(resolved({}).routes.has('surefoot/sharp')).toBe(false)
  })

  test.each([
    [{ device: 'gpu' }, 'device'],
    [{ command: 'bin/sharp' }, 'command is wrong: is not an absolute path'],
    [{ engine: 'relief', device: 'cpu' }, 'only the engine sharp has "device"'],
  ])('refuses the target %j', (target, words) => {
    expect(messageOf(() => resolved({ deployments: { 'sharp@local': { target } } }))).toContain(words)
  })

  test('is given what tells programs their places, and no secrets', () => {
    expect(
      toolEnvironment({
        PATH: '/bin',
        cuda_visible_devices: '0',
        SUREFOOT_DATABASE_URL: 'x',
        REPLICATE_API_TOKEN: 'y',
      }),
    ).toEqual({ PATH: '/bin', cuda_visible_devices: '0' })
  })
})

describe('a model of your own', () => {
  const upscale = defineModel({
    name: 'acme/upscale',
    description: 'A larger picture.',
    input: z.object({ image: z.string() }),
    files: { image: createImageInput('image') },
    output: { name: 'large.png', mediaType: 'image/png', maxBytes: 50_000_000 },
  })
  const deployments = { 'upscale@replicate': { target: { model: 'acme/upscale' } } }
  const providers = { replicate: replicate({ token: 't', baseUrl: 'http://127.0.0.1:9001/v1' }) }

  test('is routed like the built-in ones, by its name or its last part', () => {
    const config = {
      providers,
      deployments,
      models: { 'acme/upscale': { model: upscale, route: ['upscale@replicate'] } },
    }
    const route = resolveConfig(parseConfig(config, 'test'), '/data').routes.get('acme/upscale')
    expect([route?.model, route?.deployments.map(({ name }) => name)]).toEqual([upscale, ['upscale@replicate']])
  })

  test.each([
    ['under another name', { 'acme/other': { model: upscale, route: ['relief@local'] } }, 'its name is "acme/upscale"'],
    ['that is none', { 'acme/upscale': { model: { name: 'acme/upscale' }, route: ['a@b'] } }, 'is no model'],
    [
      'under a name that is taken',
      { 'surefoot/relief': { model: { ...upscale, name: 'surefoot/relief' }, route: ['relief@local'] } },
      'built-in model',
    ],
  ])('%s is refused', (_, models, words) => {
    const read = () => resolveConfig(parseConfig({ providers, models }, 'test'), '/data')
    expect(read).toThrow(words)
  })
})

test.each([
  ['Vercel', { VERCEL: '1' }],
  ['Netlify', { NETLIFY: 'true' }],
  ['AWS Lambda', { AWS_LAMBDA_FUNCTION_NAME: 'f' }],
])('nothing is started on this machine where %s ends processes with the request', async (host, env) => {
  const start = async (given: Readonly<Record<string, string>>) => {
    const provider = resolveConfig(parseConfig({}, 'test'), folder(), given).providers.local
    const job = { target: provider?.parseTarget({}), model: 'surefoot/relief', files: {}, input: {} }
    return await provider?.start(job as never, { fetch, signal: new AbortController().signal } as never)
  }
  expect(await start(env)).toMatchObject({
    kind: 'rejected',
    failure: { code: 'deployment_missing', fault: 'config', message: expect.stringContaining(host) },
  })
})
