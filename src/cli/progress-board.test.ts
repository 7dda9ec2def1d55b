import { expect, test, vi } from 'vitest'
import { createProgressBoard } from './progress-board.ts'

const standing = { done: 1, of: 2, failed: 1, now: 'depth 50 %', fraction: 0.5 }

function setup(isTTY: boolean) {
  const written: string[] = []
  const io = { stderr: { isTTY, write: (text: string) => written.push(text) }, env: { NO_COLOR: '1' } }
  return { written, board: createProgressBoard(io, ['relief@a', 'relief@bb']) }
}

test('elsewhere than on a terminal only notes are written', () => {
  const { written, board } = setup(false)
  board.show('relief@a', standing)
  board.note('one is done')
  board.end()
  expect(written).toEqual(['one is done\n'])
})

test('on a terminal each name has a bar, notes go above, and nothing of the bars stays', () => {
  vi.useFakeTimers()
  try {
    const { written, board } = setup(true)
    board.show('relief@a', standing)
    expect(written).toEqual([])
    vi.runAllTimers()
    expect(written.splice(0)).toEqual([
      `relief@a   ${'█'.repeat(18)}${'░'.repeat(6)}  1/2  1 failed  depth 50 %\nrelief@bb  \n`,
    ])
    const clear = '\u001b[2A\r\u001b[J'
    board.note('one is done')
    expect(written.splice(0)).toEqual([clear, 'one is done\n', expect.stringContaining('relief@a')])
    board.show('relief@bb', standing)
    board.end()
    vi.runAllTimers()
    expect(written).toEqual([clear])
  } finally {
    vi.useRealTimers()
  }
})
