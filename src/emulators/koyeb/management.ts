import { json } from '../answers.ts'
import { type Settings, tell } from '../settings.ts'
import type { InstanceState } from './instance.ts'

const instanceWords: { readonly [state in InstanceState]: string } = {
  asleep: 'SLEEPING',
  waking: 'STARTING',
  awake: 'HEALTHY',
}

const healthyService = { name: 'cog', status: 'HEALTHY', active_deployment_id: 'deployment-1' }
const healthyDefinition = {
  ...{ name: 'cog', type: 'WEB', regions: ['fra'], instance_types: [{ type: 'gpu-nvidia-l4' }] },
  scalings: [{ min: 0, max: 1, targets: [{ sleep_idle_delay: { deep_sleep_value: 300 } }] }],
}

export interface ManagementOptions {
  /** The one API token that is accepted; undefined: any. */
  readonly token: string | undefined
  readonly service: string
  readonly state: () => InstanceState
  /** Of `service` and `definition`; see `Settings`. */
  readonly settings: Settings | undefined
}

/** The small part of Koyeb's own API that tells of one service and its instance. */
export function createManagement({
  token,
  service,
  state,
  settings,
}: ManagementOptions): (request: Request) => Response {
  return request => {
    const given = /^Bearer (\S+)$/.exec(request.headers.get('authorization') ?? '')?.[1]
    if (given === undefined || (token !== undefined && given !== token))
      return problem(401, 'authentication_error', 'Invalid token')
    const { pathname, searchParams } = new URL(request.url)
    if (request.method !== 'GET') return problem(405, 'method_not_allowed', 'Method Not Allowed')
    if (pathname === `/v1/services/${service}`)
      // A sleeping service keeps the state that it had.
      return tell(
        settings,
        'service',
        { ...healthyService, id: service },
        {
          answer: body => json({ service: body }),
          refuse: status => problem(status, 'refused', 'Refused'),
        },
      )
    if (pathname === '/v1/instances' && searchParams.get('service_id') === service)
      return json({ instances: [{ id: 'instance-1', status: instanceWords[state()], messages: [] }], count: 1 })
    if (pathname === '/v1/deployments/deployment-1')
      return tell(settings, 'definition', healthyDefinition, {
        answer: definition => json({ deployment: { id: 'deployment-1', status: 'HEALTHY', definition } }),
        refuse: status => problem(status, 'refused', 'Refused'),
      })
    return problem(404, 'not_found', 'Not Found')
  }
}

function problem(status: number, code: string, message: string): Response {
  return json({ status, code, message }, status)
}
