import type { PriceList } from '../price-list.ts'

/**
 * USD per second of one flex worker, by GPU, from docs.runpod.io/serverless/pricing (its table last changed on
 * 2026-06-08). Active workers are cheaper and prices change: set the target's `pricePerSecond` where it must be exact.
 */
export const prices: PriceList = {
  checkedOn: '2026-06-08',
  perSecond: {
    '16gb': 0.00016,
    '24gb': 0.00019,
    '4090': 0.00031,
    '48gb': 0.00034,
    l40s: 0.00053,
    a100: 0.00076,
    'rtx-pro-6000': 0.00111,
    h100: 0.00116,
    h200: 0.00155,
    b200: 0.0024,
  },
}
