import { expect, test } from 'vitest'
import type { Health } from '../contract.ts'
import { judgeHealth } from './health.ts'
import { instancesSchema, serviceSchema } from './wire.ts'

/**
 * Koyeb publishes no types for npm. The words here are those of the OpenAPI document of its API (`koyeb/koyeb-api-client-go`,
 * 2026-07-03): `ServiceStatus` and `InstanceStatus`.
 */
const services: { readonly [status: string]: Health['state'] } = {
  STARTING: 'ok',
  HEALTHY: 'ok',
  DEGRADED: 'ok',
  UNHEALTHY: 'ok',
  RESUMING: 'ok',
  PAUSING: 'no-workers',
  PAUSED: 'no-workers',
  DELETING: 'no-workers',
  DELETED: 'no-workers',
}

test.each(Object.entries(services))('a service that is %s, with a healthy instance, is judged %s', (status, state) => {
  const service = serviceSchema.parse({ service: { id: 's-1', status, active_deployment_id: 'd-1' } })
  expect(judgeHealth(service, { instances: [{ status: 'HEALTHY' }] }).state).toBe(state)
})

const instances: { readonly [status: string]: Health['state'] } = {
  ALLOCATING: 'queueing',
  STARTING: 'queueing',
  HEALTHY: 'ok',
  UNHEALTHY: 'crash-loop',
  ERROR: 'crash-loop',
  SLEEPING: 'ok',
  // On their way out: nobody says what comes next.
  STOPPING: 'unknown',
  STOPPED: 'unknown',
}

test.each(Object.entries(instances))('an instance that is %s makes a service %s', (status, state) => {
  const listed = instancesSchema.parse({ instances: [{ id: 'i-1', status, messages: [] }], count: 1 })
  const health = judgeHealth({ service: { status: 'HEALTHY' } }, listed)
  expect([health.state, health.workers]).toEqual([state, { [status]: 1 }])
})
