import { parseArgs } from 'node:util'
import { type SimulationResult, simulate } from './simulation.ts'
import type { TimedResult } from './simulation-slices.ts'
import { tabulate } from './simulation-table.ts'
import { type VendorName, vendorNames } from './simulation-vendors.ts'

/**
 * `npm run simulate -- [--seed N] [--predictions N] [--runs N] [--faults all|none] [--store sqlite|memory]
 * [--vendors a,b] [--serverless]`: prints each run's seed, what came of it, and how many predictions a second of processor time was enough for, as JSON on stdout; then
 * on stderr for people a table of what each vendor went through, and one line. Defaults: a seed by chance, 200 predictions, 1 run, all faults, SQLite,
 * vendors by the seed, engines that live. Fails at the first broken rule, with the line that replays it.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    predictions: { type: 'string', default: '200' },
    runs: { type: 'string', default: '1' },
    faults: { type: 'string', default: 'all' },
    store: { type: 'string', default: 'sqlite' },
    vendors: { type: 'string' },
    serverless: { type: 'boolean', default: false },
  },
})

const faults = oneOf('faults', ['all', 'none'])
const store = oneOf('store', ['sqlite', 'memory'])
const vendors = values.vendors?.split(',').map(parseVendor)
const first = count('seed')
const runs = count('runs')
const results: SimulationResult[] = []
for (let run = 0; run < runs; run++) {
  const before = process.cpuUsage()
  const result = await simulate({
    seed: first + run,
    predictions: count('predictions'),
    faults: faults === 'all',
    store,
    serverless: values.serverless,
    ...(vendors === undefined ? {} : { vendors }),
  })
  const { user, system } = process.cpuUsage(before)
  const cpuSeconds = (user + system) / 1e6
  const timed: TimedResult = { ...result, cpuSeconds, perCpuSecond: Math.round(result.predictions / cpuSeconds) }
  console.log(JSON.stringify(timed))
  results.push(result)
}
const ended = results.reduce((sum, { predictions }) => sum + predictions, 0)
console.error(tabulate(results))
console.error(`${ended} predictions in ${runs === 1 ? '1 run' : `${runs} runs`}: no rule was broken.`)

function oneOf<Word extends string>(flag: 'faults' | 'store', words: readonly Word[]): Word {
  const word = words.find(candidate => candidate === values[flag])
  if (word === undefined) throw new Error(`--${flag} is ${words.join(' or ')}, not "${values[flag]}".`)
  return word
}

function parseVendor(text: string): VendorName {
  const name = vendorNames.find(candidate => candidate === text)
  if (name === undefined) throw new Error(`--vendors takes ${vendorNames.join(', ')}, not "${text}".`)
  return name
}

function count(flag: 'seed' | 'predictions' | 'runs'): number {
  if (!/^\d+$/.test(values[flag])) throw new Error(`--${flag} is a number, not "${values[flag]}".`)
  return Number(values[flag])
}
