import { expect, it } from 'vitest'
import { createScriptedProvider, plainScript } from '../testing/scripted-provider.ts'
import { textModel } from '../testing/text-model.ts'
import type { Deployment } from './contract.ts'
import { request, type SetupOptions, setup } from './test-support.ts'

/** A route of one deployment, and another one that is configured for the model but not on its route. */
async function setupSpare(options: SetupOptions = {}) {
  const stage = await setup(options)
  const { clock, routes } = stage
  const route = routes.get(textModel.name)
  if (route === undefined) throw new Error('the stage has no route')
  const spare: Deployment = {
    name: 'text@spare',
    providerName: 'spare',
    provider: createScriptedProvider({ clock }),
    target: {},
    concurrency: 4,
  }
  const pinnable = { deployments: [...route.deployments, spare], policy: { ...route.policy, deadlineMs: 77_000 } }
  routes.set(textModel.name, { ...route, pinnable } as typeof route)
  return { ...stage, engine: (await stage.boot()).engine }
}

it('runs a pinned prediction where it is pinned to, on the route or not, by the policy of pinned ones', async () => {
  const { engine, clock, read } = await setupSpare()
  const { record } = await engine.create(request({ deployments: ['text@spare', 'text@spare'] }))
  await clock.advance(5_000)
  const ended = await read(record.id)
  expect(ended).toMatchObject({ status: 'succeeded', route: ['text@spare'], attempts: [{ deployment: 'text@spare' }] })
  expect(ended.deadlineAt - ended.createdAt).toBe(77_000)
})

it('leaves deployments alone that are not on the route, but reports them', async () => {
  const { engine, clock, read } = await setupSpare()
  const { record } = await engine.create(request())
  await clock.advance(5_000)
  expect(await read(record.id)).toMatchObject({ route: null, attempts: [{ deployment: 'text@scripted' }] })
  const reports = await engine.report()
  expect(reports.map(({ name, measured }) => [name, measured.samples])).toEqual([
    ['text@scripted', 1],
    ['text@spare', 0],
  ])
})

it('never leaves what it is pinned to, whatever fails there', async () => {
  const { engine, clock, read } = await setupSpare({ script: () => ({ ...plainScript, start: 'rejected' }) })
  const { record } = await engine.create(request({ deployments: ['text@scripted'] }))
  await clock.advance(77_000)
  const ended = await read(record.id)
  expect(ended.status).toBe('failed')
  expect(new Set(ended.attempts.map(({ deployment }) => deployment))).toEqual(new Set(['text@scripted']))
})

it('fails over in the order in which deployments are named', async () => {
  const { engine, clock, read } = await setupSpare({ script: () => ({ ...plainScript, start: 'rejected' }) })
  const { record } = await engine.create(request({ deployments: ['text@scripted', 'text@spare'] }))
  await clock.advance(10_000)
  const ended = await read(record.id)
  expect(ended.status).toBe('succeeded')
  expect(ended.attempts.map(({ deployment }) => deployment)).toEqual(['text@scripted', 'text@spare'])
})

it.each([
  [['text@nowhere'], '"text@nowhere" is not a deployment of'],
  [[], 'No deployment is named'],
])('refuses %j before anything is stored, and says what there is', async (deployments, words) => {
  const { engine } = await setupSpare()
  await expect(engine.create(request({ deployments }))).rejects.toMatchObject({
    failure: {
      code: 'input_invalid',
      message: `${words}${words.endsWith('of') ? ` ${textModel.name}` : ''}; there are text@scripted, text@spare.`,
    },
  })
  expect(await engine.list({ owner: null, limit: 1 })).toEqual([])
})

it('ends clearly where the deployment that it is pinned to has left the configuration', async () => {
  const { prepare, routes, clock, finish, read, engine } = await setupSpare({
    script: () => ({ ...plainScript, endAt: Infinity }),
  })
  const { record } = await engine.create(request({ deployments: ['text@spare'] }))
  await finish(engine.stop())
  const route = routes.get(textModel.name)
  if (route !== undefined)
    routes.set(textModel.name, { model: route.model, deployments: route.deployments, policy: route.policy })
  const next = prepare()
  await next.engine.start()
  await clock.advance(120_000)
  expect(await read(record.id)).toMatchObject({ status: 'failed', failure: { code: 'deployment_missing' } })
})
