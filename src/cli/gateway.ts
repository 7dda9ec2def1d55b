import type { LoadedConfig } from '../config/load-config.ts'
import type { Log } from '../engine/contract.ts'
import { createApp } from '../http/app.ts'
import type { AppDependencies } from '../http/context.ts'
import type { Opened } from '../open.ts'
import { findStudio } from './assets.ts'

/** The HTTP front of an opened data folder, as a function. */
export function createGateway(
  { engine, store, files, derivatives, signer, clock }: Opened,
  config: LoadedConfig,
  log: Log,
  address: Required<Pick<AppDependencies, 'allowedHosts' | 'access'>> & Pick<AppDependencies, 'closing' | 'leaving'>,
): { fetch(request: Request): Promise<Response> } {
  const { publicUrl, corsOrigins } = config
  return createApp({
    engine,
    store,
    files,
    derivatives,
    signer,
    clock,
    publicUrl,
    corsOrigins,
    studio: findStudio(),
    log,
    ...address,
  })
}
