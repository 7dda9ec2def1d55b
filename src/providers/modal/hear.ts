import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Addressee, Heard, HeardRequest } from '../contract.ts'
import { helloSchema, parseBody } from '../kit.ts'

/**
 * Reads our kit's hello; Modal itself calls nobody. What proves it is the secret in the URL, which only the call was told.
 * `handleOf` makes a handle of the call's id. Fails with `deployment_missing` when the attempt's deployment is gone from
 * the config, and with `provider_error` (422) for anything else than a hello.
 */
export function hear(
  { body }: HeardRequest,
  { target, attemptId }: Addressee,
  handleOf: (target: JsonObject, call: string, attemptId: string) => object,
): Heard {
  if (target === null) return refuse('deployment_missing', 'A hello came for a deployment that is not configured.')
  const hello = helloSchema.safeParse(parseBody(body))
  if (!hello.success || !/^fc-[\w-]+$/.test(hello.data.id))
    return refuse('provider_error', "A kit's call holds no hello with the id of a call.", { status: 422 })
  const { id } = hello.data
  return {
    deliveryId: `${id} hello`,
    handle: { ...handleOf(target, id, attemptId) },
    observation: { status: 'running', word: 'hello' },
  }
}
