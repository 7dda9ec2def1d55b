import { type Priced, type PriceList, priceOf, pricesAsOf } from '../price-list.ts'

/**
 * USD per second of one GPU, as modal.com/pricing had it on 2026-08-19 (read from a third party's dated copy, not from the
 * page itself). Regions that are pinned cost 1.5 or 1.75 times as much: set the target's `pricePerSecond` for those.
 */
export const prices: PriceList = {
  checkedOn: '2026-08-19',
  perSecond: {
    t4: 0.000164,
    l4: 0.000222,
    a10: 0.000306,
    l40s: 0.000542,
    'a100-40gb': 0.000583,
    'a100-80gb': 0.000694,
    h100: 0.001097,
    h200: 0.001261,
    b200: 0.001736,
    b300: 0.001972,
  },
}

/** USD per second of what is billed beside the GPU: one physical core, one GiB of memory. Same page and date. */
export const pricesBeside: { readonly core: number; readonly gib: number } = { core: 0.0000131, gib: 0.00000222 }

/** What a container of a function has besides its GPU. */
export interface PricedContainer extends Priced {
  /** Physical cores. */
  readonly cores?: number
  /** GiB. */
  readonly memoryGib?: number
}

/** USD for one second of a container: the target's own price, or GPU, cores and memory together; null when not known. */
export function priceOfContainer(target: PricedContainer): number | null {
  const price = priceOf(target, prices)
  if (price === null || target.pricePerSecond !== undefined) return price
  return price + (target.cores ?? 0) * pricesBeside.core + (target.memoryGib ?? 0) * pricesBeside.gib
}

/** When that price was looked up; null where the target states it, or none is known. */
export function pricesOfContainerAsOf(target: PricedContainer): string | null {
  return pricesAsOf(target, prices)
}
