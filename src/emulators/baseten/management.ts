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
 * The part of the management API that tells of a deployment: every one is there and scales from zero. Settings of
 * `deployment` are laid over its own fields, those of `autoscaling` over its `autoscaling_settings`.
 */
export function manage(settings: Settings | undefined, [models, model, kind, place]: readonly string[]): Response {
  if (models !== 'models' || model === undefined || place === undefined) return wording.refusal(404)
  const healthy = {
    id: place,
    created_at: '2026-01-01T00:00:00Z',
    name: 'emulated',
    model_id: model,
    is_production: place === 'production',
    is_development: place === 'development',
    status: 'ACTIVE',
    active_replica_count: 0,
    autoscaling_settings: { ...autoscaling, ...Object(settings?.autoscaling) },
  }
  return tell(settings, 'deployment', healthy, {
    answer: body => json(kind === 'environments' ? { name: place, current_deployment: body } : body),
    refuse: status => problem(status, 'refused'),
  })
}
