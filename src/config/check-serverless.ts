import { createFailure, SurefootError } from '../core/failure.ts'
import type { LoadedConfig } from './load-config.ts'

/**
 * Refuses (fault `config`) what cannot work where no process lives longer than a request: state on a disk that goes away,
 * and deployments whose connection is the run on a model's route.
 */
export function checkServerless({
  database,
  bucket,
  routes,
}: Pick<LoadedConfig, 'database' | 'bucket' | 'routes'>): void {
  if (database === null)
    refuse(
      'Without a process that stays, state needs a database, and none is set.',
      'Set SUREFOOT_DATABASE_URL to a postgres:// URL; on a host whose disk and processes stay, set serverless: false in the config.',
    )
  if (bucket === null)
    refuse(
      'Without a disk that stays, files need a bucket, and none is set.',
      'Set files.s3 in the config; see docs/storage.md.',
    )
  for (const { model, deployments } of routes.values())
    for (const { name, provider } of deployments)
      if (provider.limits.heldStart)
        refuse(
          `${name}, on the route of ${model.name}, cannot be used where requests drive: its connection is the run, and no request lives that long.`,
          'Use a way of that provider that queues the run, or another deployment; see the table in docs/providers.',
        )
}

function refuse(message: string, advice: string): never {
  throw new SurefootError(createFailure('input_invalid', message, { fault: 'config', advice }), { status: 503 })
}
