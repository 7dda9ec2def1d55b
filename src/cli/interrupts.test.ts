import { expect, test } from 'vitest'
import { aborted, watchInterrupts } from './interrupts.ts'

function setup() {
  const listeners = new Set<() => void>()
  let now = 5_000
  const onSignal = (listener: () => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  const interrupts = watchInterrupts({ onSignal }, () => now)
  const interruptAt = (at: number) => {
    now = at
    for (const listener of listeners) listener()
  }
  return { interrupts, interruptAt, listeners }
}

test('the first asks for an orderly end, the second ends at once', async () => {
  const { interrupts, interruptAt } = setup()
  const ends: string[] = []
  const first = aborted(interrupts.first).then(() => ends.push('first'))
  const second = interrupts.second.then(code => ends.push(`second: ${code}`))
  interruptAt(6_000)
  await first
  expect(ends).toEqual(['first'])
  interruptAt(6_301)
  await second
  expect(ends).toEqual(['first', 'second: 130'])
})

test('what the terminal, npm and a script pass on of one Ctrl-C counts once', async () => {
  const { interrupts, interruptAt } = setup()
  for (const at of [6_000, 6_001, 6_300]) interruptAt(at)
  const answer = await Promise.race([interrupts.second, new Promise(resolve => setImmediate(resolve, 'none'))])
  expect(answer).toBe('none')
})

test('nobody listens after the end', () => {
  const { interrupts, listeners } = setup()
  interrupts.stop()
  expect(listeners.size).toBe(0)
})
