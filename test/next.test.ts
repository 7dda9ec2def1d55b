import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test, vi } from 'vitest'
import type { ProcessStatus } from '../src/next.ts'
import { checkSplat } from '../src/splat/check.ts'
import { launchBrowser } from './support/browser.ts'

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

test('next build loads the route and opens nothing', () => {
  expect(existsSync(join(app, '.next/server/app/api/process/route.js'))).toBe(true)
  expect(existsSync(join(app, '.surefoot'))).toBe(false)
})

test('next start: a chosen photo becomes a verified file; the page says what the route says, and a reload keeps it', async () => {
  const origin = await serve('start')
  const { page, complaints, told, shown } = await openPage()
  await page.goto(origin)
  await page.getByLabel('Choose a photo').setInputFiles(rocket)
  const link = page.getByRole('link', { name: 'Download scene.ply' })
  await link.waitFor(patience)

  const live = told.filter(({ output }) => output === null)
  expect(live.length).toBeGreaterThan(0)
  expect(shown).toEqual(distinct(['sending the photo', ...live.map(toLine)]))
  const done = told.at(-1)
  expect(done?.status).toBe('succeeded')
  const bytes = done?.output?.bytes ?? 0
  expect(await link.innerText()).toBe(`Download scene.ply (${(bytes / 1e6).toFixed(1)} MB)`)
  expect(done?.notice).toContain('It is not SHARP')
  await page.getByText(done?.notice ?? '').waitFor()

  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  const file = readFileSync(await download.path())
  expect(file.length).toBe(bytes)
  expect(await checkSplat(new Blob([file]).stream(), { bytes })).toMatchObject({ valid: true })

  await page.reload()
  await link.waitFor(patience)
  expect(new URL(page.url()).searchParams.get('id')).toBe(done?.id)
  expect(complaints).toEqual([])
})

test("progress is the route's own stage and fraction; a file that is no photo gets its sentence", async () => {
  const origin = await serve('start')
  const { page } = await openPage()
  await page.route('**/api/process?id=one', route =>
    route.fulfill({ json: { ...nothingYet, status: 'processing', stage: 'depth', fraction: 0.257 } }),
  )
  await page.goto(`${origin}/?id=one`)
  const bar = page.getByRole('progressbar', { name: 'depth 25 %' })
  await bar.waitFor(patience)
  expect(await bar.getAttribute('value')).toBe('0.257')

  await page.getByLabel('Choose another photo').setInputFiles({
    name: 'notes.jpg',
    mimeType: 'image/jpeg',
    buffer: Buffer.from('hello'),
  })
  await page.getByRole('alert').getByText('image is not a picture that can be read').waitFor(patience)
})

test('next dev: an edit loads the route again while a prediction runs; that one ends, and so does the next', async () => {
  const origin = await serve('dev')
  const { page, complaints, told } = await openPage()
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
  expect(new Set(told.map(({ id }) => id)).size).toBe(2)
  expect(complaints).toEqual([])
})

const nothingYet: ProcessStatus = {
  id: 'one',
  status: 'starting',
  stage: null,
  fraction: null,
  error: null,
  output: null,
  notice: null,
}

/** A fresh browser profile, with what the route told the page, what the page showed of it, and what the browser complains of. */
async function openPage(): Promise<{ page: Page; complaints: string[]; told: ProcessStatus[]; shown: string[] }> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', error => complaints.push(error.message))
  const told: ProcessStatus[] = []
  page.on('response', async response => {
    if (/\/api\/process\?id=\w+$/.test(response.url())) told.push((await response.json()) as ProcessStatus)
  })
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
  return { page, complaints, told, shown }
}

function toLine({ stage, status, fraction }: ProcessStatus): string {
  return `${stage ?? status}${fraction === null ? '' : ` ${Math.floor(fraction * 100)} %`}`
}

function distinct(lines: readonly string[]): string[] {
  return lines.filter((line, index) => line !== lines[index - 1])
}

/** Runs a script of the example on a port that the system chooses, until the test is over; answers its origin. */
async function serve(script: 'start' | 'dev'): Promise<string> {
  const { scripts } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'))
  // Without npm and a shell in between, so that signals reach Next.js.
  const [, ...args] = `${scripts[script]} --port 0`.split(' ')
  const server = spawn(process.execPath, [join(app, 'node_modules/next/dist/bin/next'), ...args], { cwd: app, env })
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
