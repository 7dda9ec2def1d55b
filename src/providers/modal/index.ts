import type { Provider } from '../contract.ts'
import { createFunctionProvider } from './functions.ts'
import { type ModalOptions, parseOptions } from './options.ts'
import { createWebProvider } from './web.ts'

export type {
  GrpcMiddleware,
  ModalFunctionOptions,
  ModalFunctionTarget,
  ModalOptions,
  ModalWebOptions,
  ModalWebTarget,
} from './options.ts'

/**
 * Modal: deployed functions, called by name through the vendor's SDK, or with `mode: 'web'` endpoints of which only the
 * URL is known. Fails with `input_invalid` when an option is wrong. There is no `find`: calls carry no label that could be
 * searched, so a start whose answer was lost is known again by a kit's hello.
 *
 * @example
 * const provider = modal({ tokenId: process.env.MODAL_TOKEN_ID ?? '', tokenSecret: process.env.MODAL_TOKEN_SECRET ?? '' })
 * const target = provider.parseTarget({ app: 'sharp', function: 'predict', hardware: 'l40s', kit: true })
 */
export function modal(options: ModalOptions): Provider {
  const parsed = parseOptions(options)
  return parsed.mode === 'web' ? createWebProvider(parsed) : createFunctionProvider(parsed)
}
