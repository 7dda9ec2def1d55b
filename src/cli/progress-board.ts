import { type Io, paint } from './io.ts'

/** How far one of several is. */
export interface Standing {
  readonly done: number
  readonly of: number
  readonly failed: number
  /** What it does now. */
  readonly now: string
  /** Of the run that it does now, 0 to 1. */
  readonly fraction: number
}

/** Shows how far several are, side by side. */
export interface ProgressBoard {
  show(name: string, standing: Standing): void
  /** A line that stays: elsewhere than on a terminal the only thing that is written. */
  note(line: string): void
  /** Leaves a clean screen. */
  end(): void
}

const barCells = 24
const redrawMs = 80

/** A line with a bar for each name, written anew on a terminal; elsewhere only the notes. */
export function createProgressBoard(io: Pick<Io, 'stderr' | 'env'>, names: readonly string[]): ProgressBoard {
  const output = io.stderr
  if (output.isTTY !== true) return { show() {}, note: line => void output.write(`${line}\n`), end() {} }
  const standings = new Map<string, Standing>()
  const width = Math.max(...names.map(name => name.length))
  let drawn = 0
  let timer: NodeJS.Timeout | null = null

  function clear(): void {
    if (drawn > 0) output.write(`\u001b[${drawn}A\r\u001b[J`)
    drawn = 0
  }

  function draw(): void {
    timer = null
    clear()
    const lines = names.map(name => {
      const standing = standings.get(name)
      return `${name.padEnd(width)}  ${standing === undefined ? '' : describe(io, standing)}\n`
    })
    output.write(lines.join(''))
    drawn = lines.length
  }

  return {
    show(name, standing) {
      standings.set(name, standing)
      timer ??= setTimeout(draw, redrawMs)
    },
    note(line) {
      clear()
      output.write(`${line}\n`)
      draw()
    },
    end() {
      if (timer !== null) clearTimeout(timer)
      timer = null
      clear()
    },
  }
}

function describe(io: Pick<Io, 'stderr' | 'env'>, { done, of, failed, now, fraction }: Standing): string {
  const cells = of === 0 ? 0 : Math.round((barCells * (done + (done < of ? fraction : 0))) / of)
  const bar = '█'.repeat(cells) + paint(io, io.stderr, 'dim', '░'.repeat(barCells - cells))
  const losses = failed === 0 ? '' : `  ${paint(io, io.stderr, 'red', `${failed} failed`)}`
  return `${bar}  ${done}/${of}${losses}  ${paint(io, io.stderr, 'dim', now)}`
}
