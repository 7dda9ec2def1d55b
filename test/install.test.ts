import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ProcessOptions, root, start } from './support/gateway.ts'

let clone: string
let options: ProcessOptions

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'surefoot-install-test-'))
  mkdirSync(join(clone, 'scripts'))
  mkdirSync(join(clone, 'bin'))
  cpSync(join(root, 'scripts/run.mjs'), join(clone, 'scripts/run.mjs'))
  writeFileSync(join(clone, 'package-lock.json'), '{}')
  options = { cwd: clone, env: { PATH: `${join(clone, 'bin')}${delimiter}${process.env.PATH}` } }
})

afterEach(() => rmSync(clone, { recursive: true, force: true }))

/** What stands for npm: notes its call, and takes long enough for others to come meanwhile. */
function install(script: string): void {
  const path = join(clone, 'bin/npm')
  writeFileSync(path, `#!/bin/sh\necho called >> calls\n${script}\n`)
  chmodSync(path, 0o755)
}

const run = () => start(process.execPath, ['scripts/run.mjs', 'fix'], options).ended
const calls = () => readFileSync(join(clone, 'calls'), 'utf8').split('\n').length - 1

test('of several commands that find nothing installed, one installs and the others wait', async () => {
  install('sleep 1; mkdir -p node_modules')
  const ended = await Promise.all([run(), run(), run()])
  expect(calls()).toBe(1)
  expect(ended.filter(({ stderr }) => stderr.includes('Installing packages'))).toHaveLength(1)
})

test('after an installation that failed the next command tries again', async () => {
  install('exit 7')
  expect(await run()).toMatchObject({ code: 7 })
  install('mkdir -p node_modules')
  await run()
  expect(calls()).toBe(2)
})
