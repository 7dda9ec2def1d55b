import fc from 'fast-check'
import type {
  Account,
  Deployment,
  FileObject,
  Hardware,
  Model,
  ModelVersion,
  Page,
  Prediction,
  WebhookSecret,
} from 'replicate'
import { expect, expectTypeOf, test } from 'vitest'
import type { z } from 'zod'
import type { FileView } from '../../emulators/replicate/files.ts'
import type {
  AccountView,
  DeploymentView,
  HardwareView,
  ModelView,
  PageView,
  VersionView,
} from '../../emulators/replicate/models.ts'
import type { PredictionView } from '../../emulators/replicate/run.ts'
import type { OrNull, Received } from '../../testing/test-received.ts'
import type { Observation } from '../contract.ts'
import { observe } from './observe.ts'
import {
  accountSchema,
  fileSchema,
  pageSchema,
  predictionSchema,
  type WireFile,
  type WirePage,
  type WirePrediction,
  webhookSecretSchema,
} from './wire.ts'

/**
 * The types of `replicate` against what the emulator answers and what the adapter reads. Fields that the vendor's reference
 * calls nullable (`started_at`, `next`, ...) are optional and never null in these types; the emulator follows the reference.
 */
test('what the emulator answers fits the published types', () => {
  expectTypeOf<Received<PredictionView>>().toExtend<OrNull<Prediction>>()
  expectTypeOf<Received<FileView>>().toExtend<FileObject>()
  expectTypeOf<Received<AccountView>>().toExtend<Account>()
  expectTypeOf<Received<HardwareView>>().toExtend<Hardware>()
  expectTypeOf<Received<VersionView>>().toExtend<ModelVersion>()
  expectTypeOf<Received<ModelView>>().toExtend<Model>()
  expectTypeOf<Received<DeploymentView>>().toExtend<Deployment>()
  expectTypeOf<Received<PageView<PredictionView>>>().toExtend<OrNull<Page<OrNull<Prediction>>>>()
})

/** Every word of the published type, and what it means to us: one more there, or one less, is an error here. */
const meanings: { readonly [word in Prediction['status']]: Observation['status'] } = {
  starting: 'booting',
  processing: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'canceled',
  // Nothing had started: for us a run that was ended, with the reason.
  aborted: 'canceled',
}

test.each(Object.entries(meanings))('the status %s is %s', (status, meaning) => {
  expect(observe(predictionSchema.parse({ id: 'p1', status })).status).toBe(meaning)
})

const text = fc.string({ maxLength: 100 })
const field = fc.stringMatching(/^[a-z]{1,10}$/)
const optional = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined })
const time = fc.date({ noInvalidDate: true }).map(date => date.toISOString())
const predictions: fc.Arbitrary<Prediction> = fc.record(
  {
    id: fc.uuid(),
    status: fc.constantFrom<Prediction['status']>(
      'starting',
      'processing',
      'succeeded',
      'failed',
      'canceled',
      'aborted',
    ),
    model: text,
    version: text,
    input: fc.dictionary(field, fc.jsonValue()),
    output: fc.jsonValue(),
    source: fc.constantFrom<Prediction['source']>('api', 'web'),
    error: fc.jsonValue(),
    logs: optional(text),
    data_removed: fc.boolean(),
    deadline: optional(time),
    deployment: optional(text),
    metrics: optional(fc.record({ predict_time: fc.nat(3600), total_time: fc.nat(3600) }, { requiredKeys: [] })),
    webhook: optional(fc.webUrl()),
    created_at: time,
    started_at: optional(time),
    completed_at: optional(time),
    urls: fc.record({ get: fc.webUrl(), cancel: fc.webUrl() }),
  },
  { requiredKeys: ['id', 'status', 'model', 'version', 'input', 'source', 'data_removed', 'created_at', 'urls'] },
)
const files: fc.Arbitrary<FileObject> = fc.record({
  id: fc.uuid(),
  content_type: text,
  size: fc.nat(),
  checksums: fc.record({ sha256: text }),
  metadata: fc.dictionary(field, fc.jsonValue()),
  created_at: time,
  expires_at: fc.option(time),
  urls: fc.record({ get: fc.webUrl() }),
})

test('the adapter reads every value of the published types, and changes none', () => {
  expectTypeOf<Prediction>().toExtend<WirePrediction>()
  expectTypeOf<Page<Prediction>>().toExtend<WirePage>()
  expectTypeOf<FileObject>().toExtend<WireFile>()
  expectTypeOf<WebhookSecret>().toExtend<z.output<typeof webhookSecretSchema>>()
  expectTypeOf<Account>().toExtend<z.output<typeof accountSchema>>()
  const reads = <Value>(schema: z.ZodType, values: fc.Arbitrary<Value>) =>
    fc.assert(fc.property(values, value => void expect(schema.parse(value)).toEqual(value)))
  reads(predictionSchema, predictions)
  reads(fileSchema, files)
  reads(pageSchema, fc.record({ next: optional(fc.webUrl()), results: fc.array(predictions, { maxLength: 3 }) }))
  const accounts: fc.Arbitrary<Account> = fc.record({ type: fc.constant('user' as const), username: text, name: text })
  reads(accountSchema, accounts)
  const secrets: fc.Arbitrary<WebhookSecret> = fc.record({ key: text.map(key => `whsec_${key}`) })
  reads(webhookSecretSchema, secrets)
})
