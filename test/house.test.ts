import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  findAnys,
  findDefaultExports,
  findEnvironmentReads,
  findForeignImports,
  findImpurities,
  findValueImports,
  readImports,
  type SourceFile,
} from './support/house-rules.ts'

const contracts = 'src/*/contract.ts'
/** Whoever puts the parts together may import all of them, but nothing that only tests need. */
const parts = [
  'cli',
  'config',
  'core',
  'derivatives',
  'doctor',
  'emulators',
  'engine',
  'files',
  'http',
  'models',
  'photos',
  'providers',
  'store',
  'wire',
]
const everyPart = parts.map(part => `src/${part}`)
const faces = ['src/open.ts', 'src/surefoot.ts']

/**
 * Who may import whom: this table is the one source of it. A zone may always import itself; `*.test.ts`, `*.long.ts` and
 * `test-*.ts` may import anything.
 */
const mayImport: { readonly [zone: string]: readonly string[] } = {
  'src/core': [],
  'src/relief': [],
  'src/splat': [],
  // Formats that an adapter and its emulator both speak.
  'src/wire': [],

  'src/files': ['src/core', contracts],
  'src/store': ['src/core', contracts],
  'src/photos': ['src/core', contracts, 'src/models/image'],
  'src/models': ['src/core', contracts, 'src/relief', 'src/splat'],
  // Helpers that adapters share; each adapter is a zone of its own, so that none leans on another.
  'src/providers': ['src/core', contracts],
  'src/providers/*': ['src/core', contracts, 'src/providers/*.ts'],
  'src/providers/modal': ['src/core', contracts, 'src/providers/*.ts', 'src/wire'],
  // A Koyeb service is a Cog server behind an edge.
  'src/providers/koyeb': ['src/core', contracts, 'src/providers/*.ts', 'src/providers/cog'],
  // It makes the pixels into Gaussians itself.
  'src/providers/local': ['src/core', contracts, 'src/providers/*.ts', 'src/relief', 'src/splat'],

  // Converts outside this process; the converter is a package that may be missing.
  'src/derivatives': ['src/core', contracts, 'src/splat'],
  'src/engine': ['src/core', contracts],
  'src/http': ['src/core', contracts, 'src/files/signing.ts'],
  'src/config': ['src/core', contracts, 'src/models', 'src/providers'],

  // What can be found out about a configuration without a run of it.
  'src/doctor': [
    'src/core',
    contracts,
    'src/config/load-config.ts',
    'src/config/bucket-url.ts',
    'src/engine/insight.ts',
    'src/files/check-s3.ts',
    'src/http/shapes.ts',
    'src/providers/*.ts',
    'src/store/lock.ts',
    // It looks at a database as it is: opening the store would migrate it.
    'src/store/migrate.ts',
    'src/store/postgres-driver.ts',
    'src/store/postgres-failure.ts',
  ],

  // Seeded dice serve the simulation and, for people, an emulator's faults.
  'src/emulators': ['src/core', contracts, 'src/wire', 'src/testing/random.ts', 'src/emulators/relief-work.ts'],
  // Its real work is the local engine's.
  'src/emulators/relief-work.ts': ['src/core', contracts, 'src/emulators', 'src/providers/local/index.ts'],

  // What runs in pages knows the gateway by its public HTTP API only, and its words.
  'src/browser': ['src/core', 'src/http/shapes.ts', 'src/http/browser-upload-shapes.ts'],
  'src/client.ts': ['src/browser', 'src/http/shapes.ts'],
  'src/react.ts': ['src/browser', 'src/client.ts'],

  'src/open.ts': everyPart,
  'src/surefoot.ts': [...everyPart, ...faces],
  'src/next.ts': ['src/next', ...everyPart, ...faces],
  'src/next': [...everyPart, ...faces],
  'src/index.ts': [...everyPart, ...faces],
  'src/cli': [...everyPart, ...faces],
  'src/testing': ['src'],
  // The page knows the gateway by its public HTTP API only.
  'studio/src': [],
}

const pure = ['src/core/', 'src/relief/', 'src/splat/', 'src/wire/']
/** `surefoot.ts` and the command line hand the environment to config, which alone knows its names. */
const mayReadEnvironment = ['src/config/', 'src/cli/', 'src/surefoot.ts']

const root = join(import.meta.dirname, '..')
const sources = ['src', 'studio/src', 'bench', 'test'].flatMap(readFolder)
const shipped = sources.filter(({ path }) => /^(src|studio)\//.test(path) && !isTest(path))

describe('the house', () => {
  it('is all there to be looked at', () => {
    expect(shipped.length).toBeGreaterThan(100)
    expect(shipped.flatMap(readImports).length).toBeGreaterThan(500)
  })

  it('imports in one direction', () => {
    expect(findForeignImports(shipped, mayImport)).toEqual([])
  })

  it('has contracts that know others by their types only', () => {
    const files = shipped.filter(({ path }) => /^src\/[^/]+\/contract\.ts$/.test(path))
    expect(files.length).toBeGreaterThan(5)
    expect(files.flatMap(findValueImports)).toEqual([])
  })

  it('has a core, a relief and splats without clock, dice, timers, network, process or packages', () => {
    const files = shipped.filter(({ path }) => pure.some(folder => path.startsWith(folder)))
    expect(files.length).toBeGreaterThan(30)
    expect(files.flatMap(findImpurities)).toEqual([])
  })

  it('reads the environment in config only', () => {
    const others = shipped.filter(({ path }) => !mayReadEnvironment.some(entry => path.startsWith(entry)))
    expect(others.flatMap(findEnvironmentReads)).toEqual([])
  })

  it('exports by name, and says any nowhere', () => {
    expect(sources.flatMap(findDefaultExports)).toEqual([])
    expect(sources.flatMap(findAnys)).toEqual([])
  })
})

describe('the rules themselves', () => {
  const file = (path: string, text: string): SourceFile => ({ path, text })

  it.each([
    ["import { relief } from '../relief/relief.ts'"],
    ["import type { Scene } from '../relief/relief.ts'"],
    ["import '../relief/relief.ts'"],
    ["export { relief } from '../relief/relief.ts'"],
    ["export * from '../relief/relief.ts'"],
    ["export type { Scene } from '../relief/relief.ts'"],
    ["const later = await import('../relief/relief.ts')"],
    ["type Scene = import('../relief/relief.ts').Scene"],
    ["/* from '../core/json.ts' */ import\n  { relief }\n  from '../relief/relief.ts'"],
  ])('see %j', text => {
    expect(findForeignImports([file('src/core/a.ts', text)], mayImport)).toEqual([
      'src/core/a.ts may not import src/relief/relief.ts.',
    ])
  })

  it('are not fooled by comments, strings, packages and neighbours', () => {
    const text = `
      // import { relief } from '../relief/relief.ts'
      import type { Json } from './json.ts'
      const words = "import { relief } from '../relief/relief.ts'"
      export { z } from 'zod'`
    expect(findForeignImports([file('src/core/a.ts', text)], mayImport)).toEqual([])
    expect(readImports(file('src/core/a.ts', text))).toEqual([
      { to: 'src/core/json.ts', isOurs: true, isType: true },
      { to: 'zod', isOurs: false, isType: false },
    ])
  })

  it('keep adapters apart, engines from implementations, and everybody from what only tests need', () => {
    const files = [
      file('src/providers/replicate/a.ts', "import '../http.ts'; import './wire.ts'; import '../runpod/wire.ts'"),
      file('src/providers/runpod/a.ts', "import '../local/index.ts'; import '../../relief/relief.ts'"),
      file('src/providers/a.ts', "import './http.ts'; import './replicate/wire.ts'"),
      file('src/engine/a.ts', "import type { Store } from '../store/contract.ts'; import '../store/sqlite.ts'"),
      file('src/http/a.ts', "import '../files/signing.ts'; import '../files/disk.ts'; import '../engine/engine.ts'"),
      file('src/emulators/a.ts', "import '../testing/random.ts'; import '../providers/local/index.ts'"),
      file('src/emulators/relief-work.ts', "import '../providers/local/index.ts'; import './connection.ts'"),
      file('src/cli/a.ts', "import '../open.ts'; import '../testing/clock.ts'"),
      file('src/newcomer/a.ts', "import '../core/json.ts'"),
    ]
    expect(findForeignImports(files, mayImport)).toEqual([
      'src/providers/replicate/a.ts may not import src/providers/runpod/wire.ts.',
      'src/providers/runpod/a.ts may not import src/providers/local/index.ts.',
      'src/providers/runpod/a.ts may not import src/relief/relief.ts.',
      'src/providers/a.ts may not import src/providers/replicate/wire.ts.',
      'src/engine/a.ts may not import src/store/sqlite.ts.',
      'src/http/a.ts may not import src/files/disk.ts.',
      'src/http/a.ts may not import src/engine/engine.ts.',
      'src/emulators/a.ts may not import src/providers/local/index.ts.',
      'src/cli/a.ts may not import src/testing/clock.ts.',
      'src/newcomer/a.ts is in no row of the table.',
    ])
  })

  it('tell imports of values from imports of types', () => {
    const text = "import { type A } from './a.ts'; import { type B, c } from './b.ts'; export type { D } from './d.ts'"
    expect(findValueImports(file('src/x/contract.ts', text))).toEqual([
      'src/x/contract.ts may import only types, not src/x/b.ts.',
    ])
  })

  it.each([
    ['Date.now()', 'Date.now'],
    ["Date['now']()", 'Date.now'],
    ['const now = Date.now', 'Date.now'],
    ['new Date()', 'new Date()'],
    ['Date()', 'Date()'],
    ['Math.random()', 'Math.random'],
    ['setTimeout(() => {}, 1)', 'setTimeout'],
    ['globalThis.setInterval(() => {}, 1)', 'globalThis'],
    ["fetch('http://127.0.0.1')", 'fetch'],
    ['process.exit()', 'process'],
    ['const all = { process }', 'process'],
    ["import { readFile } from 'node:fs'", 'the module node:fs'],
    ["import { z } from 'zod'", 'the module zod'],
  ])('find %j impure', (text, what) => {
    expect(findImpurities(file('src/core/a.ts', text))).toContain(`src/core/a.ts is pure and may not use ${what}.`)
  })

  it('let pure code have names, conversions and comments', () => {
    const text = `
      // Never Date.now() or process.env here.
      import { step } from './step.ts'
      export const io = { fetch: 1, process: 2 }
      export const day = new Date(86_400_000).toISOString() + io.fetch + io.process + Math.floor(1.5)
      export interface Io { fetch: string; process(): void }`
    expect(findImpurities(file('src/core/a.ts', text))).toEqual([])
  })

  it('find readers of the environment, default exports and any', () => {
    const reads = ['process.env.HOME', "process['env']", 'const { env } = process', 'const { env: e } = process']
    for (const text of reads) expect(findEnvironmentReads(file('src/http/a.ts', text)), text).toHaveLength(1)
    expect(findEnvironmentReads(file('src/http/a.ts', '/** `process.env.TOKEN` */ const env = 1'))).toEqual([])
    for (const text of ['export default 1', 'const a = 1; export { a as default }', "export { default } from './b.ts'"])
      expect(findDefaultExports(file('src/a.ts', text)), text).toHaveLength(1)
    expect(findDefaultExports(file('src/a.ts', "import b from './b.ts'; export { b }"))).toEqual([])
    for (const text of ['const a: any = 1', 'const a = 1 as any', 'let a: Array<any>'])
      expect(findAnys(file('src/a.ts', text)), text).toHaveLength(1)
    expect(findAnys(file('src/a.ts', 'const any = "any"; void any'))).toEqual([])
  })
})

function readFolder(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => /\.tsx?$/.test(name))
    .map(name => `${folder}/${name.replaceAll(sep, '/')}`)
    .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

function isTest(path: string): boolean {
  return /\.(test|long)\.tsx?$|\/test-[\w-]+\.ts$/.test(path)
}
