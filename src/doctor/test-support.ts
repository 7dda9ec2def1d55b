import { defaultPolicy, type Policy } from '../core/policy.ts'
import type { Deployment, Route } from '../engine/contract.ts'
import { sharp } from '../models/sharp.ts'
import type { Provider, ProviderLimits } from '../providers/contract.ts'

/** What differs from a well-known vendor with a queue, at which nothing is wrong. */
export interface Differences {
  readonly limits?: Partial<ProviderLimits>
  readonly provider?: Partial<Provider>
  readonly target?: Deployment['target']
}

/** A deployment of SHARP at a provider that nobody runs. */
export function createDeployment({ limits, provider, target = {} }: Differences = {}): Deployment {
  return {
    name: 'sharp@there',
    providerName: 'there',
    target,
    concurrency: 1,
    provider: {
      kind: 'there',
      trustedOrigins: [],
      limits: {
        inputForms: ['url', 'data'],
        outputForms: ['stored', 'url', 'data'],
        inlineOutputBytes: 7_500_000,
        resultKeptMs: 60_000,
        heldStart: false,
        startTimeoutMs: 8_000,
        callTimeoutMs: 8_000,
        pollMs: 1_000,
        thisHostOnly: false,
        ...limits,
      },
      parseTarget: () => target,
      start: () => Promise.reject(new Error('a doctor starts nothing')),
      cost: () => null,
      pricePerSecond: () => 0.001,
      ...provider,
    },
  }
}

/** A route over these deployments. */
export function createRoute(deployments: readonly Deployment[], policy: Partial<Policy> = {}): Route {
  return { model: sharp, deployments, policy: { ...defaultPolicy, ...policy } }
}
