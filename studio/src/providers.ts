import { request } from './api.ts'

/** What `GET /v1/providers` answers; only what this page reads. Durations in seconds, money in USD. */
export interface Providers {
  /** So many attempts make figures worth deciding by. */
  readonly enough_samples: number
  readonly deployments: readonly Deployment[]
  readonly recommendations: readonly Recommendation[]
}

export interface Deployment {
  readonly name: string
  readonly model: string
  readonly kind: string
  readonly routed: boolean
  readonly price: { readonly per_second: number; readonly as_of: string | null } | null
  readonly breaker: { readonly state: string; readonly until: string | null; readonly why: string | null }
  readonly measured: Measured
  readonly health: { readonly state: string; readonly message: string } | null
}

/** What nobody has seen yet is null, never zero. */
export interface Measured {
  readonly samples: number
  readonly won: number
  readonly success: { readonly rate: number; readonly low: number; readonly high: number } | null
  readonly total: Spread | null
  readonly queue: Spread | null
  readonly boot: Spread | null
  readonly run: Spread | null
  readonly collect: Spread | null
  readonly cost_per_image: number | null
  readonly unpriced: number
  readonly stalls: number
  readonly restarts: number
}

export interface Spread {
  readonly samples: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export type Preference = 'cost' | 'speed' | 'reliability'

export interface Recommendation {
  readonly model: string
  readonly prefer: Preference
  readonly deployment: string | null
  readonly basis: 'measured' | 'declared' | null
  readonly reasons: readonly string[]
  readonly assumptions: readonly string[]
  readonly ranking: readonly { readonly name: string; readonly excluded: string | null }[]
}

/** What somebody wants, as it was typed: empty for no limit. */
export interface Wish {
  readonly prefer: Preference
  readonly maxCost: string
  readonly maxSeconds: string
}

/** The comparison with a recommendation for a wish; `health` also asks the providers, which takes up to five seconds. */
export function getProviders(wish: Wish, health: boolean, signal: AbortSignal): Promise<Providers> {
  const query = new URLSearchParams({ prefer: wish.prefer })
  if (isLimit(wish.maxCost)) query.set('max_cost_per_image', wish.maxCost)
  if (isLimit(wish.maxSeconds)) query.set('max_seconds', wish.maxSeconds)
  if (health) query.set('health', '1')
  return request(`/v1/providers?${query}`, { signal })
}

/** What is half typed is no limit yet. */
function isLimit(text: string): boolean {
  return text.trim() !== '' && Number(text) > 0
}
