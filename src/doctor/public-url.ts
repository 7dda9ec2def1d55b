import { z } from 'zod'
import type { Finding } from '../providers/contract.ts'
import { describeNetworkError } from '../providers/http.ts'
import { ok, problem, warning } from './finding.ts'

const patienceMs = 15_000
const fileSchema = z.looseObject({ id: z.string(), urls: z.looseObject({ get: z.url() }) })
const refusalSchema = z.looseObject({ code: z.string() })

/**
 * Whether the public URL leads to the gateway at `gateway`: a file that is given to the one must come back by a signed
 * link on the other, and a webhook that names no run must be refused in our own words. The file is removed again.
 */
export async function inspectPublicUrl(
  publicUrl: string | null,
  gateway: string | null,
  fetch: typeof globalThis.fetch,
): Promise<Finding[]> {
  if (publicUrl === null) return [ok('There is none; what that means is said of each deployment.')]
  if (gateway === null) {
    const words = `No gateway is running, so whether ${publicUrl} leads to it cannot be seen.`
    return [warning(words, 'Start surefoot serve and run this again.')]
  }
  const signal = AbortSignal.timeout(patienceMs)
  try {
    return [await tryLink(publicUrl, gateway, fetch, signal), await tryWebhook(publicUrl, fetch, signal)]
  } catch (error) {
    return [problem(`${publicUrl} cannot be reached: ${describeNetworkError(error, signal)}.`, proxyAdvice)]
  }
}

const proxyAdvice = 'See that the tunnel or proxy runs, and passes every path and the Host header on to the gateway.'

async function tryLink(
  publicUrl: string,
  gateway: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Finding> {
  const words = `surefoot doctor ${crypto.randomUUID()}`
  const form = new FormData()
  form.set('content', new Blob([words], { type: 'text/plain' }), 'doctor.txt')
  const stored = await fetch(new URL('/v1/files', gateway), { method: 'POST', body: form, signal })
  const file = fileSchema.safeParse(await stored.json().catch(() => null))
  if (!file.success)
    return problem(`The gateway stores no file (it answers ${stored.status}).`, "See the gateway's log.")
  try {
    const { pathname, search } = new URL(file.data.urls.get)
    const answer = await fetch(new URL(pathname + search, publicUrl), { signal, redirect: 'manual' })
    if ((await answer.text()) === words) return ok(`A signed link on ${publicUrl} leads to this gateway.`)
    return problem(`A signed link on ${publicUrl} does not lead to this gateway (${answer.status}).`, proxyAdvice)
  } finally {
    await fetch(new URL(`/v1/files/${file.data.id}`, gateway), { method: 'DELETE', signal }).catch(() => {})
  }
}

async function tryWebhook(publicUrl: string, fetch: typeof globalThis.fetch, signal: AbortSignal): Promise<Finding> {
  const answer = await fetch(new URL('/v1/webhooks/doctor/none/none', publicUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
    signal,
    redirect: 'manual',
  })
  const refusal = refusalSchema.safeParse(await answer.json().catch(() => null))
  if (answer.status === 404 && refusal.success) return ok(`Webhooks get through ${publicUrl}.`)
  return problem(`Webhooks do not get through ${publicUrl}: a POST is answered with ${answer.status}.`, proxyAdvice)
}
