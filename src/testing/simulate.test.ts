import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { TimedResult } from './simulation-slices.ts'
import { tabulate } from './simulation-table.ts'

test('each run is a line of JSON; on stderr stand what each vendor went through and one plain line', async () => {
  const program = fileURLToPath(new URL('simulate.ts', import.meta.url))
  const argv = [program, '--seed', '5', '--predictions', '3', '--runs', '2', '--store', 'memory']
  const { stdout, stderr } = await promisify(execFile)(process.execPath, argv)
  const results = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as TimedResult)
  expect(results.map(({ seed }) => seed)).toEqual([5, 6])
  const ended = results.reduce((sum, { predictions }) => sum + predictions, 0)
  const told = stderr.trimEnd().split('\n')
  expect(told.at(-1)).toBe(`${ended} predictions in 2 runs: no rule was broken.`)
  expect(told.slice(0, -1).join('\n')).toBe(tabulate(results))
})
