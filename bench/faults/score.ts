import type { Case } from './cases.ts'

/** How one job ended with one contender. */
export interface Outcome {
  readonly job: Case
  /** `output`: the very bytes. `error`: the caller got an error. `wrong`: it got something else as a success. */
  readonly ending: 'output' | 'error' | 'wrong' | 'waiting'
  readonly seconds: number
  /** Runs that the vendors began, each of which is paid. */
  readonly submits: number
  /** Runs that went on when the caller had its ending, and that nobody cancelled. */
  readonly left: number
}

/** Why an ending is not right, or null where it is. */
export function faultOf({ job, ending, submits, left }: Outcome): string | null {
  if (ending === 'waiting') return 'waits'
  if (ending === 'wrong') return 'wrong output'
  if (left > 0 && job.unstoppable !== true) return `left ${left} running`
  if (job.delivers && submits > 1) return `paid ${submits}`
  return null
}

/** What every contender got, one line each. */
export function tableOf(names: readonly string[], outcomes: (name: string) => readonly Outcome[]): string {
  const head = [
    '',
    'right ending',
    'verified output',
    'still waiting',
    'paid submits per finished job',
    'the same where one run was enough',
    'left running',
    'median time to a right ending',
    'slowest',
  ]
  const rows = names.map(name => {
    const all = outcomes(name)
    const right = all.filter(outcome => faultOf(outcome) === null)
    const finished = all.filter(({ ending }) => ending === 'output')
    const times = right.map(({ seconds }) => seconds).toSorted((a, b) => a - b)
    return [
      name,
      `${percent(right.length, all.length)} (${right.length} of ${all.length})`,
      percent(finished.length, all.length),
      String(all.filter(({ ending }) => ending === 'waiting').length),
      paidPerFinished(all),
      paidPerFinished(all.filter(({ job }) => job.delivers)),
      String(sum(all.map(({ left }) => left))),
      inSeconds(times[times.length >> 1]),
      inSeconds(times.at(-1)),
    ]
  })
  return toMarkdown([head, ...rows])
}

/** Every fault with every contender: how it ended where that was right, else what was wrong with it. */
export function matrixOf(
  names: readonly string[],
  jobs: readonly Case[],
  outcomes: (name: string) => readonly Outcome[],
): string {
  const cells = (job: Case) =>
    names.map(name => {
      const outcome = outcomes(name).find(candidate => candidate.job === job)
      if (outcome === undefined) return '-'
      const wrong = faultOf(outcome)
      return wrong === null ? `${outcome.ending} ${inSeconds(outcome.seconds)}` : `**${wrong}**`
    })
  return toMarkdown([['fault', ...names], ...jobs.map(job => [`\`${job.name}\``, ...cells(job)])])
}

function toMarkdown([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function paidPerFinished(outcomes: readonly Outcome[]): string {
  const submits = sum(outcomes.map(outcome => outcome.submits))
  const finished = outcomes.filter(({ ending }) => ending === 'output').length
  return `${finished === 0 ? '-' : (submits / finished).toFixed(2)} (${submits} for ${finished})`
}

function inSeconds(seconds: number | undefined): string {
  return seconds === undefined ? '-' : `${seconds.toFixed(1)} s`
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${Math.round((100 * part) / whole)} %`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
