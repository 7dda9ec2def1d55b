import { z } from 'zod'
import type { MessageFields } from '../../wire/protobuf.ts'

/**
 * What Modal's API sends, read loosely: what has an unexpected shape counts as absent. Source: the messages inside the
 * package `modal@0.11.1`; the vendor says that this API can change without warning.
 */

/** Ids are kept in every record: what is longer is none. */
const id: z.ZodType<string> = z.string().min(1).max(200)
const count = z.int().nonnegative().optional().catch(undefined)
/** Seconds since 1970; zero stands for "not yet". */
const moment = z.number().positive().optional().catch(undefined)
const text = z.string().optional().catch(undefined)

/** `FunctionGet`. */
export interface WireFunction {
  readonly functionId: string
  readonly handleMetadata?: WireFunctionHandle
  readonly function?: WireFunctionData
}
/** `FunctionData`: how it was deployed. */
export interface WireFunctionData {
  readonly timeoutSecs?: number
  readonly autoscalerSettings?: { readonly minContainers?: number; readonly maxContainers?: number }
}
export interface WireFunctionHandle {
  /** Not empty: it is a web endpoint and cannot be called by name. */
  readonly webUrl?: string
  /** `DataFormat` numbers; without 4 (CBOR) the function takes pickles only. */
  readonly supportedInputFormats?: readonly number[]
  readonly maxObjectSizeBytes?: number
  readonly maxAsyncObjectSizeBytes?: number
  readonly classParameterInfo?: { readonly schema?: readonly unknown[] }
  readonly methodHandleMetadata?: { readonly [method: string]: WireFunctionHandle }
}
const handleShape = z.looseObject({
  webUrl: text,
  supportedInputFormats: z.array(z.number()).optional().catch(undefined),
  maxObjectSizeBytes: count,
  maxAsyncObjectSizeBytes: count,
  classParameterInfo: z
    .looseObject({ schema: z.array(z.unknown()).optional() })
    .optional()
    .catch(undefined),
})
export const functionSchema: z.ZodType<WireFunction> = z.looseObject({
  functionId: id,
  handleMetadata: handleShape
    .extend({ methodHandleMetadata: z.record(z.string(), handleShape).optional().catch(undefined) })
    .optional()
    .catch(undefined),
  function: z
    .looseObject({
      timeoutSecs: moment,
      autoscalerSettings: z.looseObject({ minContainers: count, maxContainers: count }).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
})

/** `FunctionMap`. */
export const callSchema: z.ZodType<{ readonly functionCallId: string }> = z.looseObject({ functionCallId: id })

/** `GenericResult`. */
export interface WireResult {
  readonly status: number
  readonly exception?: string
  readonly data?: Uint8Array
  readonly dataBlobId?: string
}
/** An item of `FunctionGetOutputs`. */
export interface WireOutput {
  readonly result: WireResult
  /** `DataFormat`. */
  readonly dataFormat?: number
  readonly inputStartedAt?: number
  readonly outputCreatedAt?: number
  /** How often the input was begun again. */
  readonly retryCount?: number
}
export interface WireOutputs {
  readonly outputs: readonly WireOutput[]
  /** Absent when it is not told; zero without outputs: nothing is left, neither work nor result. */
  readonly numUnfinishedInputs?: number
}
export const outputsSchema: z.ZodType<WireOutputs> = z.looseObject({
  outputs: z.array(
    z.looseObject({
      result: z.looseObject({
        status: z.int(),
        exception: text,
        data: z.instanceof(Uint8Array).optional().catch(undefined),
        dataBlobId: text,
      }),
      dataFormat: count,
      inputStartedAt: moment,
      outputCreatedAt: moment,
      retryCount: count,
    }),
  ),
  numUnfinishedInputs: count,
})

/** `FunctionCallGetInfo`: whether a container has begun with the input; that it shows so is not documented. */
export const infoSchema: z.ZodType<{
  readonly info?: { readonly pendingInputs?: { readonly latest: readonly { readonly startedAt?: number }[] } }
}> = z.looseObject({
  info: z
    .looseObject({
      pendingInputs: z
        .looseObject({ latest: z.array(z.looseObject({ startedAt: moment })) })
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
})

/** `BlobCreate`; without an upload URL the vendor wants several parts. */
export const blobCreatedSchema: z.ZodType<{ readonly blobId: string; readonly uploadUrl: string }> = z.looseObject({
  blobId: id,
  uploadUrl: z.url(),
})
/** `BlobGet`. */
export const blobSchema: z.ZodType<{ readonly downloadUrl: string }> = z.looseObject({ downloadUrl: z.url() })

/** `FunctionGetCurrentStats`. */
export interface WireStats {
  readonly backlog?: number
  readonly numTotalTasks?: number
  readonly numRunningInputs?: number
}
export const statsSchema: z.ZodType<WireStats> = z.looseObject({
  backlog: count,
  numTotalTasks: count,
  numRunningInputs: count,
})

/** `google.rpc.Status` in the trailer `grpc-status-details-bin`, and the one detail of Modal's that matters. */
export const statusDetails: MessageFields = {
  details: [3, { typeUrl: [1, 'string'], value: [2, 'bytes'] }, 'repeated'],
}
export const retryPolicy: MessageFields = { retryAfterSecs: [1, 'float'] }

/** What `start` and `hear` give and `poll` and `cancel` take, for a function that is called by name. */
export interface FunctionHandle {
  /** `fc-...` */
  readonly call: string
  /** `fu-...`; absent where only the call is known, from a kit's hello. */
  readonly function?: string
  /** Key in our store to which the kit uploads; absent where the function is none of ours. */
  readonly stored?: string
  readonly terminateContainers?: true
}
export const functionHandleSchema: z.ZodType<FunctionHandle> = z.strictObject({
  call: z.string().min(1),
  function: z.string().min(1).optional(),
  stored: z.string().min(1).optional(),
  terminateContainers: z.literal(true).optional(),
})

/** The same for a web endpoint. */
export interface WebHandle {
  /** Where the answer can be had, at the target's origin; null where it came with the start and nothing is left to ask. */
  readonly result: string | null
  readonly stored?: string
}
export const webHandleSchema: z.ZodType<WebHandle> = z.strictObject({
  result: z.url().nullable(),
  stored: z.string().min(1).optional(),
})
