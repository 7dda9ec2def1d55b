import type { Rule } from './mutation.ts'

/** Rules 4 to 6: what is begun at providers, and followed there. */
export const starts: readonly Rule[] = [
  {
    number: 4,
    says: 'the intent to start is stored first; a start whose answer is lost is looked for before money is spent again',
    mutations: [
      {
        file: 'src/core/writing.ts',
        find: "new Set<keyof Attempt>(['progress', 'changedAt', 'word', 'logLength', 'cost'])",
        replace:
          "new Set<keyof Attempt>(['progress', 'changedAt', 'word', 'logLength', 'cost', 'state', 'submittedAt', 'pending'])",
        breaks: 'A start is sent before its intent is stored.',
      },
      {
        file: 'src/engine/effects.ts',
        find: "return { type: 'startUnknown', ...answer, failure: failureFrom(error, 'start_unknown') }",
        replace: "return { type: 'startRejected', ...answer, failure: failureFrom(error, 'start_unknown') }",
        breaks: 'A start that was cut off counts as refused.',
      },
      {
        file: 'src/providers/vendor-api.ts',
        find: 'if (!surelyNotSent(error)) return submission.broken',
        replace: 'if (false) return submission.broken',
        breaks: 'A start whose connection was cut counts as refused by the vendor.',
      },
      {
        file: 'src/core/step.ts',
        find: 'return loseStart(draft, attempt, now, event.failure)',
        replace: "return confirmEnd(attempt, now, 'failed', event.failure)",
        breaks: 'A start whose answer was lost counts as failed.',
      },
      {
        file: 'src/core/draft.ts',
        find: 'attempt => !isEnded(attempt.state) && attempt.abandoned === null)',
        replace: "attempt => !isEnded(attempt.state) && attempt.abandoned === null && attempt.state !== 'unknown')",
        breaks: 'The next attempt is paid while the lost start is still looked for.',
      },
      {
        file: 'src/core/timers.ts',
        find: "timer('unknown', attempt.unknownSince, unknownMs, ms =>",
        replace: "timer('unknown', attempt.unknownSince, 0, ms =>",
        breaks: 'Nobody waits for a lost start to be found.',
      },
      {
        file: 'src/core/timers.ts',
        find: 'if (deployment?.canFind && attempt.searchedAt == null)',
        replace: 'if (false)',
        breaks: 'Money is spent again although no search for the first run got an answer.',
      },
      {
        file: 'src/core/step.ts',
        find: 'adopt(draft, attempt, now, run.handle)',
        replace: '',
        breaks: 'A run that was found is not adopted.',
      },
      {
        file: 'src/core/follow.ts',
        find: "if (attempt.state === 'unknown') effects.push(...look(attempt, now, deployment, world))",
        replace: '',
        breaks: 'A lost start is never looked for.',
      },
      {
        file: 'src/core/follow.ts',
        find: 'return mayBeAnswered ? pending.until : 0',
        replace: 'return 0',
        breaks: 'A start that another living process may still send is called lost.',
      },
      {
        file: 'src/core/step.ts',
        find: "if (!awaited || attempt.state !== 'unknown' || !world.deployments[attempt.deployment]?.findIsExact) return",
        replace: "if (!awaited || attempt.state !== 'unknown') return",
        breaks: 'A search that found nothing proves that nothing runs, also where it proves nothing.',
      },
      {
        file: 'src/engine/effects.ts',
        find: 'if (leaseUntil - now() <= startTimeoutMs) {',
        replace: 'if (leaseUntil < 0) {',
        breaks: 'A start is sent after others may have taken the prediction over.',
      },
      {
        file: 'src/engine/driver.ts',
        find: 'const mayBegin = running && at < leases.until()',
        replace: 'const mayBegin = running',
        breaks: 'A process without a lease begins effects.',
      },
      {
        file: 'src/store/predictions.ts',
        find: "      .where('version', '=', version)\n",
        replace: '',
        breaks: 'A write from an old version overwrites what another process stored.',
      },
      {
        file: 'src/store/predictions.ts',
        find: "    .where(({ eb, or }) => or([eb('lease_until', 'is', null), eb('lease_until', '<=', now)]))\n",
        replace: '',
        breaks: 'Two processes hold the lease of one prediction.',
      },
    ],
  },
  {
    number: 5,
    says: 'a failed poll is never a failed job',
    mutations: [
      {
        file: 'src/core/step.ts',
        find: 'if (awaited) pollAgain(attempt, now, pollMs, event.failure.retryAfterMs)',
        replace: "if (awaited) confirmEnd(attempt, now, 'failed', event.failure)",
        breaks: 'A status endpoint that is away ends the job.',
      },
      {
        file: 'src/core/step.ts',
        find: 'for (const attempt of draft.attempts) if (attempt.id !== unseen) runTimers',
        replace: 'for (const attempt of draft.attempts) runTimers',
        breaks: 'A look that fails lets a timer end what it could not see.',
      },
      {
        file: 'src/core/follow.ts',
        find: '(isLooking || isBlind)',
        replace: 'isLooking',
        breaks: 'After one failed look a timer ends the job unseen.',
      },
      {
        file: 'src/core/follow.ts',
        find: "if (timer.name !== 'collect') return false",
        replace: 'if (timer.at > 0) return false',
        breaks: 'After a time in which no process ran, a finished job ends before anybody has tried to collect it.',
      },
      {
        file: 'src/core/attempt.ts',
        find: 'if (attempt.submittedAt !== null && now - attempt.submittedAt < goneGraceMs) return',
        replace: '',
        breaks: 'A 404 right after the start ends the job.',
      },
      {
        file: 'src/core/attempt.ts',
        find: "    case 'unclear':\n      return\n",
        replace:
          "    case 'unclear':\n      return confirmEnd(attempt, now, 'failed', createFailure('provider_error', 'Unclear.'))\n",
        breaks: 'A status word that nobody knows ends the job.',
      },
      {
        file: 'src/core/follow.ts',
        find: 'attempt.nextPollAt = now + Math.max(backoff, askedMs ?? 0)',
        replace: 'attempt.nextPollAt = Number.MAX_SAFE_INTEGER',
        breaks: 'After a failed poll nobody asks again.',
      },
      {
        file: 'src/engine/effects.ts',
        find: "        type: 'pollFailed',\n",
        replace: "        type: 'startRejected',\n",
        breaks: 'A poll that throws is taken for a start that was refused.',
      },
    ],
  },
  {
    number: 6,
    says: 'every started attempt is followed until the provider confirms its end, or giving up is recorded',
    mutations: [
      {
        file: 'src/core/attempt.ts',
        find: '  attempt.abandoned = { at: now, as, failure }\n  attempt.nextCancelAt = now\n',
        replace: '  attempt.abandoned = { at: now, as, failure }\n',
        breaks: 'What nobody wants any more is not told to stop.',
      },
      {
        file: 'src/core/attempt.ts',
        find: 'if (isEnded(attempt.state) || attempt.abandoned !== null) {',
        replace: 'if (attempt.handle === null) {',
        breaks: 'A run that shows up late is not cancelled.',
      },
      {
        file: 'src/core/follow.ts',
        find: "draft.attempts.every(attempt => isEnded(attempt.state) && attempt.release !== 'open') &&",
        replace: 'draft.attempts.every(attempt => isEnded(attempt.state)) &&',
        breaks: 'A prediction settles while a run of it goes on.',
      },
      {
        file: 'src/core/follow.ts',
        find: 'attempt.nextCancelAt = now + Math.min(maxRetryMs, firstCancelRetryMs * 2 ** (attempt.cancelTries - 1))',
        replace: 'attempt.nextCancelAt = null',
        breaks: 'A cancel that was lost is not repeated.',
      },
      {
        file: 'src/core/follow.ts',
        find: "confirmEnd(attempt, now, 'failed', attempt.failure)\n    attempt.release = 'given_up'\n",
        replace: "confirmEnd(attempt, now, 'failed', attempt.failure)\n",
        breaks: 'A run that was given up counts as confirmed.',
      },
      {
        file: 'src/core/step.ts',
        find: "if (event.answer === 'ended') confirmEnd(attempt, now, 'failed', attempt.failure)",
        replace: "if (event.answer !== 'impossible') confirmEnd(attempt, now, 'failed', attempt.failure)",
        breaks: 'A cancel that was only accepted counts as an end.',
      },
      {
        file: 'src/core/follow.ts',
        find: "if (attempt.release === 'open') effects.push(...poll(attempt, now, deployment, world))",
        replace:
          "if (attempt.release === 'open' && attempt.abandoned === null) effects.push(...poll(attempt, now, deployment, world))",
        breaks: 'Nobody asks whether an abandoned run has ended.',
      },
      {
        file: 'src/core/step.ts',
        find: 'if (attempt.handle !== null) return\n      adopt(draft, attempt, now, event.handle)',
        replace: 'if (!awaited || attempt.handle !== null) return\n      adopt(draft, attempt, now, event.handle)',
        breaks: 'The handle of a start that nobody waits for any more is lost, and its run with it.',
      },
      {
        file: 'src/engine/under-way.ts',
        find: 'reportFault(error)\n        if (!isRunning() && tries >= lastTries) return false\n',
        replace: 'reportFault(error)\n        return false\n',
        breaks: 'What a call brought back is forgotten when the store fails once.',
      },
      {
        file: 'src/engine/driver.ts',
        find: 'loop(pickUpEveryMs, () => pickUp(limit)),',
        replace: '',
        breaks: 'Nobody picks up what a dead process drove.',
      },
      {
        file: 'src/engine/driver.ts',
        find: 'if (version === undefined) letGo(held)',
        replace: 'if (version === undefined) continue',
        breaks: 'A process goes on with predictions whose leases it has lost.',
      },
    ],
  },
]
