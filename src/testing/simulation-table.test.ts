import { expect, test } from 'vitest'
import type { SimulationResult } from './simulation.ts'
import { tabulate } from './simulation-table.ts'

const result: SimulationResult = {
  ...{ seed: 1, predictions: 3, statuses: {}, failures: {}, attempts: 3, crashes: 0, freezes: 0, virtualSeconds: 1 },
  ...{ turns: 0, storeCalls: 0, polls: 0 },
  paidStarts: { 'text@first': 1, 'text@cog': 2 },
  paidStartsPerPrediction: 1,
  faults: { cog: { stall: 2 } },
}

test('a column for each vendor: simulations, runs begun, and how often each of its faults befell a start', () => {
  const lines = tabulate([result, { ...result, faults: { cog: { stall: 1 }, ecs: {} } }]).split('\n')
  const cells = lines.map(line => line.slice(line.indexOf('  ')).trim().split(/\s+/))
  const row = (name: string) => cells[lines.findIndex(line => line.trim().startsWith(`${name} `))]?.slice(1) ?? []
  const [names = []] = cells
  const of = (name: string) =>
    ['simulations', 'runs', 'stall', 'boot-timeout'].map(title => row(title).at(names.indexOf(name) - names.length))
  expect(of('cog')).toEqual(['2', '4', '3', '-'])
  expect(of('ecs')).toEqual(['1', '0', '0', '0'])
})
