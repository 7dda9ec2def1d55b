import { suggest } from '../config/refuse-config.ts'
import { refuse } from '../core/failure.ts'
import type { Client } from './client.ts'

/** The full name of a model by alias or full name; the first one where none was named. Fails with `deployment_missing`. */
export async function findModel(client: Client, wanted: string | undefined): Promise<string> {
  const models = (await client.models()).map(({ owner, name }) => ({ name, full: `${owner}/${name}` }))
  const found = models.find(({ name, full }) => wanted === undefined || wanted === name || wanted === full)
  if (found !== undefined) return found.full
  const names = models.flatMap(({ name, full }) => [name, full])
  return refuse('deployment_missing', `There is no model "${wanted}".${suggest(wanted ?? '', names)}`, {
    advice: 'Name one of these, or add it to the config.',
  })
}
