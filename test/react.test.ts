import type { Browser, Page } from 'playwright-core'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { build, type Rolldown } from 'vite'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { StoredOutput } from '../src/core/prediction.ts'
import { createApp } from '../src/http/app.ts'
import { listen } from '../src/http/node.ts'
import { png, setup } from '../src/http/test-support.ts'
import { launchBrowser } from './support/browser.ts'
import { App } from './support/hooks-page.ts'

const patience = { timeout: 20_000 }
const looks = { interval: 20, timeout: 20_000 }

const scene: StoredOutput = {
  key: 'outputs/a1/scene.ply',
  name: 'scene.ply',
  mediaType: 'application/octet-stream',
  bytes: 17,
  sha256: '0'.repeat(64),
  facts: {},
}

let browser: Browser
let script: string

beforeAll(async () => {
  // React's development version, which runs effects twice under StrictMode and complains.
  const made = await build({
    configFile: false,
    logLevel: 'error',
    mode: 'development',
    define: { 'process.env.NODE_ENV': '"development"' },
    build: {
      write: false,
      minify: false,
      modulePreload: false,
      rolldownOptions: { input: new URL('support/hooks-page.ts', import.meta.url).pathname },
    },
  })
  script = (made as Rolldown.RolldownOutput).output[0].code
  browser = await launchBrowser()
})

afterAll(() => browser?.close())

/** A page with the hooks before a real front whose predictions change when the test says so; both on one origin. */
async function open(path: string) {
  const front = await setup()
  for (const id of ['p1', 'p2']) await front.add({ id })
  const requests: string[] = []
  const streams = new Map<string, number>()
  const cuts = new Set<() => void>()
  const held = { method: '', path: '/', release: () => {} }

  const server = await listen({
    port: 0,
    host: '127.0.0.1',
    publicUrl: null,
    app(address) {
      const app = createApp({ ...front.deps, ...address })
      return {
        async fetch(request: Request) {
          const { pathname } = new URL(request.url)
          if (pathname === '/page.js') return new Response(script, { headers: { 'content-type': 'text/javascript' } })
          if (!pathname.startsWith('/v1/'))
            return new Response(html(pathname), { headers: { 'content-type': 'text/html' } })
          requests.push(`${request.method} ${pathname}`)
          if (request.method === held.method && pathname.startsWith(held.path))
            await new Promise<void>(resolve => {
              held.release = resolve
            })
          const response = await app.fetch(request)
          if (!pathname.endsWith('/events') || response.body === null) return response
          return new Response(response.body.pipeThrough(counted(pathname)), response)
        },
      }
    },
  })

  /** Counts whom it serves, until that one leaves. */
  function counted(pathname: string): TransformStream<Uint8Array, Uint8Array> {
    const count = (by: number) => streams.set(pathname, (streams.get(pathname) ?? 0) + by)
    let isOpen = true
    const end = () => {
      if (isOpen) count(-1)
      isOpen = false
    }
    count(1)
    const counter = {
      start: (stream: TransformStreamDefaultController) => void cuts.add(() => stream.terminate()),
      flush: end,
      cancel: end,
    }
    return new TransformStream(counter)
  }

  const context = await browser.newContext()
  onTestFinished(async () => {
    await context.close()
    await server.close(0)
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(String(error)))
  await page.goto(`${server.url}${path}`)
  const cut = () => {
    for (const each of cuts) each()
    cuts.clear()
  }
  return { front, page, requests, streams, complaints, held, cut, url: server.url }
}

function html(path: string): string {
  const rendered = renderToString(createElement(App, { page: path }))
  return `<!doctype html><link rel="icon" href="data:,"><div id="root">${rendered}</div><script type="module" src="/page.js"></script>`
}

function shows(page: Page, id: string, text: string) {
  return expect
    .poll(async () => (await page.locator(`#${id}`).textContent())?.replace(/cancel .*/, ''), looks)
    .toBe(text)
}

function press(page: Page, name: string) {
  return page.getByRole('button', { name, exact: true }).click(patience)
}

test('a server renders them as knowing nothing yet, and asks nobody', () => {
  const markup = (path: string) => renderToString(createElement(App, { page: path }))
  expect(markup('/')).toContain('null null null well live')
  expect(markup('/run')).toContain('null null null well still')
})

test('two components in StrictMode share one stream, which ends when the last of them leaves', async () => {
  const { front, page, requests, streams, complaints } = await open('/')
  await shows(page, 'first', 'starting null null well live')
  await shows(page, 'second', 'starting null null well live')
  await front.change('p1', { status: 'processing', progress: { stage: 'draw', fraction: 0.5 } })
  await shows(page, 'first', 'processing draw 0.5 well live')
  await shows(page, 'second', 'processing draw 0.5 well live')
  await press(page, 'fewer')
  await front.change('p1', { progress: { stage: 'draw', fraction: 0.75 } })
  await shows(page, 'first', 'processing draw 0.75 well live')
  expect(requests).toEqual(['GET /v1/predictions/p1/events'])
  await press(page, 'fewer')
  await expect.poll(() => [...streams.values()], looks).toEqual([0])
  expect(complaints).toEqual([])
})

test('another id shows nothing of the one before, whose stream ends; none follows none', async () => {
  const { front, page, streams, complaints } = await open('/')
  await front.change('p1', { status: 'processing', progress: { stage: 'draw', fraction: 0.5 } })
  await front.change('p2', { status: 'succeeded', completedAt: 1 })
  await shows(page, 'first', 'processing draw 0.5 well live')
  await press(page, 'p2')
  await shows(page, 'first', 'succeeded null 1 well still')
  await expect.poll(() => streams.get('/v1/predictions/p1/events'), looks).toBe(0)
  await press(page, 'none')
  await shows(page, 'first', 'null null null well still')
  await press(page, 'p1')
  await shows(page, 'second', 'processing draw 0.5 well live')
  expect(complaints).toEqual([])
})

test('neither a cut stream nor a lost network is an end; a cancel is', async () => {
  const { front, page, requests, complaints, cut } = await open('/')
  await shows(page, 'first', 'starting null null well live')
  await front.change('p1', { status: 'processing', progress: { stage: 'draw', fraction: 0.5 } })
  await shows(page, 'first', 'processing draw 0.5 well live')
  cut()
  await expect.poll(() => requests.filter(each => each.endsWith('/events')).length, looks).toBe(2)
  await page.context().setOffline(true)
  cut()
  await front.change('p1', { progress: { stage: 'draw', fraction: 0.75 } })
  await expect.poll(() => complaints.length, looks).toBeGreaterThan(0)
  await page.context().setOffline(false)
  await shows(page, 'first', 'processing draw 0.75 well live')
  await press(page, 'cancel second')
  await shows(page, 'first', 'canceled draw 0.75 well still')
  await shows(page, 'second', 'canceled draw 0.75 well still')
  expect(complaints.filter(each => !each.includes('ERR_INTERNET_DISCONNECTED'))).toEqual([])
})

test('a failure is told with its code; so is a prediction that is not there', async () => {
  const { front, page } = await open('/')
  await front.change('p1', {
    status: 'failed',
    completedAt: 1,
    failure: { code: 'out_of_memory', message: 'No room.', fault: 'model', advice: 'Send less.' },
  })
  await shows(page, 'first', 'failed null null out_of_memory still')
  await page.route('**/v1/predictions/p2*/**', route => route.fulfill({ status: 404, json: { code: 'not_found' } }))
  await page.route('**/v1/predictions/p2', route => route.fulfill({ status: 404, json: { code: 'not_found' } }))
  await press(page, 'p2')
  await shows(page, 'first', 'null null null not_found still')
})

test('a chosen photo is sent, created and followed to its file, with the upload as its first stage', async () => {
  const { front, page, requests, complaints, held, url } = await open('/run')
  await shows(page, 'run', 'null null null well still')
  held.method = 'PUT'
  const photo = { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from(png) }
  await page.locator('input').setInputFiles(photo)
  await expect.poll(() => requests.at(-1), looks).toMatch(/^PUT /)
  expect(await page.locator('#run').textContent()).toMatch(/^null upload (null|0|1) well live$/)
  held.release()
  await expect.poll(() => page.locator('#created').textContent(), looks).not.toBe('')
  const id = (await page.locator('#created').textContent()) ?? ''
  await shows(page, 'run', `${id} starting null null well live`)
  await front.change(id, { status: 'succeeded', completedAt: 1, output: scene })
  await page.getByRole('link', { name: 'scene.ply, 17' }).waitFor(patience)
  await shows(page, 'run', `${id} succeeded null 1 well still`)
  expect(await page.getByRole('link').getAttribute('href')).toContain(`${url}/v1/outputs/${id}/scene.ply?`)
  expect(complaints).toEqual([])
})

test('a double click sends once; another photo takes the place of the first, and what that made is cancelled', async () => {
  const { page, requests, complaints, held } = await open('/run')
  const photo = { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from(png) }
  const creates = () => requests.filter(each => each === 'POST /v1/predictions').length
  Object.assign(held, { method: 'POST', path: '/v1/predictions' })
  await page.locator('input').setInputFiles(photo)
  await expect.poll(creates, looks).toBe(1)
  expect(requests.filter(each => each.startsWith('PUT '))).toHaveLength(1)
  held.method = ''
  await page.locator('input').setInputFiles({ ...photo, name: 'other.png' })
  await expect.poll(() => page.locator('#created').textContent(), looks).not.toBe('')
  const id = await page.locator('#created').textContent()
  held.release()
  await expect.poll(() => requests.filter(each => each.endsWith('/cancel')).length, looks).toBe(1)
  expect(requests).not.toContain(`POST /v1/predictions/${id}/cancel`)
  expect(creates()).toBe(2)
  await shows(page, 'run', `${id} starting null null well live`)
  expect(await page.locator('#created').textContent()).toBe(id)
  expect(complaints).toEqual([])
})

test('an upload that is cancelled leaves nothing; one that is refused is told', async () => {
  const { page, requests, held } = await open('/run')
  const photo = { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from(png) }
  held.method = 'PUT'
  await page.locator('input').setInputFiles(photo)
  await expect.poll(() => requests.at(-1), looks).toMatch(/^PUT /)
  await press(page, 'cancel')
  await shows(page, 'run', 'null null null well still')
  held.release()
  held.method = ''
  await page.locator('input').setInputFiles({ ...photo, buffer: Buffer.alloc(0) })
  await shows(page, 'run', 'null null null input_invalid still')
  expect(requests.filter(each => each === 'POST /v1/predictions')).toEqual([])
})
