import { formatMoney, formatSpan } from './format.ts'
import { place } from './plot.ts'
import type { Measured } from './providers.ts'

const height = 26
const middle = height / 2

/** The parts of the time to a result, in their order; each has its own tone in the style sheet. */
export const stages = ['queue', 'boot', 'run', 'collect'] as const

/** The share of attempts that succeeded as a dot on its interval, from 0 to 100 %. */
export function SuccessPlot({ success }: { success: NonNullable<Measured['success']> }) {
  const { rate, low, high } = success
  return (
    <svg className="plot" height={height} aria-hidden="true">
      <line className="plot-track" x1="0" x2="100%" y1={middle} y2={middle} />
      <line className="plot-interval" x1={place(low, 1)} x2={place(high, 1)} y1={middle} y2={middle} />
      <circle className="plot-dot" cx={place(rate, 1)} cy={middle} r="5" />
    </svg>
  )
}

/** The medians of the stages one after the other, and a line from the median to the 95th percentile of the whole. */
export function TimePlot({ measured, end }: { measured: Measured; end: number }) {
  const { total } = measured
  let from = 0
  return (
    <svg className="plot" height={height} aria-hidden="true">
      <line className="plot-track" x1="0" x2="100%" y1={middle} y2={middle} />
      {stages.map(stage => {
        const seconds = measured[stage]?.p50 ?? 0
        const x = place(from, end)
        from += seconds
        return (
          <rect key={stage} data-stage={stage} x={x} width={place(seconds, end)} y={middle - 7} height="14" rx="1" />
        )
      })}
      {total && (
        <g className="plot-whisker">
          <line x1={place(total.p50, end)} x2={place(total.p95, end)} y1={middle} y2={middle} />
          <line x1={place(total.p95, end)} x2={place(total.p95, end)} y1={middle - 5} y2={middle + 5} />
          <circle cx={place(total.p99, end)} cy={middle} r="2" />
        </g>
      )}
    </svg>
  )
}

/** What a finished image costs, as a bar. */
export function CostPlot({ cost, end }: { cost: number; end: number }) {
  return (
    <svg className="plot" height={height} aria-hidden="true">
      <line className="plot-track" x1="0" x2="100%" y1={middle} y2={middle} />
      <rect className="plot-bar" x="0" width={place(cost, end)} y={middle - 7} height="14" rx="1" />
      {cost === 0 && <circle className="plot-dot" cx="0" cy={middle} r="5" />}
    </svg>
  )
}

/** From zero to the end of an axis, in words above a column. */
export function Axis({ from, to }: { from: string; to: string }) {
  return (
    <span className="axis number" aria-hidden="true">
      <span>{from}</span>
      <span>{to}</span>
    </span>
  )
}

/** `0.3 s`, from seconds. */
export function inWords(seconds: number): string {
  return formatSpan(seconds * 1000)
}

/** Prices per second are far below a cent. */
export function perSecond(price: number): string {
  return price === 0 ? 'free' : `${formatMoney(price)} a second`
}
