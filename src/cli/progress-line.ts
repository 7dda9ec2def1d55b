import type { PredictionJson } from '../http/shapes.ts'
import { formatDuration, formatProgress } from './format.ts'
import type { Output } from './io.ts'

/** Shows how far a prediction is. */
export interface ProgressLine {
  show(prediction: PredictionJson): void
  /** Leaves a clean line. */
  end(): void
}

/** Empties the line of the terminal that the cursor is on. */
export const clearLine = '\r\u001b[2K'
const tickMs = 100
/** Without a terminal: a line per stage, and one for each so much of the whole. */
const plainStep = 0.25

/** One line that is written anew on a terminal, with the seconds running; elsewhere a few plain lines. */
export function createProgressLine(output: Output): ProgressLine {
  return output.isTTY === true ? createLiveLine(output) : createPlainLines(output)
}

function createLiveLine(output: Output): ProgressLine {
  const startedAt = performance.now()
  let text = ''
  const draw = () => {
    if (text !== '') output.write(`${clearLine}${text}  ${formatDuration(performance.now() - startedAt)}`)
  }
  const timer = setInterval(draw, tickMs)
  return {
    show(prediction) {
      text = describe(prediction)
      draw()
    },
    end() {
      clearInterval(timer)
      if (text !== '') output.write(clearLine)
      text = ''
    },
  }
}

function createPlainLines(output: Output): ProgressLine {
  let stage = ''
  let fraction = 0
  return {
    show(prediction) {
      const { progress } = prediction.surefoot
      const nextStage = progress?.stage ?? prediction.status
      const nextFraction = progress?.fraction ?? 0
      if (nextStage === stage && nextFraction - fraction < plainStep) return
      stage = nextStage
      fraction = nextFraction
      output.write(`${describe(prediction)}\n`)
    },
    end() {},
  }
}

/** `relief@local: depth 62 %`. */
function describe({ status, surefoot: { progress, deployment } }: PredictionJson): string {
  const where = deployment === null ? '' : `${deployment}: `
  return where + formatProgress(progress?.stage ?? status, progress?.fraction ?? null)
}
