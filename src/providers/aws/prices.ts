import type { PriceList } from '../price-list.ts'

/**
 * USD per second of one instance on demand in us-east-1, from the price list of 2026-07-20 that the project Karpenter
 * generates out of AWS's own. Other regions, Spot, Managed Instances and SageMaker differ: set the target's `pricePerSecond`.
 */
export const instancePrices: PriceList = {
  checkedOn: '2026-07-20',
  perSecond: {
    'g6f.xlarge': perHour(0.2375),
    'g4dn.xlarge': perHour(0.526),
    'g6.xlarge': perHour(0.8048),
    'g6.2xlarge': perHour(0.9776),
    'g5.xlarge': perHour(1.006),
    'g5.2xlarge': perHour(1.212),
    'g6e.xlarge': perHour(1.861),
    'g6e.2xlarge': perHour(2.242),
    'p5.4xlarge': perHour(6.88),
    'p4d.24xlarge': perHour(21.958),
    'p5.48xlarge': perHour(55.04),
  },
}

/**
 * Fargate (Linux on x86, us-east-1): USD per second of one vCPU and of one GB, with a minimum of a minute. As guides of
 * March and April 2026 give them; Spot is cheaper and has no fixed price, so this is its upper bound.
 */
export const fargatePrices: {
  readonly checkedOn: string
  readonly vcpuSecond: number
  readonly gbSecond: number
  readonly minimumSeconds: number
} = { checkedOn: '2026-04-01', vcpuSecond: perHour(0.04048), gbSecond: perHour(0.004445), minimumSeconds: 60 }

/**
 * Lambda (x86, us-east-1): USD per GB-second, and per request. Source: aws.amazon.com/lambda/pricing, as stored copies of 2026
 * give it.
 */
export const lambdaPrices: { readonly checkedOn: string; readonly gbSecond: number; readonly request: number } = {
  checkedOn: '2026-04-01',
  gbSecond: 0.0000166667,
  request: 0.0000002,
}

function perHour(usd: number): number {
  return usd / 3600
}
