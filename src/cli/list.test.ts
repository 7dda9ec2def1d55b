import { expect, test } from 'vitest'
import { createFailure } from '../core/failure.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import { withoutData } from '../core/retention.ts'
import { predictionSchema } from '../http/schemas.ts'
import { toPredictionView } from '../http/view.ts'
import { samplePrediction } from '../testing/sample-records.ts'
import { toRow } from './list.ts'

const links = {
  ...{ origin: 'https://here.test', output: () => null },
  ...{ derivative: String, input: String, download: String, content: String },
}

function lastColumn(over: Partial<PredictionRecord>, removedAt: number): string | undefined {
  const record = withoutData(samplePrediction({ id: 'p', ...over }), removedAt)
  return toRow(predictionSchema.parse(toPredictionView({ record }, { links, notice: null }))).at(-1)
}

test('of a prediction whose data were removed it is said when, beside how it failed', () => {
  const removedAt = Date.parse('2026-11-24T14:05:59Z')
  expect(lastColumn({ status: 'succeeded' }, removedAt)).toBe('data removed 2026-11-24 14:05')
  const failure = createFailure('stalled', 'No change.')
  expect(lastColumn({ status: 'failed', failure }, removedAt)).toBe('data removed 2026-11-24 14:05; No change.')
})
