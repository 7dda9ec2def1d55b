import type { PriceList } from '../price-list.ts'

/** USD per minute of a replica, by its accelerator. */
const perMinute = {
  t4: 0.01052,
  l4: 0.01414,
  a10g: 0.02012,
  a100: 0.06667,
  h100: 0.10833,
  b200: 0.16633,
} as const

/**
 * USD per second of one replica. Baseten bills minutes, from docs.baseten.co/deployment/resources as quoted on 2026-07-16;
 * set the target's `pricePerSecond` where it must be exact.
 */
export const prices: PriceList = {
  checkedOn: '2026-07-16',
  perSecond: Object.fromEntries(Object.entries(perMinute).map(([hardware, price]) => [hardware, price / 60])),
}
