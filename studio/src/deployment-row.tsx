import { formatMoney, formatPercent } from './format.ts'
import { CostPlot, inWords, perSecond, SuccessPlot, stages, TimePlot } from './plots.tsx'
import type { Deployment } from './providers.ts'

/** Where the axes of all rows end, so that rows can be compared. */
export interface Scales {
  readonly seconds: number
  readonly cost: number
}

export interface DeploymentRowProps {
  readonly deployment: Deployment
  readonly scales: Scales
  readonly recommended: boolean
  /** Why it is out, for the wish; null when it is not. */
  readonly excluded: string | null
  /** What the provider said when it was asked; null when it was not, or says nothing. */
  readonly health: Deployment['health']
}

/** One deployment: who it is, and its three figures, each drawn and in words. */
export function DeploymentRow({ deployment, scales, recommended, excluded, health }: DeploymentRowProps) {
  const { name, kind, routed, breaker, measured } = deployment
  const { samples, stalls, restarts } = measured
  return (
    <tr data-recommended={recommended || undefined}>
      <th scope="row">
        <span className="deployment-name">{name}</span>
        <span className="quiet">
          {[
            kind,
            routed ? null : 'not on the route',
            samples === 0 ? null : count(samples, 'attempt'),
            stalls === 0 ? null : count(stalls, 'stall'),
            restarts === 0 ? null : count(restarts, 'restart'),
          ]
            .filter(part => part !== null)
            .join(' · ')}
        </span>
        {breaker.state !== 'closed' && (
          <span className="deployment-bad">
            {breaker.state === 'open' ? 'Paused. ' : 'Being tried again. '}
            {breaker.why}
          </span>
        )}
        {breaker.state === 'closed' && excluded !== null && <span className="quiet">Out: {excluded}</span>}
        {health && (
          <span className={health.state === 'ok' || health.state === 'unknown' ? 'quiet' : 'deployment-bad'}>
            {health.message}
          </span>
        )}
      </th>
      <td data-label="Success">
        <Success {...measured} />
      </td>
      <td data-label="Time to a result">
        <Time measured={measured} end={scales.seconds} />
      </td>
      <td data-label="Cost of a finished image">
        <Cost deployment={deployment} end={scales.cost} />
      </td>
    </tr>
  )
}

function Success({ success, won, samples }: Deployment['measured']) {
  if (success === null) return <NoData />
  return (
    <>
      <SuccessPlot success={success} />
      <span className="number">
        {formatPercent(success.rate)}{' '}
        <span className="quiet">
          {won} of {samples}, 95&nbsp;% interval {Math.floor(success.low * 100)}–{Math.ceil(success.high * 100)}&nbsp;%
        </span>
      </span>
    </>
  )
}

function Time({ measured, end }: { measured: Deployment['measured']; end: number }) {
  const { total } = measured
  if (total === null) return <NoData />
  const parts = stages.flatMap(stage => {
    const spread = measured[stage]
    return spread === null ? [] : `${stage} ${inWords(spread.p50)}`.replaceAll(' ', '\u00a0')
  })
  return (
    <>
      <TimePlot measured={measured} end={end} />
      <span className="number">
        {inWords(total.p50)}{' '}
        <span className="quiet">
          in the median, p95 {inWords(total.p95)}, p99 {inWords(total.p99)}
        </span>
      </span>
      <span className="number quiet">{parts.join(', ')}</span>
    </>
  )
}

function Cost({ deployment: { measured, price }, end }: { deployment: Deployment; end: number }) {
  const { cost_per_image: cost, unpriced } = measured
  const declared =
    price === null
      ? 'no price declared'
      : `declared: ${perSecond(price.per_second)}${price.as_of === null ? '' : `, list of ${price.as_of}`}`
  return (
    <>
      {cost === null ? <NoData /> : <CostPlot cost={cost} end={end} />}
      {cost !== null && (
        <span className="number">
          {formatMoney(cost)}
          {unpriced > 0 && <span className="quiet"> without {count(unpriced, 'attempt')} of unknown cost</span>}
        </span>
      )}
      <span className="number quiet">{declared}</span>
    </>
  )
}

function NoData() {
  return <span className="quiet">No data yet</span>
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
