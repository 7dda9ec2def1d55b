import { json } from '../answers.ts'
import { type Settings, tell } from '../settings.ts'
import { problem, wording } from './answers.ts'

const autoscaling = {
  min_replica: 0,
  max_replica: 3,
  autoscaling_window: 60,
  scale_down_delay: 900,
  concurrency_target: 1,
}

/**
 * The part of the management API that tells of a deployment: every one is there, scales from zero and has so many replicas
 * that are up. Settings of `deployment` are laid over its own fields, those of `autoscaling` over its `autoscaling_settings`.
 */
export function manage(
  settings: Settings | undefined,
  [models, model, kind = '', place]: readonly string[],
  replicasAt: (model: string, kind: string, place: string) => number,
): Response {
  if (models !== 'models' || model === undefined || place === undefined) return wording.refusal(404)
  const replicas = replicasAt(model, kind, place)
  const healthy = {
    id: place,
    created_at: '2026-01-01T00:00:00Z',
    name: 'emulated',
    model_id: model,
    is_production: place === 'production',
    is_development: place === 'development',
    status: replicas > 0 ? 'ACTIVE' : 'SCALED_TO_ZERO',
    active_replica_count: replicas,
    autoscaling_settings: { ...autoscaling, ...Object(settings?.autoscaling) },
  }
  return tell(settings, 'deployment', healthy, {
    answer: body => json(kind === 'environments' ? { name: place, current_deployment: body } : body),
    refuse: status => problem(status, 'refused'),
  })
}
