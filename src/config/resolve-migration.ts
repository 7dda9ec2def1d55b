import type { MigrationPlan } from '../core/migration.ts'
import type { Deployment } from '../engine/contract.ts'
import type { ModelConfig } from './config.ts'
import { refuseConfig, suggest } from './refuse-config.ts'

/**
 * A model's migration with its defaults filled in; null where it has none. Both deployments must be on the route, and the
 * route's own choice of a first one must be left to the migration.
 */
export function resolveMigration(
  where: string,
  { migration, policy }: ModelConfig,
  route: readonly Deployment[],
): MigrationPlan | null {
  if (migration === undefined) return null
  const { from, to, steps = [5, 25, 50, 100], shadow = {}, limits = {}, samples = 20 } = migration
  const names = route.map(({ name }) => name)
  for (const [end, name] of Object.entries({ from, to })) {
    if (!names.includes(name))
      refuseConfig(`${where}.migration.${end}: "${name}" is not on the route of the model.${suggest(name, names)}`)
  }
  if (from === to) refuseConfig(`${where}.migration: leads from "${from}" to itself.`)
  if (policy?.routing !== undefined && policy.routing !== 'ordered') {
    refuseConfig(
      `${where}.migration: chooses the first deployment itself, so policy.routing cannot be "${policy.routing}"; leave it out.`,
    )
  }
  return {
    from,
    to,
    steps,
    shadow: { share: shadow.share ?? 0.1, runs: shadow.runs ?? 10 },
    limits: {
      success: limits.success ?? 'no-worse',
      slower: limits.slower ?? null,
      dearer: limits.dearer ?? null,
      seconds: limits.seconds ?? null,
      cost: limits.cost ?? null,
      differ: limits.differ ?? 0,
    },
    samples,
  }
}
