import { type ZodType, z } from 'zod'
import type { FailureCode } from '../../core/failure.ts'
import type { Io } from '../contract.ts'
import type { Answer } from '../http.ts'
import { type Call, createVendorApi, isSuccess, type VendorApi } from '../vendor-api.ts'
import { credentialsAdvice } from './signer.ts'

/** First match wins. Source: the services' pages on common errors, and the exceptions in the SDK's models. */
const meanings: readonly (readonly [RegExp, FailureCode])[] = [
  [/^(Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|SlowDown|BandwidthLimitExceeded)/, 'rate_limited'],
  [/^(OptInRequired|SubscriptionRequired)/, 'payment_required'],
  [/^(Blocked|AccountProblem|AllAccessDisabled)/, 'account_locked'],
  [
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|ExpiredToken|InvalidToken|RequestExpired|RequestTimeTooSkewed|AccessDenied|NotAuthorized|MissingAuthenticationToken|IncompleteSignature|InvalidSignature|SignatureDoesNotMatch)/,
    'auth_rejected',
  ],
  [
    /^(ClusterNotFound|ResourceNotFound|NoSuchBucket|PlatformUnknown|PlatformTaskDefinitionIncompatibility|UnsupportedFeature|PermanentRedirect|AuthorizationHeaderMalformed)/,
    'deployment_missing',
  ],
  [/^(RequestTooLarge|RequestEntityTooLarge|EntityTooLarge|PayloadTooLarge)/, 'input_too_large'],
  [/^(ServiceQuotaExceeded|LimitExceeded|Capacity|EC2Throttled|ENILimitReached)/, 'no_capacity'],
]

/** A client's error whose name says little, by its words. */
const words: readonly (readonly [RegExp, FailureCode])[] = [
  [/PROVISIONING state|limit of (concurrent|running) tasks|vCPUs? limit/i, 'no_capacity'],
  [/task ?definition|capacity provider|could not find endpoint|endpoint .* not found/i, 'deployment_missing'],
]

/**
 * One service of AWS. Its calls come out of a `Signer`, with their whole address as the path. AWS tells most errors by a
 * name and answers 400 for all of them, bad keys and throttling included.
 */
export function createAwsApi(name: string): VendorApi {
  return createVendorApi({
    name,
    baseUrl: '',
    authorization: null,
    codeOf(answer, text) {
      const error = errorNameOf(answer)
      if (error === null) return undefined
      const named = meanings.find(([pattern]) => pattern.test(error))?.[1]
      if (named !== undefined || answer.status !== 400) return named
      return words.find(([pattern]) => pattern.test(text))?.[1]
    },
    adviceOf(code, answer) {
      if (code === 'auth_rejected') return credentialsAdvice
      if (errorNameOf(answer)?.startsWith('ClusterNotFound'))
        return 'The cluster is an option of the provider: correct `cluster` (default `default`) or `region` in ecs().'
      return undefined
    },
  })
}

const errorSchema = z.looseObject({ __type: z.string().optional().catch(undefined) })

/** `ClusterNotFoundException` out of a header, of JSON's `__type`, or of XML; null where AWS names none. */
export function errorNameOf({ headers, json, text }: Answer): string | null {
  const told =
    headers.get('x-amzn-errortype') ??
    errorSchema.safeParse(json).data?.__type ??
    /<Code>(\w+)<\/Code>/.exec(text.slice(0, 2_000))?.[1]
  // `com.amazonaws.ecs#Name`, `Name:http://...`
  return told === undefined ? null : (told.split(':')[0]?.split('#').at(-1) ?? null)
}

/** What a read that a start does not need has told: a value, that there is none, or that these credentials may not ask. */
export type Look<T> =
  | { readonly kind: 'told'; readonly value: T }
  | { readonly kind: 'missing' }
  | { readonly kind: 'denied' }

/** One such read. Bad credentials, in contrast to few rights, fail like any other call. */
export async function look<T>(api: VendorApi, call: Call, schema: ZodType<T>, io: Io): Promise<Look<T>> {
  const answer = await api.ask(call, io)
  if (isSuccess(answer)) return { kind: 'told', value: api.read(answer, schema) }
  if (/^AccessDenied|^NotAuthorized/.test(errorNameOf(answer) ?? '')) return { kind: 'denied' }
  if (answer.status === 404 || api.failureOf(answer).code === 'deployment_missing') return { kind: 'missing' }
  return { kind: 'told', value: api.read(answer, schema) }
}
