import { refuse, SurefootError } from '../../core/failure.ts'
import type { Call } from '../vendor-api.ts'
import type { AwsAccess, AwsCredentials } from './options.ts'
import { untilAborted } from './sdk.ts'

/** What to do where AWS, or its SDK, takes none of our credentials, or they may not do what was asked. */
export const credentialsAdvice: string =
  "AWS has no token: give the provider `credentials`, or let the AWS SDK find some (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in AWS_PROFILE, or the machine's role); they must be current and may do what docs/providers/aws.md names."

/** A request as the SDK's clients hand it to their HTTP handler, signed. */
interface SdkRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query: { readonly [name: string]: string | readonly string[] | null }
  readonly headers: { readonly [name: string]: string }
  readonly body?: unknown
}

/** What every client of the SDK takes. */
export interface ClientConfig {
  readonly region: string
  readonly endpoint?: string
  readonly credentials?: AwsCredentials | Credentials
  readonly requestHandler: { handle(request: unknown): Promise<never> }
  readonly maxAttempts: number
  readonly forcePathStyle: boolean
  /** Checksums only where an operation must have one: nobody knows a stream's before it is sent. */
  readonly requestChecksumCalculation: 'WHEN_REQUIRED'
  readonly responseChecksumValidation: 'WHEN_REQUIRED'
}

/** The SDK's own way to credentials: looks once, and again before they run out. */
type Credentials = (properties?: Record<string, unknown>) => Promise<AwsCredentials>

/** A client of the SDK, as far as signing needs it. */
interface Client {
  readonly config: { readonly credentials: Credentials }
}

/** Turns commands of the AWS SDK into signed calls; sends nothing. */
export interface Signer {
  /**
   * `use` makes a client with this configuration and sends one command through it. The call that comes back holds the whole
   * address as its path. Fails with `auth_rejected` where the SDK finds no credentials, and with `deployment_missing` where it takes the
   * configuration for wrong.
   */
  sign<C extends Client>(use: (config: ClientConfig) => SdkUse<C>, signal: AbortSignal): Promise<Call>
  /** A client for what only signs, such as links. */
  client<C extends Client>(create: (config: ClientConfig) => C): C
}

/** A client and what it is to send. */
export interface SdkUse<C> {
  readonly client: C
  send(): Promise<unknown>
}

/**
 * The SDK serialises and signs; the engine's own `fetch` sends. So every call ends with the engine's signal (a request of
 * the SDK's has no limit in time unless three settings agree), none is repeated behind our back, and what came back instead
 * of an answer is judged as at any other vendor. A client costs 0.1 ms and is made per call; credentials are shared.
 */
export function createSigner({ region, endpoint, credentials: given }: AwsAccess): Signer {
  let credentials: AwsCredentials | Credentials | undefined = given

  function configWith(handle: (request: unknown) => Promise<never>): ClientConfig {
    return {
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
      requestHandler: { handle },
      maxAttempts: 1,
      // One address for all buckets has no names of its own for each.
      forcePathStyle: endpoint !== undefined,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }
  }

  function remember<C extends Client>(client: C): C {
    credentials ??= client.config.credentials
    return client
  }

  return {
    async sign(use, signal) {
      let signed: SdkRequest | null = null
      const { client, send } = use(
        configWith(async request => {
          signed = request as SdkRequest
          throw new Error('signed, not sent')
        }),
      )
      remember(client)
      // The SDK may ask files, a browser's login or the machine for credentials, and has no limit for that.
      const why = await untilAborted(send(), signal).catch((error: unknown) => error)
      signal.throwIfAborted()
      return signed === null ? notSigned(why) : toCall(signed)
    },
    client: create => remember(create(configWith(() => Promise.reject(new Error('this client only signs'))))),
  }
}

function notSigned(error: unknown): never {
  if (SurefootError.is(error)) throw error
  const name = error instanceof Error ? error.name : ''
  if (/Credential|Token/i.test(name))
    return refuse('auth_rejected', 'AWS: the SDK found no credentials that it can use.', {
      advice: credentialsAdvice,
      cause: error,
    })
  const words = error instanceof Error ? error.message : String(error)
  return refuse('deployment_missing', `AWS: the SDK made no request of it: ${words}`, { cause: error })
}

function toCall({ method, protocol, hostname, port, path, query, headers, body }: SdkRequest): Call {
  const host = port === undefined ? hostname : `${hostname}:${port}`
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map(each => `${escapeUri(name)}=${escapeUri(each)}`),
  )
  const search = pairs.length === 0 ? '' : `?${pairs.join('&')}`
  // `fetch` makes these itself, with the same values; the SDK signs its name in a header of its own.
  const { host: _host, 'content-length': _length, 'user-agent': _agent, ...rest } = headers
  return {
    method: method as Call['method'],
    path: `${protocol}//${host}${path}${search}`,
    headers: rest,
    ...(body === undefined
      ? {}
      : { body: typeof body === 'string' ? body : new TextDecoder().decode(body as Uint8Array) }),
  }
}

/** As signatures count it: everything but letters, digits and `-_.~`. */
function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, each => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)
}
