import { refuse } from '../core/failure.ts'

/** A vendor's dated list of USD per second by hardware. */
export interface PriceList {
  readonly checkedOn: string
  readonly perSecond: { readonly [hardware: string]: number }
}

/** The part of a target that says what it costs: `pricePerSecond` (USD) wins over the list's entry for `hardware`. */
export interface Priced {
  readonly hardware?: string
  readonly pricePerSecond?: number
}

/** Fails with `deployment_missing` where a target names hardware that the list does not have, and no price of its own. */
export function checkPrice(kind: string, { hardware, pricePerSecond }: Priced, { perSecond }: PriceList): void {
  if (hardware === undefined || pricePerSecond !== undefined || Object.hasOwn(perSecond, hardware)) return
  const known = Object.keys(perSecond).join(', ')
  const message = `${kind} target: no price is known for hardware "${hardware}". Set pricePerSecond, or use one of ${known}.`
  refuse('deployment_missing', message)
}

/** USD for one second of work, or null when the target names neither a price nor hardware. */
export function priceOf({ hardware, pricePerSecond }: Priced, { perSecond }: PriceList): number | null {
  return pricePerSecond ?? (hardware === undefined ? null : (perSecond[hardware] ?? null))
}

/** When that price was looked up; null where the target states it, or none is known. */
export function pricesAsOf(target: Priced, list: PriceList): string | null {
  return target.pricePerSecond === undefined && priceOf(target, list) !== null ? list.checkedOn : null
}
