import { expect, test } from 'vitest'
import type { RunStatus, WebhookStatus } from '../../emulators/baseten/run.ts'
import type { Observation } from '../contract.ts'
import { observe } from './observe.ts'
import { statusSchema } from './wire.ts'

/**
 * Baseten publishes no types that can be installed: its npm client is in no registry that this project reaches. The words
 * here are those of the OpenAPI file of its inference API (`basetenlabs/baseten-js`, `scripts/apigen/specs/inference.json`)
 * and of docs.baseten.co/inference/async; the emulator may use no others.
 */
const example = {
  request_id: 'r1',
  model_id: 'm1',
  deployment_id: 'd1',
  webhook_status: 'PENDING',
  created_at: '2026-01-01T00:00:00Z',
  status_at: '2026-01-01T00:00:09Z',
  errors: [],
}

/** Of a kit, whose output is uploaded. */
const meanings: { readonly [status in RunStatus]: Observation['status'] } = {
  QUEUED: 'queued',
  IN_PROGRESS: 'running',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  EXPIRED: 'failed',
  CANCELED: 'canceled',
  WEBHOOK_FAILED: 'succeeded',
}

test.each(Object.entries(meanings))('the status %s is %s, and everything in the example is read', (status, meaning) => {
  const read = statusSchema.parse({ ...example, status })
  expect(read).toEqual({ ...example, status })
  expect(observe(read, 'uploads/a1/output').status).toBe(meaning)
})

/** Of a model whose result only the webhook brings. */
const webhooks: { readonly [status in WebhookStatus]: Observation['status'] } = {
  PENDING: 'running',
  SUCCEEDED: 'failed',
  FAILED: 'failed',
  CANCELED: 'failed',
  NO_WEBHOOK_PROVIDED: 'failed',
}

test.each(Object.entries(webhooks))('a success whose webhook is %s and was not heard is %s', (webhook, meaning) => {
  const read = statusSchema.parse({ ...example, status: 'SUCCEEDED', webhook_status: webhook })
  expect(observe(read, null).status).toBe(meaning)
})

const codes = [
  ...['MODEL_PREDICT_ERROR', 'MODEL_PREDICT_TIMEOUT', 'MODEL_NOT_READY', 'MODEL_DOES_NOT_EXIST'],
  ...['MODEL_UNAVAILABLE', 'MODEL_INVALID_INPUT', 'ASYNC_REQUEST_NOT_SUPPORTED', 'INTERNAL_SERVER_ERROR'],
]

test.each(codes)('the error %s is a failure with its words', code => {
  const read = statusSchema.parse({ ...example, status: 'FAILED', errors: [{ code, message: 'what happened' }] })
  const { failure } = observe(read, null)
  expect(failure?.message).toContain('what happened')
})
