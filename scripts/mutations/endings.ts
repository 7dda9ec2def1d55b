import type { Rule } from './mutation.ts'

/** Rules 1 to 3: how predictions end. */
export const endings: readonly Rule[] = [
  {
    number: 1,
    says: 'one terminal status, which never changes, at or before the deadline',
    mutations: [
      {
        file: 'src/core/step.ts',
        find: '} else if (now >= draft.deadlineAt) {',
        replace: '} else if (now >= draft.deadlineAt + 60_000) {',
        breaks: 'Predictions live on for a minute after their deadline.',
      },
      {
        file: 'src/core/step.ts',
        find: 'if (!isTerminal(draft.status)) at = Math.min(at, draft.deadlineAt)',
        replace: '',
        breaks: 'Nobody wakes up at the deadline.',
      },
      {
        file: 'src/core/step.ts',
        find: 'draft.completedAt = now\n',
        replace: 'draft.completedAt = draft.deadlineAt\n',
        breaks: 'A prediction ends at another moment than it says.',
      },
      {
        file: 'src/core/step.ts',
        find: "if (draft.status !== 'starting' || draft.attempts.every",
        replace: 'if (draft.attempts.every',
        breaks: 'A run that is seen late brings an ended prediction back to life.',
      },
      {
        file: 'src/core/step.ts',
        find: 'if (!isTerminal(draft.status)) draft.cancelRequestedAt ??= now',
        replace: 'draft.cancelRequestedAt ??= now',
        breaks: 'A cancel after the end changes what an ended prediction says.',
      },
      {
        file: 'src/core/prediction.ts',
        find: "export const terminalStatuses = ['succeeded', 'failed', 'canceled', 'aborted'] as const",
        replace: "export const terminalStatuses = ['succeeded', 'failed', 'canceled'] as const",
        breaks: 'An aborted prediction goes on, and ends again.',
      },
      {
        file: 'src/engine/engine.ts',
        find: 'isTerminal(stored.record.status) || driver.now() < stored.record.deadlineAt) return stored',
        replace: 'isTerminal(stored.record.status) || stored.version > 0) return stored',
        breaks: 'A reader sees a live status after the deadline.',
      },
      {
        file: 'src/engine/driver.ts',
        find: 'Math.min(next.nextAt, at + leaseMs)',
        replace: 'next.nextAt',
        breaks: 'What a dead process drove is picked up when its next timer is due, minutes later.',
      },
    ],
  },
  {
    number: 2,
    says: 'status never goes backwards: observations are ranked by state, not by arrival',
    mutations: [
      {
        file: 'src/core/attempt.ts',
        find: 'if ((rankOfState[state] ?? 0) <= (rankOfState[attempt.state] ?? 9)) return',
        replace: 'if (isEnded(attempt.state)) return',
        breaks: 'A late "queued" takes a running attempt back.',
      },
      {
        file: 'src/core/attempt.ts',
        find: 'const rank: { readonly [status in ObservedStatus]?: number } = { queued: 1, booting: 2, running: 3 }',
        replace: 'const rank: { readonly [status in ObservedStatus]?: number } = {}',
        breaks: 'Progress of an earlier stage overwrites that of a later one.',
      },
      {
        file: 'src/core/attempt.ts',
        find: '  booting: 2,\n  running: 3,\n  collecting: 4,\n',
        replace: '  booting: 2,\n  running: 3,\n  collecting: 2,\n',
        breaks: 'A late "running" takes an attempt back whose output is being collected.',
      },
      {
        file: 'src/core/step.ts',
        find: "  draft.status = 'processing'\n",
        replace: "  draft.status = draft.attempts.length > 1 ? 'starting' : 'processing'\n",
        breaks: 'A prediction whose second attempt works says that it is starting.',
      },
    ],
  },
  {
    number: 3,
    says: 'at most one output, and a verified one; a late winner is cost, not a result',
    mutations: [
      {
        file: 'src/engine/collect.ts',
        find: 'if (!verdict.valid) {',
        replace: 'if (false) {',
        breaks: 'A broken file becomes the output.',
      },
      {
        file: 'src/engine/pending-effects.ts',
        find: 'return attempt.submittedAt !== null && isEnded',
        replace: 'return attempt.collectingAt !== null && isEnded',
        breaks: 'The upload of a kit whose attempt ends uncollected stays for ever.',
      },
      {
        file: 'src/engine/uploads.ts',
        find: 'return (await look(attemptId))?.isOver ? await refuseOver(attemptId, name) : result',
        replace: 'return result',
        breaks: 'An upload whose attempt ends while it comes stays for ever.',
      },
      {
        file: 'src/core/attempt.ts',
        find: 'if (upload !== undefined && takeUpload(draft, attempt, now, upload)) return confirmRelease(attempt)',
        replace: '',
        breaks: 'A run that is reported lost after its kit has uploaded is paid again.',
      },
      {
        file: 'src/core/attempt.ts',
        find: "if (isEnded(attempt.state) || isTerminal(draft.status)) return confirmEnd(attempt, now, 'failed', null)",
        replace: "if (isEnded(attempt.state)) return confirmEnd(attempt, now, 'failed', null)",
        breaks: 'The output of a run that succeeds after the end is collected all the same.',
      },
      {
        file: 'src/core/step.ts',
        find: "if (draft.status === 'succeeded') abandon(attempt, now, 'superseded', null)",
        replace: "if (draft.status === 'succeeded') continue",
        breaks: 'The loser of a race goes on after the winner, and wins too.',
      },
      {
        file: 'src/core/step.ts',
        find: "      return endCollected(attempt, now, 'won', null)",
        replace: "      return endCollected(attempt, now, 'superseded', null)",
        breaks: 'A verified output is thrown away.',
      },
      {
        file: 'src/core/attempt.ts',
        find: '  if (outputs.length === 0) {',
        replace: '  if (observation.outputs === undefined) {',
        breaks: 'A success without an output waits for a file that nobody named.',
      },
      {
        file: 'src/engine/effects.ts',
        find: 'if (hasLost) await remove(request)',
        replace: 'await remove(request)',
        breaks: 'A process that is slow removes the file with which another one has won.',
      },
      {
        file: 'src/engine/under-way.ts',
        find: 'if (isLoser(attempt) && (isNews || after.settledAt !== null)) track(discard(after, attempt))',
        replace: '',
        breaks: 'Files of attempts that lost stay.',
      },
      {
        file: 'src/engine/under-way.ts',
        find: '(isNews || after.settledAt !== null)',
        replace: 'isNews',
        breaks: 'A file stays when the answer to the write that ended its attempt was lost.',
      },
      {
        file: 'src/files/disk.ts',
        find: 'await link(from, to)',
        replace: "await (await import('node:fs/promises')).rename(from, to)",
        breaks: 'Of two complete writes the last one wins, after the first was verified.',
      },
      {
        file: 'src/files/receive.ts',
        find: 'if (promised !== undefined && bytes !== promised)',
        replace: 'if (promised !== undefined && bytes > promised)',
        breaks: 'A download that was cut counts as whole.',
      },
      {
        file: 'src/files/receive.ts',
        find: 'if (promisedDigest !== undefined && sha256 !== promisedDigest)',
        replace: 'if (promisedDigest !== undefined && sha256.length !== promisedDigest.length)',
        breaks: 'Any bytes of the right length pass for those that were stated.',
      },
    ],
  },
]
