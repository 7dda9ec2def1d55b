import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { SurefootError } from '../core/failure.ts'
import type { Opened } from '../open.ts'
import { samplePhoto } from './assets.ts'
import { formatDuration, formatOutput } from './format.ts'

const model = 'surefoot/relief'

/**
 * Runs the bundled photo through the engine of an opened folder that has no predictions yet, and answers the lines that
 * say what came of it; null where there were predictions. Spends nobody's money: where the model is routed to a provider
 * elsewhere, the lines say that it was left out.
 */
export async function runSample(
  { engine, files }: Pick<Opened, 'engine' | 'files'>,
  { url, studio, signal }: { readonly url: string; readonly studio: boolean; readonly signal: AbortSignal },
): Promise<string | null> {
  if ((await engine.list({ owner: null, limit: 1 })).length > 0) return null
  const name = basename(samplePhoto)
  const elsewhere = engine.routes.get(model)?.deployments.find(({ provider }) => !provider.limits.thisHostOnly)
  if (elsewhere !== undefined) return `Sample: left out, because ${elsewhere.name} may cost money.`
  const image = await engine.addFile({
    owner: 'local',
    name,
    mediaType: 'image/jpeg',
    metadata: {},
    body: createReadStream(samplePhoto),
    maxBytes: 10_000_000,
    signal,
  })
  const created = await engine.create({
    model,
    owner: 'local',
    source: 'api',
    input: {},
    files: { image },
    cancelAfterMs: null,
    webhook: null,
  })
  let { record } = created
  for await (const stored of engine.watch(record.id, { signal })) record = stored.record
  // Stopped in the middle: the next start goes on with it.
  if (record.completedAt === null) return null
  const { output, failure } = record
  if (failure !== null) throw new SurefootError(failure)
  if (output === null) return `Sample: ${name} was ${record.status}.`
  const took = formatDuration(record.completedAt - record.createdAt)
  const line = `Sample: ${name} -> ${formatOutput(output)} in ${took} (preview by relief, not SHARP): ${files.path(output.key) ?? output.key}`
  return studio ? `${line}\nSee it at ${url}/?p=${record.id}` : line
}
