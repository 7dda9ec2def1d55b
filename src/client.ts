import { type Client, type ClientOptions, createClientIn } from './browser/create-client.ts'
import { browser } from './browser/surroundings.ts'

export type { CallOptions, Client, ClientOptions, CreateRequest } from './browser/create-client.ts'
export { ClientError } from './browser/request.ts'
export type { UploadOptions } from './browser/upload.ts'
export type { PredictionJson as Prediction } from './http/shapes.ts'

/**
 * A gateway seen from a page: no dependency, no key of any provider. Opens nothing until it is used, so servers may load it.
 *
 * @example
 * const client = createClient()
 * const { id } = await client.create({ model: 'surefoot/relief', input: { image: file } })
 * for await (const { status, output } of client.watch(id)) console.log(status, output)
 */
export function createClient(options?: ClientOptions): Client {
  return createClientIn(browser, options)
}
