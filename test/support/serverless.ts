import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import {
  createRandom,
  createReliefWork,
  createReplicateEmulator,
  createRunpodEmulator,
  serveEmulator,
} from '../../src/emulators/index.ts'
import { systemClock } from '../../src/engine/clock.ts'
import { startS3 } from '../../src/files/test-s3.ts'
import type { AttemptsJson, PredictionJson } from '../../src/http/shapes.ts'
import { checkSplat } from '../../src/splat/check.ts'
import { startFunctionHost } from './functions.ts'
import { makeFolder, root } from './gateway.ts'
import { startPostgres } from './postgres.ts'

const photo = readFileSync(join(root, 'examples/photos/rocket.jpg'))
const tickSecret = 'a-secret-that-cron-sends'

/** A PostgreSQL, a bucket, two emulated providers that do real work, and an app of which each request is a process. */
export async function startServerlessApp({ seed, kills }: { readonly seed: number; readonly kills: number }) {
  const random = createRandom(seed)
  const folder = makeFolder()
  const [postgres, s3] = await Promise.all([startPostgres(), startS3({ conditional: true })])
  onTestFinished(postgres.close)
  onTestFinished(s3.close)
  const emulated = {
    clock: systemClock,
    random: createRandom(seed),
    work: createReliefWork({ clock: systemClock, directory: join(folder, 'emulated') }),
  }
  const emulators = { runpod: createRunpodEmulator(emulated), replicate: createReplicateEmulator(emulated) }
  const [runpod, replicate] = await Promise.all([serveEmulator(emulators.runpod), serveEmulator(emulators.replicate)])
  onTestFinished(runpod.close)
  onTestFinished(replicate.close)
  let dooms = kills > 0
  const host = await startFunctionHost({
    directory: folder,
    env: { SUREFOOT_DATABASE_URL: postgres.url, SUREFOOT_TICK_SECRET: tickSecret },
    doom: () => (dooms && random() < kills ? Math.floor(500 + random() * 3_000) : null),
  })
  onTestFinished(host.close)
  writeFileSync(
    join(folder, 'surefoot.config.ts'),
    `import { defineConfig, replicate, runpod } from '${join(root, 'src/index.ts')}'

export default defineConfig({
  serverless: { seconds: 5 },
  publicUrl: '${host.origin}/api/surefoot',
  files: { s3: ${JSON.stringify(s3.options)} },
  providers: {
    runpod: runpod({ apiKey: 'any', baseUrl: '${runpod.origin}/v2' }),
    replicate: replicate({ token: 'any', baseUrl: '${replicate.origin}/v1' }),
  },
  deployments: {
    'relief@runpod': { target: { endpoint: 'relief', kit: true } },
    'relief@replicate': { target: { version: '${'a'.repeat(64)}' } },
  },
  models: {
    relief: {
      route: ['relief@runpod', 'relief@replicate'],
      policy: { routing: 'weighted', unknownMs: 20000, deadlineMs: 240000 },
    },
  },
})
`,
  )

  async function ask(path: string, init: RequestInit & { readonly user?: string } = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (init.user !== undefined) headers.set('x-user', init.user)
    return await fetch(host.origin + path, { ...init, headers, redirect: 'manual' })
  }

  return {
    host,
    s3,
    emulators,
    random,
    ask,
    /** From now on nothing is killed. */
    spare() {
      dooms = false
    },
    /** As a browser does: a place for the photo, a PUT past the app, the id to the app's own route. Null where it was killed. */
    async create(user: string): Promise<string | null> {
      const place = await ask('/api/surefoot/v1/files/uploads', {
        user,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ filename: 'rocket.jpg', type: 'image/jpeg', bytes: photo.length }),
      })
      if (place.status !== 201) return null
      const { id, upload } = (await place.json()) as {
        readonly id: string
        readonly upload: { readonly method: string; readonly url: string; readonly headers: Record<string, string> }
      }
      const put = await fetch(upload.url, { method: upload.method, headers: upload.headers, body: photo })
      if (!put.ok) throw new Error(`the upload was answered with ${put.status}: ${await put.text()}`)
      const created = await ask('/api/process', {
        user,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ image: id }),
      })
      return created.status === 202 ? ((await created.json()) as { readonly id: string }).id : null
    },
    tick: () => ask('/api/surefoot/tick', { method: 'POST', headers: { authorization: `Bearer ${tickSecret}` } }),
    async look(id: string, user: string): Promise<PredictionJson | null> {
      const seen = await ask(`/api/surefoot/v1/predictions/${id}`, { user })
      return seen.status === 200 ? ((await seen.json()) as PredictionJson) : null
    },
    async list(user: string): Promise<readonly PredictionJson[]> {
      const page = await ask('/api/surefoot/v1/predictions', { user })
      return page.status === 200 ? ((await page.json()) as { results: PredictionJson[] }).results : []
    },
    async attempts(id: string, user: string): Promise<AttemptsJson> {
      return (await (await ask(`/api/surefoot/v1/predictions/${id}/attempts`, { user })).json()) as AttemptsJson
    },
    /** The output as a browser gets it: by the app's own route, which redirects to the bucket. */
    async checkOutput(id: string, user: string): Promise<boolean> {
      const redirect = await ask(`/api/process?id=${id}&output`, { user })
      const location = redirect.headers.get('location')
      if (redirect.status !== 302 || location === null) return false
      const { body } = await fetch(location)
      return body !== null && (await checkSplat(body)).valid
    },
  }
}
