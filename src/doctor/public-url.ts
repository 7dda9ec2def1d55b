import { z } from 'zod'
import type { Finding } from '../providers/contract.ts'
import { describeNetworkError } from '../providers/http.ts'
import { ok, problem, warning } from './finding.ts'
import { tryUpload } from './public-upload.ts'

const patienceMs = 15_000
const predictionSchema = z.looseObject({ output: z.unknown(), input: z.record(z.string(), z.unknown()) })
const pageSchema = z.looseObject({ results: z.array(predictionSchema) })
const refusalSchema = z.looseObject({ code: z.string() })

/**
 * Whether the public URL leads to the gateway at `gateway`: what a signed link gives on the one it must give on the other,
 * a webhook that names no run must be refused in our own words, and so must an upload as large as an output.
 */
export async function inspectPublicUrl(
  publicUrl: string | null,
  gateway: string | null,
  fetch: typeof globalThis.fetch,
  /** What the largest output that may be uploaded usually has; null where nobody has said. */
  uploadBytes: number | null,
): Promise<Finding[]> {
  if (publicUrl === null) return [ok('public-url', 'There is none; what that means is said of each deployment.')]
  if (gateway === null) {
    const words = `No gateway is running, so whether ${publicUrl} leads to it cannot be seen.`
    return [
      warning(
        'public-url',
        words,
        'Start what answers there, surefoot serve or the app that mounts Surefoot, and run this again.',
      ),
    ]
  }
  const signal = AbortSignal.timeout(patienceMs)
  try {
    return [
      ...(await tryLink(publicUrl, gateway, fetch, signal)),
      await tryWebhook(publicUrl, fetch, signal),
      ...(uploadBytes === null ? [] : [await tryUpload(publicUrl, uploadBytes, fetch)]),
    ]
  } catch (error) {
    return [
      problem(
        'public-url',
        `${publicUrl} cannot be reached: ${describeNetworkError(error, signal, publicUrl)}.`,
        proxyAdvice,
      ),
    ]
  }
}

const proxyAdvice = 'See that the tunnel or proxy runs, and passes every path and the Host header on to the gateway.'

/** Only the gateway that signed a link serves it, so any file of any prediction proves who answers; nothing without one. */
async function tryLink(
  publicUrl: string,
  gateway: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<Finding[]> {
  const page = await fetch(new URL('/v1/predictions', gateway), { signal })
  const predictions = pageSchema.safeParse(await page.json().catch(() => null)).data?.results ?? []
  const link = predictions.flatMap(linksOf).find(url => new URL(url).pathname.startsWith('/v1/'))
  if (link === undefined) return []
  const { pathname, search } = new URL(link)
  const read = async (origin: string) => {
    const headers = { range: 'bytes=0-63' }
    const answer = await fetch(origin + pathname + search, { signal, headers, redirect: 'manual' })
    return `${answer.status} ${answer.headers.get('content-range')} ${await answer.text()}`
  }
  const [here, there] = await Promise.all([read(new URL(gateway).origin), read(publicUrl)])
  if (here === there) return [ok('public-link', `A signed link on ${publicUrl} leads to this gateway.`)]
  const words = `A signed link on ${publicUrl} does not lead to this gateway (it answers ${there.slice(0, 3)}).`
  return [problem('public-link', words, proxyAdvice)]
}

function linksOf({ output, input }: z.infer<typeof predictionSchema>): string[] {
  return [output, ...Object.values(input)].filter(value => typeof value === 'string' && URL.canParse(value)) as string[]
}

async function tryWebhook(publicUrl: string, fetch: typeof globalThis.fetch, signal: AbortSignal): Promise<Finding> {
  const answer = await fetch(`${publicUrl}/v1/webhooks/doctor/none/none`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
    signal,
    redirect: 'manual',
  })
  const refusal = refusalSchema.safeParse(await answer.json().catch(() => null))
  if (answer.status === 404 && refusal.success) return ok('public-webhook', `Webhooks get through ${publicUrl}.`)
  return problem(
    'public-webhook',
    `Webhooks do not get through ${publicUrl}: a POST is answered with ${answer.status}.`,
    proxyAdvice,
  )
}
