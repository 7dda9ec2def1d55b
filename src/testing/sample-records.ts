import { createAttempt } from '../core/attempt.ts'
import { createRecord } from '../core/create-record.ts'
import type { Attempt, PredictionRecord } from '../core/prediction.ts'
import type { Change, FileRow } from '../store/contract.ts'

/** A prediction that was just created, with what the test cares about put over it. */
export function samplePrediction(over: Partial<PredictionRecord> & { readonly id: string }): PredictionRecord {
  const created = createRecord(
    {
      id: over.id,
      model: 'surefoot/relief',
      modelVersion: '0'.repeat(64),
      owner: 'local',
      source: 'api',
      input: { image: 'http://127.0.0.1:3000/v1/files/photo' },
      files: {},
      deadlineMs: 120_000,
      deadlineBy: 'policy',
      webhook: null,
    },
    1_000,
  )
  return { ...created, ...over }
}

/** An attempt whose start intent is about to be written, with what the test cares about put over it. */
export function sampleAttempt(over: Partial<Attempt> & { readonly id: string }): Attempt {
  const planned = createAttempt(over.id, 1, 'relief@local', 1_000)
  return { ...planned, state: 'submitting', submittedAt: 1_000, release: 'open', ...over }
}

/** A change that inserts the record, due at once and free, with what the test cares about put over it. */
export function sampleChange(record: PredictionRecord, over: Partial<Omit<Change, 'record'>> = {}): Change {
  return { record, version: 0, nextAt: record.createdAt, reservations: [], lease: 'unchanged', ...over }
}

/** A file of `local`, with what the test cares about put over it. */
export function sampleFileRow(over: Partial<FileRow> & { readonly id: string }): FileRow {
  return {
    owner: 'local',
    key: `files/${over.id}`,
    name: 'photo.jpg',
    mediaType: 'image/jpeg',
    bytes: 3,
    sha256: '0'.repeat(64),
    metadata: '{}',
    createdAt: 1_000,
    expiresAt: null,
    ...over,
  }
}
