import { parseArgs } from 'node:util'
import { simulate } from './simulation.ts'

/** `npm run simulate -- --seed N --predictions N [--runs N] [--no-faults]`: prints each run's seed and what came of it. */
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
  const result = await simulate({
    seed: first + run,
    predictions: Number(values.predictions),
    faults: !values['no-faults'],
  })
  console.log(JSON.stringify(result))
}
