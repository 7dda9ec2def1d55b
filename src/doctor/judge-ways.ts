import type { Deployment } from '../engine/contract.ts'
import { isBilled } from '../engine/insight.ts'
import type { Model } from '../models/contract.ts'
import type { Finding, Provider } from '../providers/contract.ts'
import { isThisMachine } from '../providers/option-schemas.ts'
import { megabytes, ok, problem, warning } from './finding.ts'

/**
 * Whether bytes get to a deployment and back: its forms of input and output, the public URL and the bucket (`bucketUrl`) as
 * they can be used there, and what fits into an answer against what the model makes.
 */
export function judgeWays(
  { provider, target }: Deployment,
  model: Model,
  publicUrl: string | null,
  bucket: string | null = null,
): Finding[] {
  const { inputForms, outputForms, inlineOutputBytes, needsCallback } = provider.limits
  const callback = reachableFrom(provider, publicUrl)
  const storage = reachableFrom(provider, bucket)
  const kitUploads = target.kit === true && outputForms.includes('stored')
  const comesToUs = outputForms.every(form => form === 'stored')
  const mustCall = needsCallback || (comesToUs && !kitUploads)
  // What is only heard of at the end must be heard of by us; bytes may go to the bucket.
  const url = mustCall ? callback : (storage ?? callback)
  const needs = kitUploads
    ? 'its worker uploads the output to us'
    : mustCall
      ? 'its outputs are sent to an address of ours only'
      : inputForms.every(form => form === 'url')
        ? 'photos get there by link only'
        : null
  if (url === null && needs !== null) {
    const why = publicUrl === null ? 'there is no public URL' : `${publicUrl} cannot be reached from there`
    const also = bucket === null || mustCall ? '' : `, nor can the bucket at ${bucket}`
    return [problem('bytes', `Nothing can be started: ${needs}, and ${why}${also}.`, urlAdvice)]
  }

  const findings: Finding[] = []
  const usable = inputForms.filter(form => form !== 'url' || url !== null)
  const isInline = usable.every(form => form === 'data')
  if (isInline && inputForms.includes('url')) {
    const message = 'Without a public URL photos travel inside the request, and large ones are refused.'
    findings.push(warning('bytes-in', message, urlAdvice))
  }
  const { usualBytes } = model.output
  const isAnswer = !kitUploads && inlineOutputBytes !== null && (outputForms.includes('data') || comesToUs)
  if (isAnswer && usualBytes !== undefined && usualBytes > inlineOutputBytes) {
    const sizes = `An output of ${model.name} has ${megabytes(usualBytes)}, and an answer there carries ${megabytes(inlineOutputBytes)} at most`
    findings.push(
      comesToUs || outputForms.includes('url')
        ? warning('bytes-out', `${sizes}: it arrives only if the worker answers with a URL.`, uploadAdvice(url))
        : problem('bytes-out', `${sizes}.`, uploadAdvice(url)),
    )
  }
  if (findings.length > 0) return findings
  const place = storage !== null && !mustCall ? ` (bucket at ${storage})` : ''
  const back = kitUploads
    ? `by upload${place === '' ? ' to us' : place}`
    : outputForms.map(form => backWords[form]).join(' or ')
  return [
    ok(
      'bytes',
      `Photos go ${usable.map(form => thereWords[form] + (form === 'url' ? place : '')).join(' or ')}, outputs come ${back}.`,
    ),
  ]
}

const urlAdvice =
  'Set publicUrl in the config, or SUREFOOT_PUBLIC_URL, to an https address that leads to this gateway; bytes alone can go by a bucket (files.s3).'

function uploadAdvice(url: string | null): string {
  const also = url === null ? ' and set a public URL' : ''
  return `Use a worker that uploads: switch kit upload on (kit: true in the target)${also}, or let it put outputs into a bucket.`
}

const thereWords = {
  url: 'by signed link',
  upload: "by upload to the provider's store",
  data: 'inside the request',
  path: "by path on this machine's disk",
} as const

const backWords = {
  url: 'by URL',
  data: 'inside the answer',
  path: "by path on this machine's disk",
  stored: 'to an address of ours',
} as const

/** A vendor takes https and a name that the world knows; a server of one's own may take http, one on this machine any. */
function reachableFrom(provider: Provider, publicUrl: string | null): string | null {
  if (publicUrl === null || !isBilled(provider)) return publicUrl
  const { protocol, hostname } = new URL(publicUrl)
  if (isThisMachine(hostname)) return null
  return protocol === 'https:' || provider.trustedOrigins.length > 0 ? publicUrl : null
}
