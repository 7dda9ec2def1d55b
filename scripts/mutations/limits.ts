import type { Rule } from './mutation.ts'

/** Rules 7 and 8: what may be spent, and what is believed. */
export const limits: readonly Rule[] = [
  {
    number: 7,
    says: 'attempts and reserved money never exceed the policy',
    mutations: [
      {
        file: 'src/core/planning.ts',
        find: 'if (counted.length >= policy.attempts)',
        replace: 'if (counted.length > policy.attempts)',
        breaks: 'One attempt more than policy allows.',
      },
      {
        file: 'src/core/money.ts',
        find: '(budget === null || spent + worst <= budget)',
        replace: '(budget === null || spent <= budget)',
        breaks: 'The worst case of the next attempt is not covered.',
      },
      {
        file: 'src/core/money.ts',
        find: 'spentToday + amount <= budgetPerDay',
        replace: 'spentToday <= budgetPerDay',
        breaks: "The worst case of the next attempt exceeds the day's budget.",
      },
      {
        file: 'src/core/follow.ts',
        find: 'if (!fitsDay(attempt.reserved, policy, world)) {',
        replace: 'if (false) {',
        breaks: "What waited for a place is sent although the day's money is spent.",
      },
      {
        file: 'src/store/attempts.ts',
        find: 'budget !== null && ',
        replace: 'false && budget !== null && ',
        breaks: "The store lets several processes spend the same rest of the day's money.",
      },
      {
        file: 'src/engine/reservations.ts',
        find: 'budget: budgetPerDay === null ? null : ',
        replace: 'budget: true ? null : ',
        breaks: "The store is not asked whether the day's money still suffices.",
      },
      {
        file: 'src/core/planning.ts',
        find: 'attempt.reserved = reservationFor(plan.deployment, policy)',
        replace: 'attempt.reserved = 0',
        breaks: 'Nothing is reserved for what runs.',
      },
      {
        file: 'src/core/money.ts',
        find: "return release === 'confirmed' ? (cost?.amount ?? reserved)",
        replace: "return release === 'confirmed' ? (cost?.amount ?? 0)",
        breaks: 'A run whose cost nobody knows counts as free.',
      },
      {
        file: 'src/core/money.ts',
        find: 'if (deployment.pricePerSecond === null) return false',
        replace: 'if (deployment.pricePerSecond === null) return true',
        breaks: 'A deployment of unknown price fits every budget.',
      },
      {
        file: 'src/core/planning.ts',
        find: 'activeAttempts(draft).length <= policy.hedges',
        replace: 'activeAttempts(draft).length <= policy.hedges + 1',
        breaks: 'One hedge more than policy allows.',
      },
      {
        file: 'src/core/planning.ts',
        find: "return attempt.release === 'none' && attempt.failure?.code === 'rate_limited'",
        replace: "return attempt.failure?.code === 'rate_limited'",
        breaks: 'Attempts that ran and were paid do not count.',
      },
      {
        file: 'src/store/attempts.ts',
        find: 'if (Number(others) + own > concurrency) return false',
        replace: '',
        breaks: 'More runs on a deployment than it allows.',
      },
      {
        file: 'src/core/prediction.ts',
        find: "return !isEnded(state) || release === 'open'",
        replace: 'return !isEnded(state)',
        breaks: 'A run that may still go on takes no place and no money.',
      },
      {
        file: 'src/store/attempts.ts',
        find: '>= startsPerMinute) return false',
        replace: '> startsPerMinute) return false',
        breaks: 'More starts in a minute than the deployment allows.',
      },
      {
        file: 'src/store/attempts.ts',
        find: 'reserved: spentOn(attempt)',
        replace: 'reserved: attempt.cost?.amount ?? 0',
        breaks: 'What may still run counts for nothing in what was spent today.',
      },
    ],
  },
  {
    number: 8,
    says: 'only what the provider answers, a proven webhook or a verified file is truth',
    mutations: [
      {
        file: 'src/core/step.ts',
        find: '      if (!awaited) return\n      noteSight(draft, attempt, now)',
        replace: '      noteSight(draft, attempt, now)',
        breaks: 'An answer to a question that nobody asks any more is taken for news.',
      },
      {
        file: 'src/core/step.ts',
        find: "case 'startRejected':\n      if (!awaited || attempt.handle !== null) return",
        replace: "case 'startRejected':\n      if (attempt.handle !== null) return",
        breaks: 'A refusal that nobody waits for ends an attempt.',
      },
      {
        file: 'src/core/step.ts',
        find: "if (!awaited || attempt.state !== 'collecting') return\n",
        replace: "if (attempt.state !== 'collecting') return\n",
        breaks: 'A collect that was given up ends the one that replaced it.',
      },
      {
        file: 'src/core/step.ts',
        find: "if (!awaited || isTerminal(draft.status) || attempt.state !== 'collecting') return",
        replace: "if (isTerminal(draft.status) || attempt.state !== 'collecting') return",
        breaks: 'A file that nobody waits for any more wins.',
      },
      {
        file: 'src/core/attempt.ts',
        find: "if (attempt.release === 'confirmed') return",
        replace: '',
        breaks: 'What is heard after the confirmed end changes it.',
      },
      {
        file: 'src/engine/engine.ts',
        find: 'if (provider?.hear === undefined || !isMarkerSecret(serverKey, attemptId, secret))',
        replace: 'if (provider?.hear === undefined)',
        breaks: 'Anybody who knows an attempt may say how it ended.',
      },
      {
        file: 'src/engine/marker.ts',
        find: 'return given.length === expected.length && timingSafeEqual(given, expected)',
        replace: 'return given.length === expected.length',
        breaks: 'Any secret of the right length passes.',
      },
      {
        file: 'src/store/predictions.ts',
        find: "if (delivery !== null && (await isDelivered(db, delivery))) return 'replayed'",
        replace: '',
        breaks: 'A webhook that is played again counts again.',
      },
      {
        file: 'src/files/signing.ts',
        find: "return now < expiresAt ? 'good' : 'expired'",
        replace: "return 'good'",
        breaks: 'A link that has ended still permits an upload.',
      },
      {
        file: 'src/files/signing.ts',
        find: '.update(JSON.stringify([expiresAt, ...parts]))',
        replace: '.update(JSON.stringify([expiresAt]))',
        breaks: "A link for one attempt's upload permits every other.",
      },
    ],
  },
]
