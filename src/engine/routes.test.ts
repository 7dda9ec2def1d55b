import { expect, it } from 'vitest'
import { defaultPolicy } from '../core/policy.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createScriptedProvider } from '../testing/scripted-provider.ts'
import { textModel } from '../testing/text-model.ts'
import { routeFor } from './routes.ts'

it('keeps the order in which deployments were named, however the model is routed otherwise', () => {
  const provider = createScriptedProvider({ clock: createSimulatedClock() })
  const deployments = ['a', 'b'].map(name => ({ name, providerName: name, provider, target: {}, concurrency: 1 }))
  const policy = { ...defaultPolicy, routing: 'weighted' } as const
  const routes = new Map([[textModel.name, { model: textModel, deployments, policy }]])
  const pinned = routeFor(routes, { model: textModel.name, route: ['b', 'a'] })
  expect([pinned.deployments.map(({ name }) => name), pinned.policy.routing]).toEqual([['b', 'a'], 'ordered'])
  expect(routeFor(routes, { model: textModel.name, route: null }).policy.routing).toBe('weighted')
})
