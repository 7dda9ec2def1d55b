import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import sharp, { type ResizeOptions } from 'sharp'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import type { ProvidersJson } from '../src/http/provider-shapes.ts'
import type { PredictionJson } from '../src/http/shapes.ts'
import { launchBrowser } from './support/browser.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const rocket = join(root, 'examples/photos/rocket.jpg')
const cat = join(root, 'examples/photos/chelsea.png')

/** Software rendering on a busy machine: a frame may take seconds. */
const patience = { timeout: 120_000 }

let folder: string
let gateway: ChildProcess
let origin: string
let browser: Browser

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'surefoot-studio-'))
  // In its own process: here NODE_ENV is "test", which would build React's development version.
  execFileSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build', 'studio', '--logLevel', 'warn'], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const port = await freePort()
  origin = `http://127.0.0.1:${port}`
  gateway = spawn(process.execPath, [join(root, 'src/cli/bin.ts'), 'serve', '--port', String(port)], {
    cwd: folder,
    env: { ...process.env, SUREFOOT_DATA: join(folder, 'data') },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  browser = await launchBrowser()
  await vi.waitFor(async () => expect((await fetch(`${origin}/readyz`)).status).toBe(200), patience)
})

afterAll(async () => {
  await browser?.close()
  if (gateway?.exitCode === null) {
    const ended = once(gateway, 'exit')
    gateway.kill()
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
})

test('a dropped photo becomes a scene seen from where it was taken; its file, its history and its memory are in order', async () => {
  const { page, complaints } = await openPage()
  await page.goto(origin)
  await drop(page, rocket)
  await sceneIsReady(page)
  expect(await likeness(await pictureOf(page), rocket)).toBeGreaterThan(20)

  const id = new URL(page.url()).searchParams.get('p') ?? ''
  const { output, surefoot } = await get(id)
  await page.getByText(surefoot.notice ?? '?').waitFor()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: /^Download PLY [\d.]+ MB$/ }).click(),
  ])
  const file = readFileSync(await download.path())
  const kept = new Uint8Array(await (await fetch(output ?? '')).arrayBuffer())
  expect(file.equals(kept)).toBe(true)
  expect(createHash('sha256').update(file).digest('hex')).toBe(surefoot.output?.sha256)
  expect(download.suggestedFilename()).toBe('scene.ply')

  await page.reload()
  const entry = page.getByRole('navigation', { name: 'History' }).getByRole('link', { name: /rocket\.jpg/ })
  await entry.waitFor()
  expect(await entry.getAttribute('aria-current')).toBe('page')
  await expect.poll(() => page.evaluate('document.querySelector(".history img").naturalWidth')).toBe(640)
  await sceneIsReady(page)

  await page.getByRole('button', { name: 'New photo' }).click()
  await page.getByRole('heading', { name: 'Turn a photo into a scene' }).waitFor()
  expect(await page.evaluate('contexts.map(context => context.isContextLost())')).toEqual([true])
  expect(complaints).toEqual([])
})

test('arrow keys and drags look around; R and a double click come back to where the photo was taken', async () => {
  const { page, complaints } = await openPage({ viewport: { width: 480, height: 480 } })
  await page.goto(`${origin}/?p=${await create(cat)}`)
  await sceneIsReady(page)
  const start = await pictureOf(page)
  await page.getByRole('application').focus()
  for (let presses = 0; presses < 4; presses++) await page.keyboard.press('ArrowRight')
  const moved = () => expect.poll(async () => difference(start, await pictureOf(page)), patience)
  await moved().toBeGreaterThan(4)
  await page.keyboard.press('r')
  await moved().toBeLessThan(0.5)
  await page.mouse.move(200, 200)
  await page.mouse.down()
  await page.mouse.move(60, 200, { steps: 3 })
  await page.mouse.up()
  await moved().toBeGreaterThan(2)
  await page.mouse.dblclick(200, 200)
  await moved().toBeLessThan(0.5)
  // Left in the middle of a picture, with the GPU at work.
  await page.keyboard.press('ArrowRight')
  await page.getByRole('button', { name: 'New photo' }).click()
  await page.getByRole('heading', { name: 'Turn a photo into a scene' }).waitFor()
  expect(complaints).toEqual([])
})

test('fits a phone: nothing is wider than the screen, before and after', async () => {
  const { page } = await openPage({ viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true })
  const widest = () => page.evaluate('document.documentElement.scrollWidth')
  await page.goto(origin)
  await page.getByText('Choose or take a photo').waitFor()
  expect(await widest()).toBe(360)
  await page.goto(`${origin}/?p=${await create(cat)}`)
  await sceneIsReady(page)
  expect(await widest()).toBe(360)
})

test('deployments are compared by their traffic, from the header; a wish is answered with its reasons', async () => {
  await create(cat)
  const { page, complaints } = await openPage()
  await page.goto(origin)
  await page.getByRole('link', { name: 'Compare' }).click()
  expect(new URL(page.url()).search).toBe('?compare')
  const row = page.getByRole('row', { name: /relief@local/ })
  await row.waitFor()
  const { measured } = (await providers()).deployments[0] ?? {}
  const words = await row.innerText()
  expect(words).toContain(`${measured?.won} of ${measured?.samples}`)
  expect(words).toMatch(/\d m?s in the median, p95 /)
  expect(words).toContain('declared: free')
  await expect.poll(() => row.locator('svg rect').count()).toBe(5)
  await page.getByText('For cost: relief@local').waitFor()
  await page.getByLabel('Speed').check()
  await page.getByText('For speed: relief@local').waitFor()
  await page.getByLabel('At most, seconds').fill('0.0001')
  await page.getByText('No deployment fits this wish.').waitFor()
  await page.goBack()
  await page.getByRole('heading', { name: 'Turn a photo into a scene' }).waitFor()
  expect(complaints).toEqual([])
})

test('a deployment without traffic has no data yet, not zeros; the comparison fits a phone', async () => {
  const { page } = await openPage({ viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true })
  const none = { samples: 0, won: 0, unpriced: 0, stalls: 0, restarts: 0 }
  const unseen = { success: null, total: null, queue: null, boot: null, run: null, collect: null, cost_per_image: null }
  const [known] = (await providers()).deployments
  const long = `relief@${'far-away-'.repeat(8)}`
  await page.route(/\/v1\/providers/, route =>
    route.fulfill({
      json: {
        enough_samples: 8,
        deployments: [known, { ...known, name: long, price: null, measured: { ...none, ...unseen } }],
        recommendations: [],
      },
    }),
  )
  await page.goto(`${origin}/?compare`)
  const row = page.getByRole('row', { name: /far-away/ })
  await row.waitFor()
  expect((await row.innerText()).match(/No data yet/g)).toHaveLength(3)
  expect(await row.innerText()).toContain('no price declared')
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
})

test('a file that is no picture is refused with one sentence and a way on', async () => {
  const { page } = await openPage()
  await page.goto(origin)
  await page.getByLabel('Choose a photo').setInputFiles({
    name: 'notes.jpg',
    mimeType: 'image/jpeg',
    buffer: Buffer.from('hello'),
  })
  await expect.poll(() => page.getByRole('alert').innerText()).toContain('is not a picture that can be read')
  expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0)
  await page.getByRole('button', { name: 'Another photo' }).click()
  await page.getByLabel('Choose a photo').waitFor({ state: 'attached' })
})

test('without WebGL the page says so, and the file can still be had', async () => {
  const { page } = await openPage()
  await page.addInitScript('HTMLCanvasElement.prototype.getContext = () => null')
  await page.goto(`${origin}/?p=${await create(cat)}`)
  await expect.poll(() => page.getByRole('alert').innerText()).toContain('has no WebGL 2')
  expect(await page.getByRole('link', { name: /^Download PLY/ }).getAttribute('href')).toContain('/v1/outputs/')
})

test("progress is the server's own: its stage, its fraction or none, and cancel reaches it", async () => {
  const { page } = await openPage()
  const ended = await get(await create(cat))
  let told: PredictionJson = { ...ended, status: 'processing', output: null, completed_at: null }
  told = { ...told, surefoot: { ...told.surefoot, output: null, progress: { stage: 'depth', fraction: 0.25 } } }
  // Streams are refused here, as some proxies do: the page then asks by itself.
  await page.route(/\/v1\/predictions\/\w+\/events$/, route => route.fulfill({ status: 502 }))
  await page.route(/\/v1\/predictions\/\w+$/, route => route.fulfill({ json: told }))
  await page.route(/\/v1\/predictions\/\w+\/cancel$/, route => {
    told = { ...told, status: 'canceled', completed_at: new Date().toISOString() }
    return route.fulfill({ json: told })
  })
  await page.goto(`${origin}/?p=${ended.id}`)
  const bar = page.getByRole('progressbar', { name: 'Estimating depth' })
  await bar.waitFor()
  expect(await bar.getAttribute('aria-valuenow')).toBe('25')
  told = { ...told, surefoot: { ...told.surefoot, progress: { stage: 'upload', fraction: null } } }
  const open = page.getByRole('progressbar', { name: 'Upload' })
  await open.waitFor()
  expect(await open.getAttribute('aria-valuenow')).toBe(null)
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('alert').getByText('This was canceled.').waitFor()
  await page.getByRole('button', { name: 'Try again' }).waitFor()
})

/** Remembers every WebGL context that the page opens. Scripts for the page are text: it has other globals than tests have. */
const rememberContexts = `
  globalThis.contexts = []
  const { getContext } = HTMLCanvasElement.prototype
  HTMLCanvasElement.prototype.getContext = function (...args) {
    const context = getContext.apply(this, args)
    if (context instanceof WebGL2RenderingContext) contexts.push(context)
    return context
  }`

/** A fresh browser profile that asks for less motion, with all that a browser complains about. */
async function openPage(options: BrowserContextOptions = {}): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({
    viewport: { width: 900, height: 700 },
    reducedMotion: 'reduce',
    ...options,
  })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(patience.timeout)
  const complaints: string[] = []
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(error.message))
  await page.addInitScript(rememberContexts)
  return { page, complaints }
}

/** Drops a file in the middle of the page, as a hand would. */
async function drop(page: Page, path: string): Promise<void> {
  const bytes = readFileSync(path).toString('base64')
  const transfer = await page.evaluateHandle(`
    const data = new DataTransfer()
    const photo = Uint8Array.from(atob('${bytes}'), character => character.charCodeAt(0))
    data.items.add(new File([photo], '${basename(path)}', { type: 'image/jpeg' }))
    data`)
  for (const type of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent('main', type, { dataTransfer: transfer })
}

async function sceneIsReady(page: Page): Promise<void> {
  await page.locator('.viewer[data-state=ready]').waitFor(patience)
}

/** What the canvas shows, without the photo behind it and without the ring of the focus. */
async function pictureOf(page: Page): Promise<Buffer> {
  await page.addStyleTag({ content: '.stage-photo { visibility: hidden } .viewer { outline: none !important }' })
  return page.locator('.viewer canvas').screenshot(patience)
}

/** Peak signal-to-noise ratio, in dB, between a picture of the scene and the part of its photo that should be seen. */
async function likeness(picture: Buffer, path: string): Promise<number> {
  const size = { width: 300, height: 200, fit: 'fill' } as const
  const { width, height } = await sharp(path).metadata()
  const left = Math.round(width * 0.04)
  const top = Math.round(height * 0.04)
  const seen = await sharp(path)
    .extract({ left, top, width: width - 2 * left, height: height - 2 * top })
    .toBuffer()
  const [a, b] = await Promise.all([rawPixels(picture, size), rawPixels(seen, size)])
  const squares = a.reduce((sum, value, index) => sum + (value - (b[index] ?? 0)) ** 2, 0)
  return 10 * Math.log10(255 ** 2 / (squares / a.length))
}

/** Mean difference of two pictures of one size, in steps of 255. */
async function difference(before: Buffer, after: Buffer): Promise<number> {
  const size = { width: 200, height: 200, fit: 'fill' } as const
  const [a, b] = await Promise.all([rawPixels(before, size), rawPixels(after, size)])
  return a.reduce((sum, value, index) => sum + Math.abs(value - (b[index] ?? 0)), 0) / a.length
}

function rawPixels(picture: Buffer, size: ResizeOptions): Promise<Buffer> {
  return sharp(picture).removeAlpha().resize(size).raw().toBuffer()
}

/** Runs a photo through the API; answers the id of the finished prediction. */
async function create(path: string): Promise<string> {
  const body = new FormData()
  body.set('version', 'surefoot/relief')
  body.set('image', new Blob([readFileSync(path)]), 'photo.png')
  const response = await fetch(`${origin}/v1/predictions`, { method: 'POST', body, headers: { Prefer: 'wait=60' } })
  const { id, status } = (await response.json()) as PredictionJson
  expect(status).toBe('succeeded')
  return id
}

async function get(id: string): Promise<PredictionJson> {
  return (await (await fetch(`${origin}/v1/predictions/${id}`)).json()) as PredictionJson
}

async function providers(): Promise<ProvidersJson> {
  return (await (await fetch(`${origin}/v1/providers`)).json()) as ProvidersJson
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
