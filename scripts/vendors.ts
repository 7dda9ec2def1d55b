import { instancePrices as awsPrices } from '../src/providers/aws/prices.ts'
import { prices as basetenPrices } from '../src/providers/baseten/prices.ts'
import { prices as koyebPrices } from '../src/providers/koyeb/prices.ts'
import { prices as modalPrices, pricesBeside } from '../src/providers/modal/prices.ts'
import { prices as replicatePrices } from '../src/providers/replicate/prices.ts'
import { prices as runpodPrices } from '../src/providers/runpod/prices.ts'

/** Graphics memory, in the steps in which vendors sell it. */
export const gpuClasses = ['16 GB', '24 GB', '48 GB', '80 GB', 'H100'] as const
export type GpuClass = (typeof gpuClasses)[number]

/** What one vendor's documents say, for `docs/comparison.md`. Nothing here was measured. */
export interface Vendor {
  readonly name: string
  /** List prices in USD per second of one worker, with what they buy. */
  readonly prices: { readonly [gpu in GpuClass]?: readonly [sku: string, perSecond: number] }
  /** USD per second on top of each price, where processor and memory are billed apart. */
  readonly extra: number
  readonly pricesAsOf: string
  readonly pricesFrom: string
  /** Seconds of idling that are billed after a run, and who says so: the vendor's default, or nobody, so it is assumed. */
  readonly idle: { readonly seconds: number; readonly from: string }
  /** Seconds that pass before a worker's own cold start begins, billed too. Default 0. */
  readonly machineStart?: { readonly seconds: number; readonly from: string }
  /** Billed time is rounded up to so many seconds. */
  readonly granularity: number
  readonly reliability: string
  readonly setUp: string
  readonly async: string
  readonly advice: string
}

/** In the order in which the question was first asked. */
export const vendors: readonly Vendor[] = [
  {
    name: 'Modal',
    prices: {
      '16 GB': ['T4', modalPrices.perSecond.t4 ?? Number.NaN],
      '24 GB': ['L4', modalPrices.perSecond.l4 ?? Number.NaN],
      '48 GB': ['L40S', modalPrices.perSecond.l40s ?? Number.NaN],
      '80 GB': ['A100 80 GB', modalPrices.perSecond['a100-80gb'] ?? Number.NaN],
      H100: ['H100', modalPrices.perSecond.h100 ?? Number.NaN],
    },
    // Two cores and 16 GiB beside the GPU.
    extra: 2 * pricesBeside.core + 16 * pricesBeside.gib,
    pricesAsOf: modalPrices.checkedOn,
    pricesFrom: 'modal.com/pricing, with 2 cores and 16 GiB',
    idle: { seconds: 60, from: 'default of `scaledown_window`, modal.com/docs/guide/cold-start' },
    granularity: 1,
    reliability:
      'Any function on a GPU may be preempted and begins again, retries or not; a container that crashes is started again without end while the caller sees "pending" (modal.com/docs/guide/preemption, /retries).',
    setUp: 'A Python app, deployed with its own command. No image registry needed.',
    async:
      'Yes: an id to ask by, results kept 7 days, cancel. No webhook, no progress, no key that makes a repeated start harmless.',
    advice: 'where you already write Python for it; watch for runs that restart in silence.',
  },
  {
    name: 'Replicate',
    prices: {
      '16 GB': ['gpu-t4', replicatePrices.perSecond['gpu-t4'] ?? Number.NaN],
      '48 GB': ['gpu-l40s', replicatePrices.perSecond['gpu-l40s'] ?? Number.NaN],
      '80 GB': ['gpu-a100-large', replicatePrices.perSecond['gpu-a100-large'] ?? Number.NaN],
      H100: ['gpu-h100', replicatePrices.perSecond['gpu-h100'] ?? Number.NaN],
    },
    extra: 0,
    pricesAsOf: replicatePrices.checkedOn,
    pricesFrom: 'replicate.com/pricing',
    idle: { seconds: 60, from: 'assumed; a model of your own is billed for idling, a public one is not' },
    granularity: 1,
    reliability:
      'Input, output and logs of API predictions are gone after an hour (replicate.com/docs, data retention); a run may take 30 minutes, waiting has no stated end.',
    setUp: 'A Cog image, pushed to its registry; or a public model, with nothing to set up.',
    async:
      'Yes: poll, list, cancel, signed webhooks, progress in the log. No key that makes a repeated start harmless.',
    advice: 'to begin with the least work; a start whose answer was lost can be found again in its list.',
  },
  {
    name: 'RunPod',
    prices: {
      '16 GB': ['16 GB', runpodPrices.perSecond['16gb'] ?? Number.NaN],
      '24 GB': ['24 GB (L4, A5000, 3090)', runpodPrices.perSecond['24gb'] ?? Number.NaN],
      '48 GB': ['L40S', runpodPrices.perSecond.l40s ?? Number.NaN],
      '80 GB': ['A100', runpodPrices.perSecond.a100 ?? Number.NaN],
      H100: ['H100', runpodPrices.perSecond.h100 ?? Number.NaN],
    },
    extra: 0,
    pricesAsOf: runpodPrices.checkedOn,
    pricesFrom: 'docs.runpod.io/serverless/pricing, flex workers',
    idle: { seconds: 5, from: 'default, docs.runpod.io/serverless/endpoints/endpoint-configurations' },
    granularity: 1,
    reliability:
      'A result over 10 MB may be lost although the job says it completed (a splat of SHARP has 66 MB, so a kit must upload it); an endpoint without jobs for a week is set to no workers.',
    setUp: 'A container image with a handler, and an endpoint for it.',
    async: 'Yes: poll, cancel, progress, results kept 30 minutes, webhooks without signature. No list of jobs.',
    advice: 'for images that come now and then, since it idles for 5 seconds only; outputs must go by upload.',
  },
  {
    name: 'Koyeb',
    prices: {
      '16 GB': ['RTX 4000 SFF Ada, 20 GB', koyebPrices.perSecond['gpu-nvidia-rtx-4000-sff-ada'] ?? Number.NaN],
      '24 GB': ['L4', koyebPrices.perSecond['gpu-nvidia-l4'] ?? Number.NaN],
    },
    extra: 0,
    pricesAsOf: koyebPrices.checkedOn.slice(0, 7),
    pricesFrom: 'prices in public test data of its console; not confirmed by a price page',
    idle: { seconds: 300, from: 'default, koyeb.com/docs/run-and-scale/scale-to-zero' },
    granularity: 1,
    reliability:
      'Sleeps when no public traffic arrives, which may be in the middle of work that goes on behind an early answer; waking a GPU waits for capacity (its console says so).',
    setUp:
      'A container image with an HTTP server, as a service that scales to zero. GPU services have deep sleep only.',
    async:
      "None of its own: whatever the container's server can do. With Cog's: webhooks and cancel, but no asking by id.",
    advice: 'for containers that serve requests; a queue, results and retries are left to you.',
  },
  {
    name: 'AWS',
    prices: {
      '16 GB': ['g4dn.xlarge, T4', awsPrices.perSecond['g4dn.xlarge'] ?? Number.NaN],
      '24 GB': ['g6.xlarge, L4', awsPrices.perSecond['g6.xlarge'] ?? Number.NaN],
      '48 GB': ['g6e.xlarge, L40S', awsPrices.perSecond['g6e.xlarge'] ?? Number.NaN],
      H100: ['p5.4xlarge', awsPrices.perSecond['p5.4xlarge'] ?? Number.NaN],
    },
    extra: 0,
    pricesAsOf: awsPrices.checkedOn,
    pricesFrom: 'EC2 on demand, us-east-1, as in the price table of aws/karpenter-provider-aws',
    idle: { seconds: 300, from: 'assumed; your autoscaling decides' },
    machineStart: { seconds: 120, from: 'assumed for a fresh EC2 instance and the image on it' },
    granularity: 1,
    reliability:
      'Starting a task can answer 200 and have failed; without capacity it waits 10 to 30 minutes and then fails (aws/containers-roadmap#2381). ECS shows a stopped task for at least an hour.',
    setUp:
      'A cluster with GPU instances that scale from zero, a task definition, roles, a bucket: the most parts of the six.',
    async:
      'Yes. ECS: poll, stop, and `clientToken`, which makes a repeated start harmless. SageMaker asynchronous: no status, no cancel. Batch: poll and terminate, but Surefoot has no adapter for it.',
    advice: 'where data must stay in your account, and for a steady load.',
  },
  {
    name: 'Baseten',
    prices: {
      '16 GB': ['T4', basetenPrices.perSecond.t4 ?? Number.NaN],
      '24 GB': ['L4', basetenPrices.perSecond.l4 ?? Number.NaN],
      '80 GB': ['A100 80 GB', basetenPrices.perSecond.a100 ?? Number.NaN],
      H100: ['H100', basetenPrices.perSecond.h100 ?? Number.NaN],
    },
    extra: 0,
    pricesAsOf: basetenPrices.checkedOn,
    pricesFrom: 'docs.baseten.co/deployment/resources, per minute',
    idle: { seconds: 900, from: 'default of the scale-down delay, docs.baseten.co/deployment/autoscaling' },
    granularity: 60,
    reliability:
      'An asynchronous result is not kept: it comes by one webhook, tried twice in all. A request may run up to three times; what runs cannot be cancelled.',
    setUp: 'A Truss (Python), pushed with its own command.',
    async: 'Partly: seven states to ask for, cancel while queued, signed webhook with the result. No list.',
    advice:
      'for a steady load; lower the scale-down delay before anything else, it is most of what a single image costs.',
  },
]
