import { parseArgs } from 'node:util'
import { simulate } from './simulation.ts'

/**
 * `npm run simulate -- [--seed N] [--predictions N] [--runs N] [--no-faults]`: prints each run's seed, what came of it, and
 * how many predictions a second of processor time was enough for.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    predictions: { type: 'string', default: '200' },
    runs: { type: 'string', default: '1' },
    'no-faults': { type: 'boolean', default: false },
  },
})

const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
for (let run = 0; run < Number(values.runs); run++) {
  const before = process.cpuUsage()
  const result = await simulate({
    seed: first + run,
    predictions: Number(values.predictions),
    faults: !values['no-faults'],
  })
  const { user, system } = process.cpuUsage(before)
  console.log(JSON.stringify({ ...result, perCpuSecond: Math.round(result.predictions / ((user + system) / 1e6)) }))
}
