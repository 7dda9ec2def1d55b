import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test, vi } from 'vitest'
import { createRandom, createReliefWork, createRunpodEmulator, serveEmulator } from '../src/emulators/index.ts'
import { systemClock } from '../src/engine/clock.ts'
import { startS3 } from '../src/files/test-s3.ts'
import type { ProcessStatus } from '../src/next.ts'
import { checkSplat } from '../src/splat/check.ts'
import { launchBrowser } from './support/browser.ts'
import { startPostgres } from './support/postgres.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const rocket = join(root, 'examples/photos/rocket.jpg')
const cat = join(root, 'examples/photos/chelsea.png')
const patience = { timeout: 60_000 }

/** As in a terminal of somebody who has Node 24: nothing of this test's own settings, and nothing of Surefoot's. */
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SUREFOOT_'))),
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  NODE_ENV: undefined,
}

let folder: string
/** The example beside the unpacked package, where its `file:../..` finds what the registry would give. */
let app: string
let browser: Browser

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'surefoot-next-'))
  // Builds first.
  await run(root, 'npm', ['pack', '--pack-destination', folder])
  await run(folder, 'tar', ['-xzf', readdirSync(folder)[0] ?? ''])
  app = join(folder, 'package/examples/nextjs')
  const made = ['node_modules', '.next', '.surefoot'].map(name => join(root, 'examples/nextjs', name))
  cpSync(join(root, 'examples/nextjs'), app, { recursive: true, filter: path => !made.includes(path) })
  await run(app, 'npm', ['ci', '--prefer-offline'])
  await run(app, 'npm', ['run', 'build'])
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser?.close()
  rmSync(folder, { recursive: true, force: true })
})

test('next build loads the routes and opens nothing', () => {
  for (const route of ['process', 'surefoot/[...path]'])
    expect(existsSync(join(app, `.next/server/app/api/${route}/route.js`))).toBe(true)
  expect(existsSync(join(app, '.surefoot'))).toBe(false)
})

test('next start: a chosen photo becomes a verified file with true progress on the way, and a reload keeps it', async () => {
  const origin = await serve('start')
  const { page, complaints, shown } = await openPage()
  await page.goto(origin)
  await page.getByLabel('Choose a photo').setInputFiles(rocket)
  const link = page.getByRole('link', { name: 'Download scene.ply' })
  await link.waitFor(patience)

  expect(shown[0]).toMatch(/^upload/)
  const fractions = shown.flatMap(line => (/^(?!upload).* (\d+) %$/.exec(line) ?? [])[1] ?? []).map(Number)
  expect(fractions.length).toBeGreaterThan(0)
  expect(fractions).toEqual(fractions.toSorted((one, other) => one - other))
  await page.getByText('It is not SHARP').waitFor()

  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  const file = readFileSync(await download.path())
  expect(await link.innerText()).toBe(`Download scene.ply (${(file.length / 1e6).toFixed(1)} MB)`)
  expect(await checkSplat(new Blob([file]).stream(), { bytes: file.length })).toMatchObject({ valid: true })

  const href = await link.getAttribute('href')
  await page.reload()
  await link.waitFor(patience)
  expect(await link.getAttribute('href')).toBe(href)
  expect(complaints).toEqual([])
})

test('a file that is no photo gets its sentence, and the next one works', async () => {
  const origin = await serve('start')
  const { page } = await openPage()
  await page.goto(origin)
  await page.getByLabel('Choose a photo').setInputFiles({
    name: 'notes.jpg',
    mimeType: 'image/jpeg',
    buffer: Buffer.from('hello'),
  })
  await page.getByRole('alert').getByText('image is not a picture that can be read').waitFor(patience)
  await page.getByLabel('Choose a photo').setInputFiles(rocket)
  await page.getByRole('link', { name: 'Download scene.ply' }).waitFor(patience)
})

test("the app's own route takes a photo in base64 or in a form, from whoever has a cookie, and nobody sees another's", async () => {
  const origin = await serve('start')
  const [ada, bob] = [randomUUID(), randomUUID()].map(id => ({ cookie: `visitor=${id}` }))
  const body = JSON.stringify({ image: readFileSync(rocket).toString('base64') })
  const json = { 'content-type': 'application/json' }
  expect((await fetch(`${origin}/api/process`, { method: 'POST', headers: json, body })).status).toBe(401)
  const started = await fetch(`${origin}/api/process`, { method: 'POST', headers: { ...json, ...ada }, body })
  const { id } = (await started.json()) as ProcessStatus
  const look = async (headers: Record<string, string> = {}) =>
    await fetch(`${origin}/api/process?id=${id}`, { headers })
  expect([(await look(bob)).status, (await look()).status]).toEqual([404, 401])
  const output = await vi.waitFor(async () => {
    const status = (await (await look(ada)).json()) as ProcessStatus
    expect(status.status).toBe('succeeded')
    return status.output
  }, patience)
  const file = await fetch(new URL(output?.url ?? '', origin), { headers: ada })
  expect((await file.blob()).size).toBe(output?.bytes)

  const form = new FormData()
  form.set('image', new Blob([readFileSync(rocket)], { type: 'image/jpeg' }), 'rocket.jpg')
  expect((await fetch(`${origin}/api/process`, { method: 'POST', headers: bob, body: form })).status).toBe(202)
})

test('next build while next start runs: what runs goes on, and the next photo too', async () => {
  const origin = await serve('start')
  const { page } = await openPage()
  await page.goto(origin)
  await page.getByLabel('Choose a photo').setInputFiles(rocket)
  await page.waitForURL(/\?id=/, patience)
  await run(app, 'npm', ['run', 'build'])
  const link = page.getByRole('link', { name: 'Download scene.ply' })
  await link.waitFor(patience)
  const first = await link.getAttribute('href')
  await page.getByLabel('Choose another photo').setInputFiles(cat)
  await expect.poll(() => link.getAttribute('href', patience), patience).not.toBe(first)
})

test('next start as on a host for functions: requests drive, the photo goes past the app into the bucket, and the result comes from there', async () => {
  const [postgres, s3] = await Promise.all([startPostgres(), startS3({ conditional: true, cors: true })])
  onTestFinished(postgres.close)
  onTestFinished(s3.close)
  const emulator = createRunpodEmulator({
    clock: systemClock,
    random: createRandom(1),
    work: createReliefWork({ clock: systemClock, directory: join(folder, 'emulated') }),
  })
  const vendor = await serveEmulator(emulator)
  onTestFinished(vendor.close)
  // As after `npm install pg @aws-sdk/...` in the app.
  const packages = join(folder, 'node_modules')
  symlinkSync(join(root, 'node_modules'), packages)
  onTestFinished(() => rmSync(packages))
  const config = join(app, 'surefoot.config.ts')
  writeFileSync(
    config,
    `import { defineConfig, runpod } from 'surefoot'

export default defineConfig({
  serverless: { seconds: 4 },
  files: { s3: ${JSON.stringify(s3.options)} },
  providers: { runpod: runpod({ apiKey: 'any', baseUrl: '${vendor.origin}/v2' }) },
  deployments: { 'relief@runpod': { target: { endpoint: 'relief', kit: true } } },
  models: { relief: { route: ['relief@runpod'] } },
})
`,
  )
  onTestFinished(() => rmSync(config))
  const origin = await serve('start', {
    SUREFOOT_DATABASE_URL: postgres.url,
    SUREFOOT_TICK_SECRET: 'a-secret-of-the-cron',
  })
  const { page, complaints, shown } = await openPage()
  await page.goto(origin)
  await page.getByLabel('Choose a photo').setInputFiles(rocket)
  const link = page.getByRole('link', { name: 'Download scene.ply' })
  await link.waitFor(patience)
  expect(shown[0]).toMatch(/^upload/)
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  const file = readFileSync(await download.path())
  expect(await checkSplat(new Blob([file]).stream(), { bytes: file.length })).toMatchObject({ valid: true })
  expect(new URL(download.url()).origin).toBe(s3.endpoint)
  expect(s3.requests.some(line => /^PUT \/files\/pending\//.test(line))).toBe(true)
  expect(complaints).toEqual([])
  // Nothing is awake between two requests: no lease is held, nobody asks the vendor.
  const pool = new pg.Pool({ connectionString: postgres.url })
  onTestFinished(() => pool.end())
  await expect
    .poll(
      async () => (await pool.query('select id from surefoot.predictions where lease_engine is not null')).rows,
      patience,
    )
    .toEqual([])
  const tick = await fetch(`${origin}/api/surefoot/tick`, {
    method: 'POST',
    headers: { authorization: 'Bearer a-secret-of-the-cron' },
  })
  expect([tick.status, emulator.state().submits]).toEqual([200, 1])
})

test('next dev: an edit loads the routes again while a prediction runs; that one ends, and so does the next', async () => {
  const origin = await serve('dev')
  const { page, complaints } = await openPage()
  await page.goto(origin)
  await page.getByLabel('Choose a photo').setInputFiles(rocket)
  await page.waitForURL(/\?id=/, patience)
  appendFileSync(join(app, 'src/app/api/process/route.ts'), "\nexport const PUT = () => new Response('edited')\n")
  await vi.waitFor(
    async () => expect((await fetch(`${origin}/api/process`, { method: 'PUT' })).status).toBe(200),
    patience,
  )
  const link = page.getByRole('link', { name: 'Download scene.ply' })
  await link.waitFor(patience)
  const first = await link.getAttribute('href')

  await page.getByLabel('Choose another photo').setInputFiles(cat)
  await expect.poll(() => link.getAttribute('href', patience), patience).not.toBe(first)
  expect(complaints).toEqual([])
})

/** A fresh browser profile, with what the page showed of the progress, and what the browser complains of. */
async function openPage(): Promise<{ page: Page; complaints: string[]; shown: string[] }> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', error => complaints.push(error.message))
  const shown: string[] = []
  await page.exposeFunction('show', (line: string) => {
    if (shown.at(-1) !== line) shown.push(line)
  })
  await page.addInitScript(`
    new MutationObserver(() => {
      const line = document.querySelector('label:has(progress)')?.textContent.trim()
      if (line !== undefined) show(line)
    }).observe(document, { subtree: true, childList: true, characterData: true })
  `)
  return { page, complaints, shown }
}

/** Runs a script of the example on a port that the system chooses, until the test is over; answers its origin. */
async function serve(script: 'start' | 'dev', more: NodeJS.ProcessEnv = {}): Promise<string> {
  const { scripts } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'))
  // Without npm and a shell in between, so that signals reach Next.js.
  const [, ...args] = `${scripts[script]} --port 0`.split(' ')
  const server = spawn(process.execPath, [join(app, 'node_modules/next/dist/bin/next'), ...args], {
    cwd: app,
    env: { ...env, ...more },
  })
  onTestFinished(() => stop(server))
  let output = ''
  onTestFailed(() => console.error(output))
  return await new Promise((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      output += chunk
      const [, origin] = /Local: +(http:\S+)[\s\S]*Ready/.exec(output) ?? []
      if (origin !== undefined) resolve(origin)
    }
    server.stdout.on('data', hear)
    server.stderr.on('data', hear)
    server.once('error', reject)
    server.once('exit', code => reject(new Error(`next ${args.join(' ')} ended with ${code}.`)))
  })
}

/** `next dev` ends its own children when it is asked to end, not when it is killed. */
async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = once(server, 'exit')
  server.kill()
  const impatience = setTimeout(() => server.kill('SIGKILL'), 20_000)
  await ended
  clearTimeout(impatience)
}

async function run(cwd: string, file: string, args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)(file, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string }
    throw new Error(`${file} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error })
  }
}
