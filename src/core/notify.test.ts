import { expect, it } from 'vitest'
import { begunBy, bring } from './test-states.ts'
import { createLife, type Life } from './test-support.ts'

const [second, minute, hour] = [1_000, 60_000, 3_600_000]

/** A prediction that was cancelled before it began, so that only its webhook is left. */
function canceled(): Life {
  const life = createLife({ webhook: ['completed'], route: [{ free: 0 }] })
  life.cancel()
  return life
}

function queue(life: Life): string[] {
  return (life.record.webhook?.queue ?? []).map(({ event, state, tries }) => `${event} ${state} ${tries}`)
}

it('only events that the user asked for are sent', () => {
  const life = createLife({ webhook: ['start'] })
  bring.collecting(life, 1)
  life.collected()
  expect(queue(life)).toEqual(['start waiting 1'])
})

it('the start waits for nothing, the end waits until the start is delivered', () => {
  const life = createLife({ webhook: ['start', 'completed'] })
  const steps = [
    begunBy(life, () => bring.running(life, 1)),
    begunBy(life, () => life.heard('succeeded')),
    begunBy(life, () => life.collected()),
    begunBy(life, () => life.notified(true)),
    begunBy(life, () => life.notified(true)),
  ]
  expect(steps).toEqual(['poll 1, notify start, poll 1', 'collect 1', '', 'notify completed', ''])
  expect(queue(life)).toEqual(['start delivered 1', 'completed delivered 1'])
})

it('whoever asked for the output, but not for the end, hears of a success only', () => {
  const success = createLife({ webhook: ['output'] })
  bring.collecting(success, 1)
  success.collected()
  const failure = createLife({ webhook: ['output'] })
  failure.cancel()
  expect([queue(success), queue(failure)]).toEqual([['output waiting 1'], []])
})

it('a delivery that is refused is tried eight times in about 28 hours, and then it is dead', () => {
  const life = canceled()
  const waits: number[] = []
  while (life.record.settledAt === null) {
    life.notified(false)
    const at = life.last.nextAt
    if (at === null) break
    waits.push(at - life.now)
    expect(
      begunBy(life, () => life.at(at - 1)),
      'not yet',
    ).toBe('')
    expect(
      begunBy(life, () => life.at(at)),
      'now',
    ).toBe('notify completed')
  }
  expect(waits).toEqual([5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour])
  expect(queue(life)).toEqual(['completed dead 8'])
})

it('a receiver that is dead for one webhook gets the next one', () => {
  const life = createLife({ webhook: ['start', 'completed'] })
  bring.running(life, 1)
  life.cancel()
  life.cancelAnswered('ended')
  for (let tries = 1; tries < 8; tries++) {
    life.notified(false)
    life.at(life.last.nextAt ?? 0)
  }
  expect(begunBy(life, () => life.notified(false))).toBe('notify completed')
  expect(queue(life)).toEqual(['start dead 8', 'completed waiting 1'])
})

it('the id of a webhook is the same on every try, and another answer than the awaited one counts for nothing', () => {
  const life = canceled()
  const entry = () => life.record.webhook?.queue[0]
  const first = { notification: entry()?.id ?? '', effect: entry()?.pending?.id ?? '' }
  life.notified(false)
  life.at(5 * second)
  life.take({ type: 'notified', ...first, delivered: true })
  expect([entry()?.id, entry()?.state, entry()?.pending?.id === first.effect]).toEqual([
    first.notification,
    'waiting',
    false,
  ])
})

it.each([
  ['time limit has passed', (life: Life) => life.at(30 * second), 30 * second],
  [
    'process is gone',
    (life: Life) => {
      life.change({ engine: 'engine-2' })
      life.at(1)
    },
    1,
  ],
])('a delivery whose %s without an answer counts as a try that failed', (_, happens, at) => {
  const life = canceled()
  expect(begunBy(life, () => happens(life))).toBe('')
  expect(begunBy(life, () => life.at(at + 5 * second - 1))).toBe('')
  expect(begunBy(life, () => life.at(at + 5 * second))).toBe('notify completed')
  expect(queue(life)).toEqual(['completed waiting 2'])
})

it('without the lease nothing is sent, and the record is due at once', () => {
  const life = createLife({ webhook: ['completed'], route: [{ free: 0 }] })
  life.change({ mayBegin: false })
  expect(begunBy(life, () => life.cancel())).toBe('')
  expect(life.last.nextAt).toBe(life.now)
})

/** A dead webhook about the end. */
function deadEnd(): Life {
  const life = canceled()
  while (life.record.settledAt === null) {
    life.notified(false)
    if (life.last.nextAt !== null) life.at(life.last.nextAt)
  }
  return life
}

it('what is dead is sent again when somebody asks, under its id and with all its tries', () => {
  const life = deadEnd()
  const id = life.record.webhook?.queue[0]?.id
  expect(begunBy(life, () => life.resend())).toBe('notify completed')
  expect([life.record.settledAt, life.record.webhook?.queue[0]?.id]).toEqual([null, id])
  expect(queue(life)).toEqual(['completed waiting 1'])
  life.notified(true)
  expect(queue(life)).toEqual(['completed delivered 1'])
  expect(life.record.settledAt).not.toBe(null)
})

it('what is sent again goes out behind what was delivered since', () => {
  const life = createLife({ webhook: ['start', 'completed'] })
  bring.running(life, 1)
  life.cancel()
  life.cancelAnswered('ended')
  for (let tries = 0; tries < 8; tries++) {
    life.notified(false)
    if (tries < 7) life.at(life.last.nextAt ?? 0)
  }
  life.notified(true)
  expect(queue(life)).toEqual(['start dead 8', 'completed delivered 1'])
  expect(begunBy(life, () => life.resend())).toBe('notify start')
  expect(queue(life)).toEqual(['completed delivered 1', 'start waiting 1'])
})

it('asking changes nothing where a try is under way or everything was delivered', () => {
  const life = canceled()
  expect(begunBy(life, () => life.resend())).toBe('')
  life.notified(true)
  expect(begunBy(life, () => life.resend())).toBe('')
  expect([queue(life), life.record.settledAt]).toEqual([['completed delivered 1'], life.now])
})

it('what waits for its next try is tried at once, before anything that is dead', () => {
  const life = createLife({ webhook: ['start', 'completed'] })
  bring.running(life, 1)
  life.cancel()
  life.cancelAnswered('ended')
  for (let tries = 0; tries < 9; tries++) {
    life.notified(false)
    if (tries < 8) life.at(life.last.nextAt ?? 0)
  }
  expect(queue(life)).toEqual(['start dead 8', 'completed waiting 1'])
  expect(begunBy(life, () => life.resend())).toBe('notify completed')
  expect(queue(life)).toEqual(['start dead 8', 'completed waiting 2'])
})

it('news of the logs go out at most twice a second, the newest only, and are not tried again', () => {
  const life = createLife({ webhook: ['logs'] })
  const progress = (fraction: number) => life.heard('running', { progress: { stage: 'draw', fraction } })
  life.started(1)
  // Planning the attempt was the first news.
  expect(queue(life)).toEqual(['logs waiting 1'])
  progress(0.1)
  expect(begunBy(life, () => life.notified(false))).toBe('')
  progress(0.2)
  progress(0.3)
  expect(queue(life)).toEqual(['logs waiting 0'])
  expect(begunBy(life, () => life.at(499))).not.toContain('notify')
  expect(begunBy(life, () => life.at(500))).toContain('notify logs')
  life.notified(true)
  expect(queue(life)).toEqual([])
})

it('what the end says is not said before as news of the logs, nor is it said twice', () => {
  const both = createLife({ webhook: ['logs', 'completed'] })
  both.started(1)
  both.heard('running', { progress: { stage: 'draw', fraction: 0.1 } })
  both.cancel()
  expect(queue(both)).toEqual(['logs waiting 1', 'completed waiting 0'])
  const logs = createLife({ webhook: ['logs'] })
  logs.notified(true)
  expect(begunBy(logs, () => logs.cancel())).toContain('notify logs')
  expect(queue(logs)).toEqual(['logs waiting 1'])
})
