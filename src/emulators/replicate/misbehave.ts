import type { ActiveFaults } from '../faults.ts'
import { refuseCreate as refuseAnyCreate } from '../misbehave.ts'
import { problem, wording } from './answers.ts'
import type { Run } from './run.ts'

/** Answers a start that is refused: nothing has been started. Null: no such fault. */
export function refuseCreate(faults: ActiveFaults, now: number): Response | null {
  if (!faults.has('create-422')) return refuseAnyCreate(faults, now, wording)
  return faults.text('create-422') === 'input'
    ? problem(422, '- input.photo: this field is required', 'Input validation failed')
    : problem(422, 'Invalid version or not permitted', 'Invalid version or not permitted')
}

/** Whether a finished run's files are gone before their time. */
export function isExpired(run: Run, now: number): boolean {
  if (!run.faults.has('output-expired') || run.completedAt === null) return false
  return now >= run.completedAt + run.faults.number('output-expired') * 1000
}
