import { z } from 'zod'
import type { Finding } from '../providers/contract.ts'
import { megabytes, ok, problem } from './finding.ts'

/** Whoever passes a request on as it comes has answered long before. */
const patienceMs = 8_000
const firstBytes = 16_384
const refusalSchema = z.looseObject({ code: z.string() })

/**
 * Whether what stands in front of the gateway lets an upload of so many bytes through: one is announced with its length and
 * begun, by a link that the gateway refuses, and never finished. Proxies judge by the announced length. One that counts
 * while bytes pass, or takes all of them before it passes any on, is seen by a probe only.
 */
export async function tryUpload(publicUrl: string, bytes: number, fetch: typeof globalThis.fetch): Promise<Finding> {
  const url = new URL(`${publicUrl}/v1/uploads/doctor/none?expires=1&signature=none`)
  const size = megabytes(bytes)
  const ended = new AbortController()
  const body = new ReadableStream<Uint8Array>({
    start: controller => controller.enqueue(new Uint8Array(Math.min(firstBytes, Math.floor(bytes / 2)))),
  })
  const init = {
    method: 'PUT',
    body,
    duplex: 'half',
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(bytes) },
    redirect: 'manual',
    signal: AbortSignal.any([AbortSignal.timeout(patienceMs), ended.signal]),
  } satisfies RequestInit & { duplex: 'half' }
  try {
    const answer = await fetch(url, init)
    const refusal = refusalSchema.safeParse(await answer.json().catch(() => null))
    if (refusal.success && answer.status !== 413)
      return ok('public-upload', `An upload of ${size} is let through ${publicUrl}.`)
    const words = `${publicUrl} refuses an upload of ${size} (it answers ${answer.status})`
    if (answer.status === 413)
      return problem('public-upload', `${words}: outputs that workers upload are lost.`, limitAdvice)
    return problem('public-upload', `${words} before it reaches the gateway.`, limitAdvice)
  } catch {
    const words = `Whether an upload of ${size} gets through ${publicUrl} is seen by a probe only: something in front takes all of it first, or cuts it off.`
    return ok('public-upload', words, 'Use --probe with a deployment whose worker uploads.')
  } finally {
    ended.abort()
  }
}

const limitAdvice =
  'Raise the size of bodies that the proxy or tunnel takes (nginx: client_max_body_size), or let workers use a bucket.'
