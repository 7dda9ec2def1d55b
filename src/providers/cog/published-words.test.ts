import { expect, test } from 'vitest'
import type { RunStatus } from '../../emulators/cog/run.ts'
import type { Observation } from '../contract.ts'
import { observe, observeHealth } from './observe.ts'
import { healthSchema, predictionSchema } from './wire.ts'

/**
 * Cog publishes no types for npm: a server serves the OpenAPI document of its own model, and without an image not even that
 * (`GET /openapi.json` is 503). The words here are those of `replicate/cog`: `python/cog/schema.py` of 0.16.12, and
 * `crates/coglet/src/prediction.rs` and `health.rs` of 0.22. The emulator may use no others.
 */
type Word = Exclude<RunStatus, 'lost'>

const meanings: { readonly [status in Word]: Observation['status'] } = {
  // There is no queue: what is accepted has its place.
  starting: 'running',
  processing: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'canceled',
}

/** All fields of coglet's snapshot, and those that only Python's server has. */
const snapshot = { id: 'a1', logs: 'a line', output: 'https://bucket.test/a.ply', metrics: { predict_time: 1.5 } }
const ofPython = {
  input: {},
  version: null,
  created_at: null,
  started_at: '2026-01-01T00:00:00Z',
  completed_at: '2026-01-01T00:00:02Z',
}

test.each(Object.entries(meanings))(
  'the status %s is %s, of either server, and every field is read',
  (status, meaning) => {
    for (const answer of [
      { ...snapshot, status },
      { ...snapshot, ...ofPython, status },
    ]) {
      const read = predictionSchema.parse(answer)
      expect(read).toEqual(answer)
      expect(observe(read, null, 'Cog')).toMatchObject({ status: meaning, metrics: { runMs: 1500 } })
    }
  },
)

/** What a server's health says of a run that it accepted; only one that runs nothing any more is an end. */
const states = {
  UNKNOWN: 'unclear',
  STARTING: 'unclear',
  READY: 'unclear',
  BUSY: 'running',
  SETUP_FAILED: 'failed',
  DEFUNCT: 'failed',
  UNHEALTHY: 'unclear',
} as const satisfies { readonly [state: string]: Observation['status'] }

test.each(Object.entries(states))('a server that is %s says of a run: %s', (state, meaning) => {
  const read = healthSchema.parse({ status: state, setup: { status: 'succeeded', logs: '' } })
  expect(observeHealth(read, 'Cog').status).toBe(meaning)
})
