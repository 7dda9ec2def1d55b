#!/usr/bin/env node
import { createInterface } from 'node:readline'
import { setFlagsFromString } from 'node:v8'
import { main } from './main.ts'
import { explainOldNode } from './node-version.ts'

// Before a command's module is loaded, which would end in a stack trace about what Node lacks.
const old = explainOldNode(process.version)
if (old !== null) {
  console.error(`surefoot: ${old}`)
  process.exit(1)
}

// Next to nothing of what passes through a gateway stays, so the space for young objects need not grow: twenty outputs at
// once then take 50 MB instead of 170 (test/memory.long.ts), and no more time.
setFlagsFromString('--semi-space-growth-factor=1')

// Node calls SQLite and type stripping experimental on each start; people who run a command can do nothing about it.
process.removeAllListeners('warning')
process.on('warning', warning => {
  if (warning.name !== 'ExperimentalWarning') console.error(warning.stack)
})
// `surefoot list | head -1`: whoever read our output has had enough.
process.stdout.on('error', () => process.exit(0))

const code = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  onSignal(listener) {
    process.on('SIGINT', listener)
    process.on('SIGTERM', listener)
    return () => {
      process.off('SIGINT', listener)
      process.off('SIGTERM', listener)
    }
  },
  ...(process.stdin.isTTY && process.stderr.isTTY ? { confirm } : {}),
})
// Not `exitCode`: after a second Ctrl-C nothing that is still open may hold the terminal.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))

/** Ctrl-C and Ctrl-D are a no. */
function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  return new Promise(resolve => {
    terminal.question(`${question} [y/N] `, answer => {
      resolve(/^y(es)?$/i.test(answer.trim()))
      terminal.close()
    })
    terminal.once('close', () => resolve(false))
  })
}
