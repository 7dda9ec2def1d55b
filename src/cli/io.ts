/** Where a command writes. */
export interface Output {
  write(text: string): unknown
  /** True for a terminal, where lines may be rewritten and coloured. */
  readonly isTTY?: boolean
}

/** Everything that a command has of the world around it, so that a test can give it another one. */
export interface Io {
  /** Results. */
  readonly stdout: Output
  /** Progress, warnings and refusals. */
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Calls `listener` for each SIGINT and SIGTERM until the returned function is called. */
  onSignal(listener: () => void): () => void
  /** Asks a question whose answer is yes or no, no by default; absent where there is nobody to ask. */
  readonly confirm?: (question: string) => Promise<boolean>
}

/** Text in bold, dim or red where `output` is a terminal and nobody asked for no colours (https://no-color.org). */
export function paint(io: Pick<Io, 'env'>, output: Output, style: keyof typeof styles, text: string): string {
  const plain = output.isTTY !== true || (io.env.NO_COLOR ?? '') !== ''
  return plain ? text : `\u001b[${styles[style]}m${text}\u001b[0m`
}

const styles = { bold: 1, dim: 2, red: 31 } as const

/** Writes one line. */
export function say(output: Output, line: string): void {
  output.write(`${line}\n`)
}
