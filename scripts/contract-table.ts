import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { contracts as ecs } from '../src/providers/aws/ecs/test-contract.ts'
import { contracts as lambda } from '../src/providers/aws/lambda/test-contract.ts'
import { contracts as sagemaker } from '../src/providers/aws/sagemaker/test-contract.ts'
import { contracts as baseten } from '../src/providers/baseten/test-contract.ts'
import { contracts as cog } from '../src/providers/cog/test-contract.ts'
import { contracts as koyeb } from '../src/providers/koyeb/test-contract.ts'
import { contracts as local } from '../src/providers/local/test-contract.ts'
import { contracts as modal } from '../src/providers/modal/test-contract.ts'
import { contracts as replicate } from '../src/providers/replicate/test-contract.ts'
import { contracts as runpod } from '../src/providers/runpod/test-contract.ts'
import { cells } from '../src/testing/provider-cells.ts'
import type { NamedSuite } from '../src/testing/test-cells.ts'

/** The document that holds the table. */
export const target: string = fileURLToPath(new URL('../docs/providers/README.md', import.meta.url))

/** Every suite that the adapters' `contract.test.ts` run, in the table's order. */
export const suites: readonly NamedSuite[] = [
  ...[...replicate, ...runpod, ...koyeb, ...baseten, ...modal],
  ...[...ecs, ...lambda, ...sagemaker, ...cog, ...local],
]

const begin =
  '<!-- Made by scripts/contract-table.ts from the cells that the tests run. To renew it: npm run script -- scripts/contract-table.ts -->'
const end = '<!-- End of the table -->'

/** Provider x behaviour: a tick where the contract suite runs it, else the number of the reason why it cannot apply. */
export function renderTable(): string {
  const reasons = new Map<string, number>()
  const numberOf = (reason: string): number => {
    const number = reasons.get(reason) ?? reasons.size + 1
    reasons.set(reason, number)
    return number
  }
  const rows = cells.map(cell => [
    cell,
    ...suites.map(suite => {
      const setting = suite.cells[cell]
      return 'skip' in setting ? String(numberOf(setting.skip)) : '✓'
    }),
  ])
  const head = ['', ...suites.map(({ name }) => name)]
  const rule = head.map((_, column) => (column === 0 ? '---' : ':-:'))
  const run = suites.map((_, column) => rows.filter(row => row[column + 1] === '✓').length)
  const table = [head, rule, ...rows, [`run, of ${cells.length}`, ...run.map(String)]]
  const lines = table.map(row => `| ${row.join(' | ')} |`)
  const notes = [...reasons].map(([reason, number]) => `${number}. ${toSentence(reason)}`)
  return [...lines, '', 'Why a cell cannot apply:', '', ...notes].join('\n')
}

/** The page with the table as it is now; everything outside the markers stays. */
export function renderPage(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from === -1 || to < from)
    throw new Error(`${target} has lost the lines that mark the table: "${begin}", "${end}".`)
  return `${page.slice(0, from)}${begin}\n\n${renderTable()}\n\n${page.slice(to)}`
}

function toSentence(reason: string): string {
  const capital = reason.charAt(0).toUpperCase() + reason.slice(1)
  return /[.!?]$/.test(capital) ? capital : `${capital}.`
}

if (import.meta.main) {
  writeFileSync(target, renderPage(readFileSync(target, 'utf8')))
  console.log(renderTable())
}
