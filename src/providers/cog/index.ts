import type { Provider } from '../contract.ts'
import { isPrivateHost } from '../option-schemas.ts'
import { createVendorApi } from '../vendor-api.ts'
import { type CogOptions, parseOptions, parseTarget } from './options.ts'
import { authorizationAdvice, createCogProvider, filesInOutput } from './server.ts'

export type { CogMode, CogOptions, CogTarget } from './options.ts'

/**
 * A server of Cog (https://github.com/replicate/cog) on a machine of your own: coglet (pip `cog` 0.17 and later) or the
 * older Python one. Fails with `input_invalid` when an option is wrong. There is no `find`, and polling sees the server
 * but never the run: ends come by webhook, by a kit's upload, or as the answer of a held request.
 *
 * @example
 * const provider = cog({ baseUrl: 'http://10.0.0.5:5000' })
 * const target = provider.parseTarget({ pricePerSecond: 0.0002, kit: true })
 */
export function cog(options: CogOptions): Provider {
  const { baseUrl, authorization, mode, webhookToken, kitSecret, outputOrigins } = parseOptions(options)
  return createCogProvider({
    kind: 'cog',
    api: createVendorApi({
      name: 'Cog',
      baseUrl,
      authorization: authorization ?? null,
      inline: filesInOutput,
      adviceOf: code => (code === 'auth_rejected' ? authorizationAdvice('cog') : undefined),
    }),
    mode,
    webhookToken,
    kitSecret,
    // A proxy that asks for a header lets nobody else in.
    isOpen: authorization === undefined && !isPrivateHost(new URL(baseUrl).hostname),
    trustedOrigins: [new URL(baseUrl).origin, ...outputOrigins],
    parseTarget,
    pricePerSecond: ({ pricePerSecond }) => pricePerSecond ?? null,
  })
}
