import { describe, expect, it } from 'vitest'
import { defaultPolicy } from '../core/policy.ts'
import type { Attempt, AttemptState } from '../core/prediction.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { sampleAttempt, samplePrediction } from '../testing/sample-records.ts'
import { createScriptedProvider } from '../testing/scripted-provider.ts'
import { textModel } from '../testing/text-model.ts'
import { createPlaces } from './places.ts'

function setup(concurrency: number) {
  const provider = createScriptedProvider({ clock: createSimulatedClock() })
  const deployment = { name: 'text@scripted', providerName: 'scripted', provider, target: {}, concurrency }
  const route = { model: textModel, deployments: [deployment], policy: defaultPolicy }
  const places = createPlaces(new Map([[textModel.name, route]]), {
    measured: () => null,
    breaker: () => ({ state: 'closed' }),
    closedUntil: () => 0,
  })
  return {
    places,
    free: (id = 'someone', now = 0) => places.world(deployment, now, id).free,
    world: (now: number) => places.world(deployment, now, 'someone'),
    put: (id: string, state: AttemptState, over: Partial<Attempt> = {}) =>
      places.update(
        samplePrediction({
          id,
          attempts: [sampleAttempt({ id: `${id}-1`, deployment: deployment.name, state, ...over })],
        }),
      ),
  }
}

describe('places', () => {
  it.each([
    ['planned', 'none', 1],
    ['submitting', 'none', 0],
    ['unknown', 'none', 0],
    ['running', 'open', 0],
    ['collecting', 'confirmed', 0],
    ['failed', 'open', 0],
    ['failed', 'confirmed', 1],
    ['failed', 'given_up', 1],
    ['won', 'confirmed', 1],
  ] as const)('an attempt that is %s/%s leaves %i of 1', (state, release, left) => {
    const stage = setup(1)
    stage.put('a', 'submitting')
    stage.put('a', state, { release })
    // As the prediction itself sees it: nobody waits before it.
    expect(stage.free('a')).toBe(left)
  })

  it('are told to those who have waited longest, as many as there are', () => {
    const stage = setup(2)
    stage.put('a', 'running')
    stage.put('b', 'running')
    expect([stage.put('c', 'planned'), stage.put('d', 'planned'), stage.put('e', 'planned')]).toEqual([[], [], []])
    expect(stage.put('d', 'planned')).toEqual([])
    expect(stage.put('a', 'won', { release: 'confirmed' })).toEqual(['c'])
    expect(stage.put('b', 'won', { release: 'confirmed' })).toEqual(['c', 'd'])
  })

  it('are free only for those who have waited longest', () => {
    const stage = setup(2)
    stage.put('a', 'running')
    stage.put('b', 'planned')
    stage.put('c', 'planned')
    expect([stage.free('b'), stage.free('c'), stage.free('d')]).toEqual([1, 0, 0])
    stage.put('b', 'submitting')
    expect([stage.free('c'), stage.free('d')]).toEqual([0, 0])
    stage.put('a', 'won', { release: 'confirmed' })
    expect([stage.free('c'), stage.free('d')]).toEqual([1, 0])
  })

  it('come back from a record that is let go', () => {
    const stage = setup(1)
    stage.put('a', 'running')
    stage.put('b', 'planned')
    expect(stage.free('b')).toBe(0)
    expect(stage.places.forget('a')).toEqual(['b'])
    expect(stage.places.forget('b')).toEqual([])
    expect(stage.free()).toBe(1)
  })

  it('are none while the store says that others have taken them, or the provider wants a pause', () => {
    const stage = setup(4)
    stage.places.full('text@scripted', 1_000)
    stage.places.close('text@scripted', 5_000)
    stage.places.close('text@scripted', 3_000)
    expect([stage.free('a', 999), stage.free('a', 1_000)]).toEqual([0, 4])
    expect(stage.world(0).closedUntil).toBe(5_000)
  })

  it('say what the provider can do, and its price', () => {
    expect(setup(1).world(0)).toMatchObject({ canPoll: true, canFind: true, canCancel: true, pricePerSecond: 0.001 })
  })
})
