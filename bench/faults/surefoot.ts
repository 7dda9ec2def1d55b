import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Policy } from '../../src/core/policy.ts'
import { createSurefoot, type PredictionJson, type Surefoot } from '../../src/index.ts'
import type { Contender, Job } from './contender.ts'
import { model } from './contender.ts'

/** Runs here take seconds instead of minutes, so policy's patience is shorter, too. The pace of polls stays as it is. */
const policy: Partial<Policy> = {
  deadlineMs: 55_000,
  queueMs: 20_000,
  bootMs: 20_000,
  unknownMs: 10_000,
  stallMs: 20_000,
  stallMinMs: 20_000,
  lastStageMs: 15_000,
  runMs: 30_000,
  collectMs: 10_000,
  releaseMs: 20_000,
}

/** A gateway in this process on a data folder of its own; with the vendor alone, and with the healthy one behind it. */
export const surefoots: readonly Contender[] = [
  { name: 'Surefoot, one provider', begin: job => begin(job, [job.baseUrl]) },
  { name: 'Surefoot, two providers', begin: job => begin(job, [job.baseUrl, job.spareUrl]) },
]

async function begin({ photo }: Job, urls: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'surefoot-faults-'))
  await writeFile(join(directory, 'surefoot.config.ts'), configFor(urls))
  const surefoot = createSurefoot({ directory, log: () => {} })
  await surefoot.list()
  const { id } = await surefoot.create({ model, files: { image: new Blob([photo], { type: 'image/jpeg' }) } })
  const closing = new AbortController()
  return {
    ending: readEnding(surefoot, id, closing.signal),
    settled: waitUntilSettled(surefoot, id, closing.signal),
    async close() {
      closing.abort()
      await surefoot.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function configFor(urls: readonly string[]): string {
  const providers = urls.map((url, index) => `p${index}: replicate({ token: 'any', baseUrl: '${url}' })`)
  const deployments = urls.map((_, index) => `'relief@p${index}': { target: { model: '${model}' } }`)
  const route = urls.map((_, index) => `relief@p${index}`)
  return `import { defineConfig, replicate } from '${join(import.meta.dirname, '../../src/index.ts')}'
export default defineConfig({
  providers: { ${providers.join(', ')} },
  deployments: { ${deployments.join(', ')} },
  models: { relief: { route: ${JSON.stringify(route)}, policy: ${JSON.stringify(policy)} } },
})
`
}

async function readEnding(surefoot: Surefoot, id: string, signal: AbortSignal): Promise<unknown> {
  const { status, surefoot: own }: PredictionJson = await surefoot.wait(id, { signal })
  if (status !== 'succeeded') throw new Error(`${own.failure?.code ?? status}: ${own.failure?.message ?? ''}`)
  return await new Response((await surefoot.openOutput(id))?.body).bytes()
}

async function waitUntilSettled(surefoot: Surefoot, id: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await surefoot.get(id))?.surefoot.settled !== true) await pause(200)
}
