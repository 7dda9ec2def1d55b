import type { Cost } from '../../core/prediction.ts'

/** This machine's own time is not billed by anybody, so the amount is exact and not an estimate. */
export const freeOfCharge: Cost = { amount: 0, currency: 'USD', estimated: false }
