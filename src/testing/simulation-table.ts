import { type FaultName, faultNames, faultsAt } from '../emulators/catalogue.ts'
import type { SimulationResult } from './simulation.ts'
import { kindOf, vendorNames } from './simulation-vendors.ts'

/**
 * What the emulated vendors of some simulations went through, as text: a column for each, with the simulations it was in,
 * the runs that began there and the starts that each fault befell; `-` where the vendor has no such fault.
 */
export function tabulate(results: readonly SimulationResult[]): string {
  const columns = vendorNames.map(name => {
    const mine = results.filter(({ faults }) => name in faults)
    const struck = (fault: FaultName) => sum(mine, ({ faults }) => faults[name]?.[fault])
    return [
      name,
      ...[mine.length, sum(mine, ({ paidStarts }) => paidStarts[`text@${name}`])].map(String),
      ...faultNames.map(fault => (faultsAt(kindOf(name)).includes(fault) ? String(struck(fault)) : '-')),
    ]
  })
  const titles = ['', 'simulations', 'runs begun', ...faultNames]
  return [titles, ...columns].map(alignRight).reduce(besides).join('\n')
}

function sum(results: readonly SimulationResult[], of: (result: SimulationResult) => number | undefined): number {
  return results.reduce((total, result) => total + (of(result) ?? 0), 0)
}

function alignRight(cells: readonly string[]): readonly string[] {
  const width = Math.max(...cells.map(({ length }) => length))
  return cells.map(cell => cell.padStart(width))
}

function besides(left: readonly string[], right: readonly string[]): readonly string[] {
  return left.map((line, index) => `${line}  ${right[index]}`)
}
