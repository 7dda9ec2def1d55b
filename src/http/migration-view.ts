import type { DeploymentReport, MigrationReport, MigrationSide } from '../engine/contract.ts'
import type { MigrationJson, MigrationSideJson } from './migration-shapes.ts'
import { toMeasuredView } from './provider-view.ts'
import { toTime } from './view.ts'

const shownPairs = 20

/** A migration as JSON; `deployments` tell which of its two are out. */
export function toMigrationView(
  report: MigrationReport,
  deployments: readonly Pick<DeploymentReport, 'name' | 'breaker'>[],
): MigrationJson {
  const { model, state, verdict, configured, from, to, pairs, summary } = report
  const { plan, stage, since, paused, history } = state
  const { onlyFrom, onlyTo, ...sums } = summary
  return {
    model,
    plan,
    stage: stage.name,
    step: stage.name === 'step' ? stage.index : null,
    since: toTime(since),
    paused,
    configured,
    from: toSideView(from, deployments),
    to: toSideView(to, deployments),
    pairs: { ...sums, only_from: onlyFrom, only_to: onlyTo, latest: pairs.slice(0, shownPairs) },
    verdict: {
      kind: verdict.kind,
      why: verdict.kind === 'stay' ? null : verdict.why,
      missing: verdict.kind === 'stay' ? verdict.missing : [],
    },
    history: history.map(({ at, what, why }) => ({ at: toTime(at), what, why })),
  }
}

function toSideView(
  { name, percent, attempts, measured }: MigrationSide,
  deployments: readonly Pick<DeploymentReport, 'name' | 'breaker'>[],
): MigrationSideJson {
  const breaker = deployments.find(deployment => deployment.name === name)?.breaker
  const out = breaker?.state === 'open' ? { until: toTime(breaker.until), why: breaker.why } : null
  return { deployment: name, percent, attempts, out, measured: toMeasuredView(measured) }
}
