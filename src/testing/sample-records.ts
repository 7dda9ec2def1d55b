import type { Attempt, PredictionRecord } from '../core/prediction.ts'
import type { Change, FileRow } from '../store/contract.ts'

/** A prediction that was just created, with what the test cares about put over it. */
export function samplePrediction(over: Partial<PredictionRecord> & { readonly id: string }): PredictionRecord {
  return {
    model: 'surefoot/relief',
    modelVersion: '0'.repeat(64),
    owner: 'local',
    input: { image: 'http://127.0.0.1:3000/v1/files/photo' },
    files: {},
    source: 'api',
    createdAt: 1_000,
    deadlineAt: 121_000,
    deadlineBy: 'policy',
    startedAt: null,
    completedAt: null,
    status: 'starting',
    cancelRequestedAt: null,
    attempts: [],
    output: null,
    failure: null,
    progress: null,
    retryAt: null,
    decisions: [],
    webhook: null,
    settledAt: null,
    ...over,
  }
}

/** An attempt whose start intent is about to be written, with what the test cares about put over it. */
export function sampleAttempt(over: Partial<Attempt> & { readonly id: string }): Attempt {
  return {
    number: 1,
    deployment: 'relief@local',
    state: 'submitting',
    plannedAt: 1_000,
    submittedAt: 1_000,
    queuedAt: null,
    bootingAt: null,
    runningAt: null,
    collectingAt: null,
    endedAt: null,
    handle: null,
    progress: null,
    word: null,
    changedAt: 1_000,
    logLength: 0,
    restarts: 0,
    hedgedAt: null,
    pending: [],
    nextPollAt: null,
    pollFailures: 0,
    abandoned: null,
    cancelTries: 0,
    nextCancelAt: null,
    unknownSince: null,
    nextFindAt: null,
    outputs: null,
    collectFailures: 0,
    nextCollectAt: null,
    output: null,
    failure: null,
    cost: null,
    reserved: 0,
    release: 'open',
    ...over,
  }
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
