import { DeploymentRow } from './deployment-row.tsx'
import { formatMoney } from './format.ts'
import { niceEnd } from './plot.ts'
import { Axis, inWords, stages } from './plots.tsx'
import type { Deployment, Recommendation } from './providers.ts'

export interface ComparisonTableProps {
  readonly deployments: readonly Deployment[]
  readonly recommendation: Recommendation | null
  readonly health: ReadonlyMap<string, Deployment['health']>
}

/** A row for each deployment of one model; all rows share their axes. */
export function ComparisonTable({ deployments, recommendation, health }: ComparisonTableProps) {
  const seconds = niceEnd(Math.max(...deployments.map(({ measured }) => measured.total?.p99 ?? 0)))
  const cost = niceEnd(Math.max(...deployments.map(({ measured }) => measured.cost_per_image ?? 0)))
  return (
    <table className="comparison">
      <thead>
        <tr>
          <th scope="col">Deployment</th>
          <th scope="col">
            Success
            <Axis from="0" to="100 %" />
          </th>
          <th scope="col">
            Time to a result{' '}
            <span className="legend" aria-hidden="true">
              {stages.map(stage => (
                <span key={stage} data-stage={stage}>
                  {stage}
                </span>
              ))}
            </span>
            <Axis from="0" to={inWords(seconds)} />
          </th>
          <th scope="col">
            Cost of a finished image
            <Axis from="0" to={formatMoney(cost)} />
          </th>
        </tr>
      </thead>
      <tbody>
        {deployments.map(deployment => (
          <DeploymentRow
            key={deployment.name}
            deployment={deployment}
            scales={{ seconds, cost }}
            recommended={recommendation?.deployment === deployment.name}
            excluded={recommendation?.ranking.find(({ name }) => name === deployment.name)?.excluded ?? null}
            health={health.get(deployment.name) ?? null}
          />
        ))}
      </tbody>
    </table>
  )
}
