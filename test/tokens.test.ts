import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import Replicate, { type FileOutput } from 'replicate'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser } from './support/browser.ts'
import { type Ended, makeFolder, root, signalGroup, surefoot } from './support/gateway.ts'

const rocket = join(root, 'examples/photos/rocket.jpg')
const patience = { timeout: 120_000 }

let browser: Browser

beforeAll(async () => {
  execFileSync(process.execPath, ['node_modules/vite/bin/vite.js', 'build', 'studio', '--logLevel', 'warn'], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
  })
  browser = await launchBrowser()
})

afterAll(() => browser?.close())

/** A gateway on every address of this machine, whose log has each request, and a token. */
async function setup() {
  const cwd = makeFolder()
  const cli = (args: readonly string[], env = {}): Promise<Ended> => surefoot(args, { cwd, env }).ended
  const secret = (await cli(['token', 'create', '--name', 'Ann'])).stdout.trim()
  const gateway = surefoot(['serve', '--port', '0', '--host', '0.0.0.0'], { cwd, env: { SUREFOOT_LOG: 'info' } })
  const [, url = ''] = await gateway.said(/listening on (\S+)/)
  return {
    cli,
    secret,
    url,
    /** The gateway under an address that other machines would use, where this one has such an address. */
    outside: url.replace('127.0.0.1', outsideAddress() ?? '127.0.0.1'),
    async stop() {
      signalGroup(gateway.child, 'SIGINT')
      return (await gateway.ended).stderr
    },
  }
}

function outsideAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address
}

test('the published client works with a token from elsewhere, and nothing works without; nothing of it is in the log', async () => {
  const { cli, secret, outside, stop } = await setup()
  const replicate = new Replicate({ auth: secret, baseUrl: `${outside}/v1` })
  const image = new Blob([readFileSync(rocket)], { type: 'image/jpeg' })
  const output = (await replicate.run('surefoot/relief', { input: { image } })) as string | FileOutput
  const link = String(output)
  const scene = await fetch(link)
  expect([scene.status, (await scene.text()).slice(0, 4)]).toEqual([200, 'ply\n'])
  const listed = await replicate.predictions.list()
  expect(listed.results).toMatchObject([{ status: 'succeeded' }])

  const stranger = new Replicate({ auth: `${secret.slice(0, -4)}AAAA`, baseUrl: `${outside}/v1` })
  await expect(stranger.predictions.list()).rejects.toMatchObject({ response: { status: 401 } })
  expect((await fetch(`${outside}/v1/predictions`)).status).toBe(401)
  expect((await fetch(`${outside}/healthz`)).status).toBe(200)
  const other = (await cli(['token', 'create', '--name', 'Bob'])).stdout.trim()
  const bob = new Replicate({ auth: other, baseUrl: `${outside}/v1` })
  expect((await bob.predictions.list()).results).toEqual([])
  await expect(bob.predictions.get(listed.results[0]?.id ?? '')).rejects.toMatchObject({ response: { status: 404 } })
  expect((await cli(['list', '--all'])).stdout).toContain(listed.results[0]?.id)

  const log = await stop()
  expect(log).toContain('"route":"/v1/predictions"')
  const signature = new URL(link).searchParams.get('signature') ?? '?'
  for (const hidden of [secret, other, secret.slice(-43), signature]) expect(log).not.toContain(hidden)
})

test('the Studio asks for a token, keeps it in its tab only, follows a prediction with it, and asks again when it is revoked', async () => {
  const { cli, secret, url } = await setup()
  const page = await (await browser.newContext()).newPage()
  page.setDefaultTimeout(patience.timeout)
  const asked: string[] = []
  page.on('request', request => asked.push(request.url()))
  const give = async (token: string) => {
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Go on' }).click()
  }
  await page.goto(url)
  await page.getByText('This gateway asks for a token.').waitFor()
  await give('sf_wrong')
  await page.getByText('This token is not one of ours.').waitFor()
  await give(secret)
  // However fast it is: the first look sees it run, and only its events tell of the end.
  await page.route(
    /\/v1\/predictions\/\w+$/,
    async route => {
      const response = await route.fetch()
      await route.fulfill({ response, json: { ...(await response.json()), status: 'processing', output: null } })
    },
    { times: 1 },
  )
  await page.getByLabel('Choose a photo').setInputFiles(rocket)
  await page.getByRole('link', { name: /^Download PLY/ }).waitFor()
  expect(asked.some(address => address.endsWith('/events'))).toBe(true)
  for (const address of [...asked, page.url()]) expect(address).not.toContain(secret)

  await page.reload()
  await page
    .getByRole('navigation', { name: 'History' })
    .getByRole('link', { name: /rocket\.jpg/ })
    .waitFor()
  const another = await (await browser.newContext()).newPage()
  await another.goto(url)
  await another.getByText('This gateway asks for a token.').waitFor(patience)

  await cli(['token', 'revoke', secret.split('_')[1] ?? ''])
  await page.reload()
  await page.getByText('This token was revoked; ask for a new one.').waitFor()
})
