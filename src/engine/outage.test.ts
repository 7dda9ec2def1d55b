import { expect, it } from 'vitest'
import { createOutage } from './outage.ts'

function setup() {
  const lines: string[] = []
  let at = 1_000
  const outage = createOutage(
    (level, message, fields) => void lines.push(`${level} ${message} ${JSON.stringify(fields)}`),
    () => at,
  )
  return { outage, lines, wait: (ms: number) => (at += ms) }
}

const began = 'error The store failed; what it did not take is tried again. {"error":"Error: full"}'

it('says an outage once, and once that it is over', () => {
  const { outage, lines, wait } = setup()
  outage.worked()
  for (let tries = 0; tries < 271; tries++) {
    outage.failed(new Error('full'))
    // Reading goes on meanwhile.
    outage.worked()
    wait(500)
  }
  expect([lines, outage.since()]).toEqual([[began], 1_000])
  wait(4_499)
  outage.worked()
  expect(outage.since()).toBe(1_000)
  wait(1)
  outage.worked()
  outage.worked()
  expect(lines).toEqual([began, 'info The store works again. {"failures":271,"ms":140000}'])
  expect(outage.since()).toBe(null)
  outage.failed(new Error('full'))
  expect(lines).toHaveLength(3)
})

it('says each kind of failure, but not without end', () => {
  const { outage, lines } = setup()
  for (let kind = 0; kind < 100; kind++) for (const _ of [1, 2]) outage.failed(new Error(`kind ${kind}`))
  expect(lines).toHaveLength(10)
})
