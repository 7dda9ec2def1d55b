import type { PredictionEvent } from './events.ts'
import { handleOf, type Life, sampleFailure } from './test-support.ts'

export type EventType = PredictionEvent['type']

/** One event of each type, as the answer to the effect that attempt `number` waits for, if it waits for one. */
export const events: { readonly [type in EventType]: (life: Life, number: number) => void } = {
  started: (life, number) => life.started(number),
  startRejected: (life, number) => life.startRejected(sampleFailure('no_capacity'), number),
  startUnknown: (life, number) => life.startUnknown(number),
  found: (life, number) => life.found([{ handle: handleOf(life.attempt(number).id) }], number),
  findFailed: (life, number) => life.findFailed(number),
  observed: (life, number) => life.observed('running', {}, number),
  pollFailed: (life, number) => life.pollFailed({}, number),
  heard: (life, number) => life.heard('running', {}, number),
  inspected: (life, number) => life.inspected({}, number),
  collected: (life, number) => life.collected(number),
  collectFailed: (life, number) => life.collectFailed(sampleFailure('output_invalid'), number),
  cancelRequested: life => life.cancel(),
  cancelAnswered: (life, number) => life.cancelAnswered('ended', number),
  notified: life => life.notified(true),
  resendRequested: life => life.resend(),
  timePassed: life => life.at(life.now),
}
export const eventTypes = Object.keys(events) as EventType[]

export type StartedState = 'submitting' | 'unknown' | 'queued' | 'booting' | 'running' | 'collecting'

/** Takes attempt `number` by real steps from its start to a later state, with the effect of that state under way. */
export const bring: { readonly [state in StartedState]: (life: Life, number: number) => void } = {
  submitting: () => {},
  unknown: (life, number) => life.startUnknown(number),
  queued: (life, number) => life.started(number),
  booting: (life, number) => observeAndPoll(life, 'booting', number),
  running: (life, number) => observeAndPoll(life, 'running', number),
  collecting(life, number) {
    life.started(number)
    life.observed('succeeded', {}, number)
  },
}

function observeAndPoll(life: Life, status: 'booting' | 'running', number: number): void {
  life.started(number)
  life.observed(status, {}, number)
  life.at(life.now + 1_000)
}

/** What `every` speaks for, written out: a new type of event is missing in each row until somebody has thought of it. */
const known = [
  'started',
  'startRejected',
  'startUnknown',
  'found',
  'findFailed',
  'observed',
  'pollFailed',
  'heard',
  'inspected',
  'collected',
  'collectFailed',
  'cancelRequested',
  'cancelAnswered',
  'notified',
  'resendRequested',
  'timePassed',
] as const

/** What comes of an event, the effects that are begun, in order, and why it is so. */
export type Cell = readonly [after: string, begun: string, why: string]
export type Cells = { readonly [type in EventType]: Cell }

/** The same for every type of event; the exceptions are written over it. */
export function every(after: string, why: string): { readonly [type in (typeof known)[number]]: Cell } {
  const cell: Cell = [after, '', why]
  return Object.fromEntries(known.map(type => [type, cell])) as { [type in (typeof known)[number]]: Cell }
}

/** What an event begins, in order. */
export function begunBy(life: Life, happens: () => void): string {
  const before = life.begun.length
  happens()
  return life.begun.slice(before).join(', ')
}
