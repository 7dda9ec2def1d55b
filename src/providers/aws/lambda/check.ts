import type * as Sdk from '@aws-sdk/client-lambda'
import { z } from 'zod'
import type { Finding, Intent, Io } from '../../contract.ts'
import { duration, judgeRunLimit, ok, problem, warning } from '../../finding.ts'
import type { VendorApi } from '../../vendor-api.ts'
import { type Look, look } from '../api.ts'
import { loadSdk } from '../sdk.ts'
import type { Signer } from '../signer.ts'
import type { LambdaTarget } from './options.ts'

/** Source: the quotas page. */
const longestRunMs = 15 * 60_000
/** What holds where nothing was set. Source: the guide's page on asynchronous invocation. */
const usualRetries = 2
const usualAgeSeconds = 21_600

const text = z.string().max(400).optional().catch(undefined)
const count = z.number().nonnegative().optional().catch(undefined)
const functionSchema = z.looseObject({
  State: text,
  StateReason: text,
  LastUpdateStatus: text,
  LastUpdateStatusReason: text,
  Timeout: count,
  MemorySize: count,
  CodeSize: count,
  PackageType: text,
  EphemeralStorage: z.looseObject({ Size: count }).optional().catch(undefined),
})
type WireFunction = z.infer<typeof functionSchema>
const eventsSchema = z.looseObject({
  MaximumRetryAttempts: count,
  MaximumEventAgeInSeconds: count,
  DestinationConfig: z
    .looseObject({ OnFailure: z.looseObject({ Destination: text }).optional().catch(undefined) })
    .optional()
    .catch(undefined),
})
const concurrencySchema = z.looseObject({ ReservedConcurrentExecutions: count })

/**
 * Reads the function's configuration, how its events are repeated and kept, and what is reserved for it. Needs the rights
 * `lambda:GetFunctionConfiguration`, `lambda:GetFunctionEventInvokeConfig` and `lambda:GetFunctionConcurrency`, which no
 * start needs: where they are not given, that is said.
 */
export async function check(
  target: LambdaTarget,
  tools: { readonly api: VendorApi; readonly signer: Signer },
  io: Io,
  intent: Intent,
): Promise<Finding[]> {
  const { api, signer } = tools
  const sdk = await loadSdk('@aws-sdk/client-lambda', () => import('@aws-sdk/client-lambda'), io.signal)
  const read = async <T>(
    send: (client: Sdk.LambdaClient) => Promise<unknown>,
    schema: z.ZodType<T>,
  ): Promise<Look<T>> => {
    const call = await signer.sign(config => {
      const client = new sdk.LambdaClient(config)
      return { client, send: () => send(client) }
    }, io.signal)
    return await look(api, call, schema, io)
  }
  const FunctionName = target.function
  const [told, events, reserved] = await Promise.all([
    read(client => client.send(new sdk.GetFunctionConfigurationCommand({ FunctionName })), functionSchema),
    read(client => client.send(new sdk.GetFunctionEventInvokeConfigCommand({ FunctionName })), eventsSchema),
    read(
      client => client.send(new sdk.GetFunctionConcurrencyCommand({ FunctionName: withoutAlias(FunctionName) })),
      concurrencySchema,
    ),
  ])
  if (told.kind === 'missing') {
    const message = `AWS Lambda: there is no function ${FunctionName} in this region.`
    return [problem('lambda-function', message, "Correct the deployment's target, or the region.")]
  }
  const denied = [told, events, reserved].some(({ kind }) => kind === 'denied')
  return [
    ...(told.kind === 'told' ? judgeFunction(told.value, target, intent) : []),
    ...(events.kind === 'denied' ? [] : [judgeEvents(events.kind === 'told' ? events.value : {}, intent)]),
    ...(reserved.kind === 'told' ? judgeReserved(reserved.value.ReservedConcurrentExecutions) : []),
    ...(denied ? [rightsMissing] : []),
  ]
}

const rightsMissing = ok(
  'lambda-rights',
  'AWS Lambda: these credentials may not read all of the function: what is not told here was not seen.',
  'Allow lambda:GetFunctionConfiguration, lambda:GetFunctionEventInvokeConfig and lambda:GetFunctionConcurrency.',
)

/** `name:alias` and ARNs with one; what is reserved belongs to the function. */
function withoutAlias(name: string): string {
  const parts = name.split(':')
  return name.startsWith('arn:') ? parts.slice(0, 7).join(':') : (parts[0] ?? name)
}

function judgeFunction(told: WireFunction, { memoryMb }: LambdaTarget, intent: Intent): Finding[] {
  const { State: state, StateReason: why, LastUpdateStatus: update, Timeout: seconds, MemorySize: memory } = told
  const disk = told.EphemeralStorage?.Size
  const size =
    told.CodeSize === undefined ? '' : `, ${(told.CodeSize / 1e6).toFixed(1)} MB as ${told.PackageType ?? 'Zip'}`
  const words = `AWS Lambda: the function is ${state ?? 'there'} (${memory ?? '?'} MB of memory, ${disk ?? '?'} MB of disk, ${seconds ?? '?'} s${size})`
  const findings: Finding[] = []
  if (state === 'Failed' || update === 'Failed') {
    const reason = why ?? told.LastUpdateStatusReason ?? 'it does not say why'
    findings.push(problem('lambda-function', `${words}, and its last change failed: ${reason}.`, 'Deploy it again.'))
  } else if (state === 'Inactive')
    findings.push(
      warning(
        'lambda-function',
        `${words}: the first event finds it asleep and may fail.`,
        'Invoke it once to wake it.',
      ),
    )
  else findings.push(ok('lambda-function', `${words}.`))
  if (memoryMb !== undefined && memory !== undefined && memory !== memoryMb)
    findings.push(
      warning(
        'lambda-memory',
        `AWS Lambda: the target is priced by ${memoryMb} MB of memory, and the function has ${memory} MB.`,
        'Correct memoryMb in the target.',
      ),
    )
  const limit = Math.min(seconds === undefined ? longestRunMs : seconds * 1000, longestRunMs)
  const advice =
    limit < longestRunMs
      ? "Raise the function's timeout (15 minutes at most), or lower runMs."
      : 'No function runs longer: lower runMs, or use ecs() or sagemaker().'
  return [...findings, ...judgeRunLimit('lambda-timeout', intent, { endsAfterMs: limit, words: 'AWS Lambda', advice })]
}

function judgeEvents(events: z.infer<typeof eventsSchema>, { queueMs }: Intent): Finding {
  const retries = events.MaximumRetryAttempts ?? usualRetries
  const ageSeconds = events.MaximumEventAgeInSeconds ?? usualAgeSeconds
  const where = events.DestinationConfig?.OnFailure?.Destination
  const words = `AWS Lambda: a crashed event is repeated ${retries} times, kept ${duration(ageSeconds * 1000)} at most, and what is dropped goes ${where === undefined ? 'nowhere' : 'to a destination'}`
  if (ageSeconds * 1000 < queueMs)
    return warning(
      'lambda-events',
      `${words}; the policy waits ${duration(queueMs)} for its start.`,
      "Raise the function's maximum event age, or lower queueMs.",
    )
  const advice =
    retries === 0 ? null : "Set its retries to 0: a kit's claim lets a repetition do nothing, and it is billed."
  return ok('lambda-events', `${words}.`, advice)
}

function judgeReserved(reserved: number | undefined): Finding[] {
  if (reserved !== 0) return []
  const message = 'AWS Lambda: no concurrency is reserved for the function (0), so no event is ever run.'
  return [problem('lambda-concurrency', message, 'Remove the reservation, or raise it.')]
}
