import { z } from 'zod'

/** `InvokeEndpointAsync`'s body; where the result will be is in its headers. */
export const invokedSchema: z.ZodType<{ readonly InferenceId: string }> = z.looseObject({
  InferenceId: z.string().min(1),
})

/** `DescribeEndpoint`, as far as it says who is there to work. */
export interface WireEndpoint {
  /** `InService`, `Creating`, `Updating`, `Failed`, ... */
  readonly EndpointStatus: string
  readonly FailureReason?: string
  readonly ProductionVariants?: readonly {
    readonly CurrentInstanceCount?: number
    readonly DesiredInstanceCount?: number
  }[]
  /** Absent: the endpoint is one that answers at once. */
  readonly AsyncInferenceConfig?: {
    readonly ClientConfig?: { readonly MaxConcurrentInvocationsPerInstance?: number }
    readonly OutputConfig: { readonly S3OutputPath?: string; readonly S3FailurePath?: string }
  }
}
const count = z.int().nonnegative().optional().catch(undefined)
const place = z.string().max(1_100).optional().catch(undefined)
export const endpointSchema: z.ZodType<WireEndpoint> = z.looseObject({
  EndpointStatus: z.string().min(1).max(200),
  FailureReason: z.string().optional().catch(undefined),
  ProductionVariants: z
    .array(z.looseObject({ CurrentInstanceCount: count, DesiredInstanceCount: count }))
    .optional()
    .catch(undefined),
  AsyncInferenceConfig: z
    .looseObject({
      ClientConfig: z.looseObject({ MaxConcurrentInvocationsPerInstance: count }).optional().catch(undefined),
      OutputConfig: z.looseObject({ S3OutputPath: place, S3FailurePath: place }),
    })
    .optional()
    .catch(undefined),
})

/** What `start`, `find` and `hear` give and `poll` and `cancel` take. */
export interface Handle {
  /** Begins the keys of a kit's objects in the bucket; absent for other containers. */
  readonly folder?: string
  /** `s3://` addresses where the endpoint will put its answer or its error; absent where the start's answer was lost. */
  readonly output?: string
  readonly failure?: string
}
const uri = z.string().regex(/^s3:\/\/[^/]+\/.+$/)
export const uriSchema: z.ZodType<string> = uri
export const handleSchema: z.ZodType<Handle> = z.strictObject({
  folder: z.string().min(1).optional(),
  output: uri.optional(),
  failure: uri.optional(),
})
