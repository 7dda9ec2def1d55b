import { spentOn } from '../core/money.ts'
import type { Policy } from '../core/policy.ts'
import { type Attempt, isEnded, isTerminal, type PredictionRecord, type PredictionStatus } from '../core/prediction.ts'

/**
 * What the core promises, checked at every version of every record that a store has committed, and at every start;
 * numbered like the rules of single steps in `src/core/test-rules.ts`. Broken rules are raised at the end of a run.
 */
export interface Rules {
  /** A version that was committed just now. */
  check(record: PredictionRecord, version: number): void
  /** A provider is being asked to start this attempt. */
  starting(attemptId: string): void
  /** The newest versions of all records. */
  records(): readonly PredictionRecord[]
  /** How many of them are not settled. */
  open(): number
  /** After everything settled: every run that began at one deployment. */
  checkRuns(deployment: string, runs: readonly RunAtVendor[]): void
  /** After everything settled: the files that are kept. */
  checkFiles(files: readonly string[]): void
  /** Throws the first broken rule, if any. */
  raise(): void
}

/** A run as its vendor's bill shows it. */
export interface RunAtVendor {
  /** Null where nothing tells whose it is but what it was asked for. */
  readonly attemptId: string | null
  /** The prompt of the prediction that it works for. */
  readonly wish: string
  /** It goes on, and the vendor does not deny it. */
  readonly isRunning: boolean
  /** USD so far; null where nobody bills. */
  readonly amount: number | null
}

export interface RulesOptions {
  readonly policy: Policy
  readonly now: () => number
  readonly hasFile: (key: string) => boolean
  /** By so much a crash can delay whoever drives a record. */
  readonly tickMs: number
}

const rank: { readonly [status in PredictionStatus]: number } = {
  starting: 0,
  processing: 1,
  succeeded: 2,
  failed: 2,
  canceled: 2,
  aborted: 2,
}

export function createRules({ policy, now, hasFile, tickMs }: RulesOptions): Rules {
  const last = new Map<string, { record: PredictionRecord; version: number }>()
  const open = new Set<string>()
  const predictionOf = new Map<string, string>()
  const started = new Set<string>()
  const outputs = new Map<string, string>()
  const broken: string[] = []

  function expect(holds: boolean, rule: string, record: PredictionRecord): void {
    if (!holds)
      broken.push(
        `${rule} (prediction ${record.id}, ${record.status}, attempts ${record.attempts.map(attempt => `${attempt.state}/${attempt.release}`).join(' ')})`,
      )
  }

  function attemptOf(id: string): { attempt: Attempt; record: PredictionRecord } | null {
    const record = last.get(predictionOf.get(id) ?? '')?.record
    const attempt = record?.attempts.find(candidate => candidate.id === id)
    return record === undefined || attempt === undefined ? null : { attempt, record }
  }

  return {
    check(record, version) {
      const before = last.get(record.id)
      if (before !== undefined && version <= before.version) return
      last.set(record.id, { record, version })
      if (record.settledAt === null) open.add(record.id)
      else open.delete(record.id)
      for (const { id } of record.attempts) predictionOf.set(id, record.id)
      checkOne(record)
      if (before !== undefined) checkPair(before.record, record)
    },
    starting(id) {
      const found = attemptOf(id)
      if (found === null) broken.push(`4: attempt ${id} is started without a stored intent`)
      else {
        expect(found.attempt.submittedAt !== null, '4: a start whose intent is not stored', found.record)
        expect(!started.has(id), '4: an attempt is started twice', found.record)
      }
      started.add(id)
    },
    records: () => [...last.values()].map(({ record }) => record),
    open: () => open.size,
    checkRuns(deployment, runs) {
      const billed = new Set<string>()
      const unnamed: RunAtVendor[] = []
      for (const run of runs) {
        const { attemptId, isRunning, amount } = run
        if (attemptId === null) {
          unnamed.push(run)
          continue
        }
        const found = attemptOf(attemptId)
        if (found === null) {
          broken.push(`6: attempt ${attemptId} began at ${deployment} and nobody knows it`)
          continue
        }
        expect(!billed.has(attemptId), `4: an attempt was begun twice at ${deployment}`, found.record)
        billed.add(attemptId)
        expect(
          found.attempt.release !== 'none',
          `4: ${deployment} bills a run of which the account says that it never began`,
          found.record,
        )
        if (isRunning)
          expect(
            found.attempt.release === 'given_up',
            `6: a run goes on at ${deployment} that is not recorded as given up`,
            found.record,
          )
        const { cost, release } = found.attempt
        if (amount !== null && cost !== null && !cost.estimated && release === 'confirmed')
          expect(
            Math.abs(cost.amount - amount) < 1e-6,
            `7: ${deployment} bills ${amount} USD and the account says that it is exactly ${cost.amount}`,
            found.record,
          )
      }
      checkUnnamed(deployment, unnamed)
    },
    checkFiles(files) {
      const kept = new Set(outputs.values())
      for (const key of files) {
        if (!kept.has(key)) broken.push(`3: the file ${key} stays although it is nobody's output`)
      }
    },
    raise() {
      if (broken.length > 0) throw new Error(`${broken.length} broken rules; the first: ${broken[0]}`)
    },
  }

  /** What tells of itself only by what it works on is counted: no more began, and goes on, than attempts account for. */
  function checkUnnamed(deployment: string, runs: readonly RunAtVendor[]): void {
    const byWish = Map.groupBy(runs, ({ wish }) => wish)
    if (byWish.size === 0) return
    const records = new Map([...last.values()].map(({ record }) => [record.input.prompt, record]))
    for (const [wish, mine] of byWish) {
      const record = records.get(wish)
      if (record === undefined) {
        broken.push(`6: a run for "${wish}" began at ${deployment} and nobody knows it`)
        continue
      }
      const sent = record.attempts.filter(attempt => attempt.deployment === deployment && attempt.release !== 'none')
      expect(mine.length <= sent.length, `4: ${deployment} bills more runs than the account says that began`, record)
      expect(
        mine.filter(({ isRunning }) => isRunning).length <= sent.filter(({ release }) => release === 'given_up').length,
        `6: a run goes on at ${deployment} that is not recorded as given up`,
        record,
      )
    }
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
    if (record.output !== null) {
      expect(hasFile(record.output.key), '3: the output is not in the store', record)
      expect((outputs.get(record.id) ?? record.output.key) === record.output.key, '3: a second output', record)
      outputs.set(record.id, record.output.key)
    }
    expect(record.attempts.filter(attempt => attempt.state === 'won').length <= 1, '3: two winners', record)
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
      expect(
        later.deployment === attempt.deployment || attempt.state === 'planned',
        'an attempt that was sent moved to another deployment',
        after,
      )
      expect(
        attempt.release !== 'confirmed' || later.release === 'confirmed',
        '6: a confirmed end was taken back',
        after,
      )
    }
    for (const attempt of after.attempts) {
      const earlier = before.attempts.find(candidate => candidate.id === attempt.id)
      if (attempt.submittedAt !== null && (earlier?.submittedAt ?? null) === null) checkStart(before, after, attempt)
    }
  }

  /** At the moment of a start's intent: is it allowed, and is what came before it looked for as it must be? */
  function checkStart(before: PredictionRecord, after: PredictionRecord, attempt: Attempt): void {
    expect(!isTerminal(before.status), 'a start after the end', after)
    const others = after.attempts.filter(({ id }) => id !== attempt.id)
    expect(
      others.every(other => other.state !== 'unknown' || other.abandoned !== null || other.hedgedAt !== null),
      '4: money is spent again while a lost start is still looked for',
      after,
    )
    if (policy.budget === null) return
    // A run that cost more than was reserved for it is an overshoot of an estimate, which is shown as such.
    const taken = others.reduce((sum, other) => sum + Math.min(spentOn(other), other.reserved), attempt.reserved)
    expect(taken <= policy.budget + 1e-9, '7: more money is reserved than policy allows', after)
  }
}
