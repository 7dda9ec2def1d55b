import type { PriceList } from '../price-list.ts'

/**
 * USD per second of one instance, by its type. No price page could be had: these two come from public test data of the
 * vendor's console (koyeb/control-panel, October 2025) and are not confirmed. The vendor tells its prices at
 * `GET /v1/catalog/instances`: set the target's `pricePerSecond` from there.
 */
export const prices: PriceList = {
  checkedOn: '2025-10-01',
  perSecond: {
    'gpu-nvidia-rtx-4000-sff-ada': 0.000139,
    'gpu-nvidia-l4': 0.000278,
  },
}
