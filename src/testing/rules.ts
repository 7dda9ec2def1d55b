import type { Policy } from '../core/policy.ts'
import { isEnded, isTerminal, type PredictionRecord, type PredictionStatus } from '../core/prediction.ts'

/** What the core promises, checked between any two written versions of a record. Broken rules are raised at the end of a run. */
export interface Rules {
  check(record: PredictionRecord, version: number): void
  /** Throws the first broken rule, if any. */
  raise(): void
}

export interface RulesOptions {
  readonly policy: Policy
  readonly now: () => number
  readonly hasFile: (key: string) => boolean
}

/** A crash can delay whoever drives a record by a lease and its pick-up. */
const tickMs = 20_000

const rank: { readonly [status in PredictionStatus]: number } = {
  starting: 0,
  processing: 1,
  succeeded: 2,
  failed: 2,
  canceled: 2,
  aborted: 2,
}

export function createRules({ policy, now, hasFile }: RulesOptions): Rules {
  const last = new Map<string, { record: PredictionRecord; version: number }>()
  const broken: string[] = []

  function expect(holds: boolean, rule: string, record: PredictionRecord): void {
    if (!holds)
      broken.push(
        `${rule} (prediction ${record.id}, ${record.status}, attempts ${record.attempts.map(attempt => `${attempt.state}/${attempt.release}`).join(' ')})`,
      )
  }

  return {
    check(record, version) {
      const before = last.get(record.id)
      if (before !== undefined && version <= before.version) return
      last.set(record.id, { record, version })
      checkOne(record)
      if (before !== undefined) checkPair(before.record, record)
    },
    raise() {
      if (broken.length > 0) throw new Error(`${broken.length} broken rules; the first: ${broken[0]}`)
    },
  }

  function checkOne(record: PredictionRecord): void {
    const terminal = isTerminal(record.status)
    expect(terminal === (record.completedAt !== null), '1: a terminal status has an end, and only it', record)
    if (!terminal) expect(now() <= record.deadlineAt + tickMs, '1: live after the deadline', record)
    if (record.completedAt !== null)
      expect(record.completedAt <= record.deadlineAt + tickMs, '1: ended after the deadline', record)
    expect(
      (record.status === 'succeeded') === (record.output !== null),
      '3: an output without success, or success without one',
      record,
    )
    if (record.output !== null) expect(hasFile(record.output.key), '3: the output is not in the store', record)
    expect(record.attempts.filter(attempt => attempt.state === 'won').length <= 1 || terminal, '3: two winners', record)
    expect(
      record.attempts.filter(attempt => attempt.release !== 'none' || attempt.state === 'submitting').length <=
        policy.attempts,
      '7: more attempts than policy allows',
      record,
    )
    if (record.status === 'failed') expect(record.failure !== null, 'a failure says why', record)
    if (record.settledAt !== null) {
      expect(
        terminal && record.attempts.every(attempt => isEnded(attempt.state) && attempt.release !== 'open'),
        '6: settled while an attempt is open',
        record,
      )
    }
  }

  function checkPair(before: PredictionRecord, after: PredictionRecord): void {
    expect(rank[after.status] >= rank[before.status], '2: status went backwards', after)
    if (isTerminal(before.status)) {
      expect(after.status === before.status, '1: a terminal status changed', after)
      expect(after.output?.key === before.output?.key, '3: the output changed after the end', after)
      expect(after.completedAt === before.completedAt, '1: the end moved', after)
    }
    for (const attempt of before.attempts) {
      const later = after.attempts.find(candidate => candidate.id === attempt.id)
      expect(later !== undefined, 'an attempt vanished', after)
      if (later === undefined) continue
      if (isEnded(attempt.state)) expect(later.state === attempt.state, 'an ended attempt lives again', after)
      expect(later.deployment === attempt.deployment, 'an attempt moved to another deployment', after)
      expect(
        attempt.release !== 'confirmed' || later.release === 'confirmed',
        '6: a confirmed end was taken back',
        after,
      )
    }
  }
}
