import { refuse } from '../../core/failure.ts'
import type { Addressee, Heard, HeardRequest } from '../contract.ts'
import { helloSchema, parseBody } from '../kit.ts'
import { observe } from './observe.ts'
import { parseTarget } from './options.ts'
import { handleOf } from './start.ts'
import { jobSchema } from './wire.ts'

/**
 * Reads RunPod's webhook (a job as `/status` shows it, with its input) or our kit's hello. Neither is signed: what proves
 * them is the secret in the URL, which only the vendor and the job itself were told. Fails with `deployment_missing` when
 * the attempt's deployment is gone from the config, and with `provider_error` (422) for anything else than a job.
 */
export function hear({ body }: HeardRequest, to: Addressee): Heard {
  if (to.target === null) return refuse('deployment_missing', 'A webhook came for a deployment that is not configured.')
  const target = parseTarget(to.target)
  const message = parseBody(body)
  const hello = helloSchema.safeParse(message)
  if (hello.success) {
    const { id } = hello.data
    return {
      deliveryId: `${id} hello`,
      handle: { ...handleOf(target, id, to.attemptId) },
      observation: { status: 'running', word: 'hello' },
    }
  }
  const job = jobSchema.safeParse(message)
  if (!job.success) return refuse('provider_error', 'A webhook holds neither a job nor a hello.', { status: 422 })
  const { id, status } = job.data
  const handle = handleOf(target, id, to.attemptId)
  // There is no message id; deliveries are repeated until one is answered with 200.
  return { deliveryId: `${id} ${status}`, handle: { ...handle }, observation: observe(job.data, handle.stored ?? null) }
}
