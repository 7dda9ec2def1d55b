import type { Clock, Random } from '../../core/clock.ts'
import { connectionReset } from '../connection.ts'
import type { Emulator, Work } from '../contract.ts'
import { type ActiveFaults, createDice, type FaultRule } from '../faults.ts'
import { createInputs } from '../inputs.ts'
import { misanswerCancel, misanswerStatus } from '../misbehave.ts'
import type { Settings } from '../settings.ts'
import { overlay, tellAccount } from './account.ts'
import { problem, s3Problem, s3Wording } from './answers.ts'
import { createEcsService } from './ecs.ts'
import { createLambdaService } from './lambda.ts'
import { createObjects } from './s3.ts'
import { createSagemakerService } from './sagemaker.ts'
import type { Service } from './service.ts'
import { isSigned, keyIdOf } from './signature.ts'

export interface AwsEmulatorOptions {
  readonly clock: Clock
  readonly random: Random
  readonly work: Work
  readonly faults?: readonly (string | FaultRule)[]
  /** The one access key that is accepted, with the signatures that its secret makes; without it any signature is. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Carries the workers' own calls to the outside: inputs, a kit's hello and upload. Default: the real `fetch`. */
  readonly send?: typeof globalThis.fetch
  /** Cold start: pulling the image and starting it. Default 2 s. */
  readonly bootMs?: number
  /** USD per second of whatever works. Default: the list's price of a g6e.xlarge. */
  readonly pricePerSecond?: number
  /** By the names of the operations that tell of them; see `Settings`. */
  readonly settings?: Settings
}

/**
 * What the adapters for AWS use of its APIs, at one address and on an injected clock: ECS, Lambda, asynchronous endpoints of
 * SageMaker, and a minimal S3 (path style, signed links) in which every bucket exists. Workers are played as our kit. Source:
 * see `docs/providers/aws.md`.
 */
export function createAwsEmulator(options: AwsEmulatorOptions): Emulator {
  const { clock, random, work, credentials, bootMs = 2000, pricePerSecond = 1.861 / 3600 } = options
  const send = options.send ?? globalThis.fetch
  const closed = new AbortController()
  const objects = createObjects(clock, closed.signal)
  let dice = createDice(options.faults ?? [], random)

  /** A worker's network: what is addressed to this emulator stays inside. Only outputs meet the faults of downloads. */
  function networkOf({ origin, faults }: { origin: string; faults: ActiveFaults }): typeof globalThis.fetch {
    return async (input, init) => {
      const request = new Request(input, {
        ...init,
        ...(init?.body instanceof ReadableStream ? { duplex: 'half' } : {}),
      })
      const url = new URL(request.url)
      if (url.origin !== origin) return await send(request)
      const refused = await refuseSignature(request, url, false)
      if (refused !== null) return refused
      return await objects.answer(request, url, url.pathname.endsWith('/output') ? faults : undefined)
    }
  }

  function newId(): string {
    return Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
  }

  const fetchFilesOf = (fetch: typeof globalThis.fetch) => createInputs(fetch)
  const shared = { clock, work, bootMs, newId, roll: () => dice(), networkOf, fetchFilesOf }
  const ecs = createEcsService(shared)
  const lambda = createLambdaService(shared)
  const sagemaker = createSagemakerService({ ...shared, objects })
  const services: readonly Service[] = [ecs, lambda, sagemaker]

  /** A bucket's answer, with the faults of the run that is asked after by it. */
  async function answerObject(request: Request, url: URL, signals: readonly AbortSignal[]): Promise<Response> {
    const path = decodeURIComponent(url.pathname)
    const run = services.map(service => service.runAt?.(path)).find(found => found !== undefined)
    const isLook = /\/state\.json$|-error\.out$/.test(path) || request.headers.get('range') === 'bytes=0-0'
    const instead =
      run === undefined
        ? null
        : request.method === 'GET' && isLook
          ? await misanswerStatus(run, clock, signals, s3Wording)
          : request.method === 'PUT' && path.endsWith('/claim')
            ? misanswerCancel(run, s3Wording)
            : null
    return instead ?? (await objects.answer(request, url))
  }

  /** Null where whoever calls is who it says; the services that speak JSON and S3 word a refusal in two ways. */
  async function refuseSignature(request: Request, url: URL, speaksJson: boolean): Promise<Response | null> {
    const refuse = (json: string, s3: string) => (speaksJson ? problem(json, 'Not signed well.') : s3Problem(403, s3))
    const keyId = keyIdOf(request, url)
    if (keyId === null) return refuse('MissingAuthenticationTokenException', 'AccessDenied')
    if (credentials === undefined) return null
    if (keyId !== credentials.accessKeyId) return refuse('UnrecognizedClientException', 'InvalidAccessKeyId')
    const isGood = await isSigned(request, url, credentials.secretAccessKey)
    return isGood ? null : refuse('InvalidSignatureException', 'SignatureDoesNotMatch')
  }

  async function answer(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const target = request.headers.get('x-amz-target')
    const refused = await refuseSignature(request, url, target !== null)
    if (refused !== null) return refused
    const signals = [request.signal, closed.signal]
    const { settings } = options
    if (target === 'SageMaker.DescribeEndpoint')
      return await overlay(await sagemaker.describe(request), settings, 'DescribeEndpoint')
    const told = await tellAccount(request, url, target, settings)
    if (told !== null) return told
    const operation = target?.split('.').at(-1)
    if (operation !== undefined) {
      const response = await ecs.answer(operation, request, url.origin, signals)
      return operation === 'DescribeClusters' ? await overlay(response, settings, operation) : response
    }
    const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url.pathname)?.[1]
    if (name !== undefined) return await lambda.invoke(decodeURIComponent(name), request, url.origin, signals)
    const endpoint = /^\/endpoints\/([^/]+)\/async-invocations$/.exec(url.pathname)?.[1]
    if (endpoint !== undefined) return await sagemaker.invoke(endpoint, request, url.origin, signals)
    return await answerObject(request, url, signals)
  }

  return {
    async fetch(request) {
      request.signal.throwIfAborted()
      if (closed.signal.aborted) throw connectionReset()
      const response = await answer(request)
      response.headers.set('date', new Date(clock.now()).toUTCString())
      return response
    },
    setFaults(faults) {
      dice = createDice(faults, random)
    },
    state: () => ({
      submits: services.reduce((sum, { submits }) => sum + submits, 0),
      running: services.reduce((sum, { running }) => sum + running, 0),
      ledger: services
        .flatMap(service => service.ledger())
        .map(entry => ({ ...entry, webhook: null, amount: Math.ceil(entry.billedMs / 1000) * pricePerSecond })),
    }),
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const service of services) service.close()
    },
  }
}
