import { StringDecoder } from 'node:string_decoder'

const longestLine = 1_000
/** Lines within one piece of a pipe (64 KiB at most); more is a flood that nobody reads. */
const mostLinesAtOnce = 100

/**
 * Cuts what a process says into lines, at line feeds and at the carriage returns of progress bars. Memory stays flat: a
 * line is cut after 1,000 characters, and of a flood the last lines are told.
 */
export function createLineReader(tell: (line: string) => void): {
  readonly add: (piece: Buffer) => void
  readonly end: () => void
} {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  function say(line: string): void {
    if (line.trim() !== '') tell(line.slice(0, longestLine))
  }
  return {
    add(piece) {
      const lines = `${rest}${decoder.write(piece)}`.split(/\r\n|\n|\r/)
      rest = (lines.pop() ?? '').slice(0, longestLine)
      const leftOut = lines.length - mostLinesAtOnce
      if (leftOut > 0) tell(`(${leftOut} lines left out)`)
      for (const line of lines.slice(-mostLinesAtOnce)) say(line)
    },
    end() {
      say(`${rest}${decoder.end()}`)
      rest = ''
    },
  }
}
