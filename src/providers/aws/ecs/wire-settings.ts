import { z } from 'zod'

/** What a check reads beside tasks, loosely: what has an unexpected shape counts as not told. Source: the SDK's models. */
const text = z.string().max(400).optional().catch(undefined)
const seconds = z.number().nonnegative().optional().catch(undefined)
const texts = z.array(z.string()).optional().catch(undefined)

export interface WireContainerDefinition {
  readonly name?: string
  readonly stopTimeout?: number
  readonly logConfiguration?: { readonly logDriver?: string }
  readonly resourceRequirements?: readonly { readonly type?: string; readonly value?: string }[]
}

/** `DescribeTaskDefinition`. */
export interface WireTaskDefinition {
  readonly status?: string
  readonly revision?: number
  readonly networkMode?: string
  readonly executionRoleArn?: string
  /** What the definition can run on: `EC2 FARGATE EXTERNAL MANAGED_INSTANCES`. */
  readonly compatibilities?: readonly string[]
  readonly containerDefinitions?: readonly WireContainerDefinition[]
}

const containerSchema: z.ZodType<WireContainerDefinition> = z.looseObject({
  name: text,
  stopTimeout: seconds,
  logConfiguration: z.looseObject({ logDriver: text }).optional().catch(undefined),
  resourceRequirements: z
    .array(z.looseObject({ type: text, value: text }))
    .optional()
    .catch(undefined),
})
export const taskDefinitionSchema: z.ZodType<{ readonly taskDefinition: WireTaskDefinition }> = z.looseObject({
  taskDefinition: z.looseObject({
    status: text,
    revision: seconds,
    networkMode: text,
    executionRoleArn: text,
    compatibilities: texts,
    containerDefinitions: z.array(containerSchema).optional().catch(undefined),
  }),
})

/** `DescribeCapacityProviders`. */
export interface WireCapacityProvider {
  readonly name?: string
  readonly status?: string
  readonly autoScalingGroupProvider?: { readonly managedScaling?: { readonly status?: string } }
  readonly managedInstancesProvider?: {
    readonly instanceLaunchTemplate?: { readonly capacityOptionType?: string }
  }
}
export const capacityProvidersSchema: z.ZodType<{ readonly capacityProviders: readonly WireCapacityProvider[] }> =
  z.looseObject({
    capacityProviders: z.array(
      z.looseObject({
        name: text,
        status: text,
        autoScalingGroupProvider: z
          .looseObject({ managedScaling: z.looseObject({ status: text }).optional().catch(undefined) })
          .optional()
          .catch(undefined),
        managedInstancesProvider: z
          .looseObject({
            instanceLaunchTemplate: z.looseObject({ capacityOptionType: text }).optional().catch(undefined),
          })
          .optional()
          .catch(undefined),
      }),
    ),
  })

/** `DescribeClusters`, as far as it says where tasks can go. */
export interface WireClusterPlaces {
  readonly registeredContainerInstancesCount?: number
  readonly capacityProviders?: readonly string[]
  readonly defaultCapacityProviderStrategy?: readonly { readonly capacityProvider?: string }[]
}
export const placesSchema: z.ZodType<{ readonly clusters: readonly WireClusterPlaces[] }> = z.looseObject({
  clusters: z.array(
    z.looseObject({
      registeredContainerInstancesCount: seconds,
      capacityProviders: texts,
      defaultCapacityProviderStrategy: z
        .array(z.looseObject({ capacityProvider: text }))
        .optional()
        .catch(undefined),
    }),
  ),
})
