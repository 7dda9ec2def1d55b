import type { PriceList } from '../price-list.ts'

/**
 * USD per second of one instance, by hardware SKU, from replicate.com/pricing (read in 2026; T4 and A100 confirmed on
 * 2026-03-09). Prices change and private models are billed for boot and idle time too: set the target's
 * `pricePerSecond` where it must be exact.
 */
export const prices: PriceList = {
  checkedOn: '2026-03-09',
  perSecond: {
    cpu: 0.0001,
    'gpu-t4': 0.000225,
    'gpu-a40-small': 0.000575,
    'gpu-a40-large': 0.000725,
    'gpu-a40-large-2x': 0.00145,
    'gpu-a40-large-4x': 0.0029,
    'gpu-a40-large-8x': 0.0058,
    'gpu-l40s': 0.000975,
    'gpu-2x-l40s': 0.00195,
    'gpu-4x-l40s': 0.0039,
    'gpu-8x-l40s': 0.0078,
    'gpu-a100-large': 0.0014,
    'gpu-a100-large-2x': 0.0028,
    'gpu-a100-large-4x': 0.0056,
    'gpu-a100-large-8x': 0.0112,
    'gpu-h100': 0.001525,
    'gpu-h100-2x': 0.00305,
    'gpu-h100-4x': 0.0061,
    'gpu-h100-8x': 0.0122,
  },
}
