import type { MigrationReport, MigrationSide } from '../engine/contract.ts'
import type { MigrationJson, MigrationSideJson } from './migration-shapes.ts'
import { toMeasuredView } from './provider-view.ts'
import { toTime } from './view.ts'

const shownPairs = 20

/** A migration as JSON. */
export function toMigrationView(report: MigrationReport): MigrationJson {
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
    from: toSideView(from),
    to: toSideView(to),
    pairs: { ...sums, only_from: onlyFrom, only_to: onlyTo, latest: pairs.slice(0, shownPairs) },
    verdict: {
      kind: verdict.kind,
      why: verdict.kind === 'stay' ? null : verdict.why,
      missing: verdict.kind === 'stay' ? verdict.missing : [],
    },
    history: history.map(({ at, what, why }) => ({ at: toTime(at), what, why })),
  }
}

function toSideView({ name, percent, measured }: MigrationSide): MigrationSideJson {
  return { deployment: name, percent, measured: toMeasuredView(measured) }
}
