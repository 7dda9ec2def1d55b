import { join } from 'node:path'
import { defaultPolicy } from '../../src/core/policy.ts'
import { systemClock } from '../../src/engine/clock.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { createDiskFiles } from '../../src/files/disk.ts'
import { createDownload } from '../../src/files/download.ts'
import { newId } from '../../src/open.ts'
import { replicate } from '../../src/providers/replicate/index.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { textModel } from '../../src/testing/text-model.ts'

/** What `engine-processes.ts` runs: a real engine on a shared database. A message is how many predictions to create. */
const [name = '', databaseUrl = '', directory = '', providerOrigin = ''] = process.argv.slice(2)

const store = await openPostgresStore({ url: databaseUrl })
const provider = replicate({ token: 'any', baseUrl: `${providerOrigin}/v1` })
const deployment = {
  name: 'text@replicate',
  providerName: 'replicate',
  provider,
  target: provider.parseTarget({ model: 'test/text', hardware: 'gpu-l40s' }),
  concurrency: 100,
}
const engine = createEngine({
  name,
  alone: false,
  store,
  files: createDiskFiles({ directory: join(directory, 'files') }),
  download: createDownload({ clock: systemClock }),
  routes: new Map([[textModel.name, { model: textModel, deployments: [deployment], policy: defaultPolicy }]]),
  links: { input: () => null, upload: () => null, webhook: () => null },
  serverKey: 'key',
  clock: systemClock,
  random: Math.random,
  newId,
  fetch: globalThis.fetch,
  notify: async () => true,
  log: () => {},
})
await engine.start()

process.on('message', count => {
  const rest = { input: {}, files: {}, cancelAfterMs: null, webhook: null }
  const create = () => engine.create({ model: textModel.name, owner: 'local', source: 'api', ...rest })
  void Promise.all(Array.from({ length: Number(count) }, create)).then(created =>
    process.send?.(created.map(({ record }) => record.id)),
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
