import { describe, expect, it } from 'vitest'
import { begunBy, bring } from './test-states.ts'
import { createLife, type Life, sampleFailure } from './test-support.ts'

const hour = 3_600_000

/** A life after whose first moments the clock was set back by an hour. */
function setBack(state: keyof typeof bring, prepare: (life: Life) => void = () => {}): Life {
  const life = createLife()
  bring[state](life, 1)
  prepare(life)
  life.pass(-hour)
  return life
}

describe('when the clock was set back by an hour', () => {
  it('what runs is asked at once, and from then on as often as ever', () => {
    const life = setBack('running', life => life.observed('running'))
    expect(begunBy(life, () => life.take({ type: 'timePassed' }))).toBe('poll 1')
    expect(begunBy(life, () => life.observed('running'))).toBe('')
    expect(life.last.nextAt).toBe(life.now + 1_000)
  })

  it('a start that was lost is looked for at once', () => {
    const life = setBack('unknown', life => life.found([]))
    expect(begunBy(life, () => life.take({ type: 'timePassed' }))).toBe('find 1')
  })

  it('the next try does not wait any longer', () => {
    const life = createLife()
    life.pass(10 * 60_000)
    life.startRejected(sampleFailure('provider_error'))
    life.pass(-5 * 60_000)
    expect(begunBy(life, () => life.take({ type: 'timePassed' }))).toBe('start 2')
  })

  it('a run that nobody wants is cancelled again at once', () => {
    const life = setBack('running', life => {
      life.cancel()
      life.cancelAnswered('requested')
    })
    expect(begunBy(life, () => life.take({ type: 'timePassed' }))).toContain('cancel 1')
  })

  it('the deadline stays at the moment that was named', () => {
    const life = setBack('running')
    const { deadlineAt } = life.record
    life.take({ type: 'timePassed' })
    expect(life.record.deadlineAt).toBe(deadlineAt)
    expect(life.record.status).toBe('processing')
  })
})

it('a clock that differs by less than ten seconds changes no wait', () => {
  const life = createLife()
  bring.running(life, 1)
  life.observed('running')
  life.pass(-9_000)
  expect(begunBy(life, () => life.take({ type: 'timePassed' }))).toBe('')
})
