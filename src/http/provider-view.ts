import type { Recommendation, Wish } from '../core/recommend.ts'
import type { Measured, Spread } from '../core/statistics.ts'
import type { DeploymentReport } from '../engine/contract.ts'
import type { Health } from '../providers/contract.ts'
import type { DeploymentJson, MeasuredJson, RecommendationJson, SpreadJson } from './provider-shapes.ts'
import { toTime } from './view.ts'

/** A deployment as JSON; `health` only where it was asked for. */
export function toDeploymentView(report: DeploymentReport, health: Health | null): DeploymentJson {
  const { name, model, providerName, kind, routed, billed, concurrency, pricePerSecond, pricesAsOf, breaker } = report
  return {
    name,
    model,
    provider: providerName,
    kind,
    routed,
    billed,
    concurrency,
    price: pricePerSecond === null ? null : { per_second: pricePerSecond, as_of: pricesAsOf },
    breaker: {
      state: breaker.state,
      until: breaker.state === 'open' ? toTime(breaker.until) : null,
      why: breaker.state === 'closed' ? null : breaker.why,
    },
    measured: toMeasuredView(report.measured),
    health,
  }
}

/** Figures as JSON: durations in seconds. */
export function toMeasuredView({ costPerSuccess, ...measured }: Measured): MeasuredJson {
  const { samples, won, success, unpriced, stalls, restarts } = measured
  return {
    samples,
    won,
    success,
    total: inSeconds(measured.total),
    queue: inSeconds(measured.queue),
    boot: inSeconds(measured.boot),
    run: inSeconds(measured.run),
    collect: inSeconds(measured.collect),
    cost_per_image: costPerSuccess,
    unpriced,
    stalls,
    restarts,
  }
}

function inSeconds(spread: Spread | null): SpreadJson | null {
  if (spread === null) return null
  const { samples, p50, p95, p99 } = spread
  return { samples, p50: p50 / 1000, p95: p95 / 1000, p99: p99 / 1000 }
}

/** A recommendation as JSON. */
export function toRecommendationView(
  model: string,
  { prefer }: Wish,
  recommendation: Recommendation,
): RecommendationJson {
  const { ranking, ...rest } = recommendation
  return {
    model,
    prefer,
    ...rest,
    ranking: ranking.map(({ slowSeconds, ...judged }) => ({ ...judged, slow_seconds: slowSeconds })),
  }
}
