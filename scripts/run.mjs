// The bootstrap behind every npm script. Plain JavaScript, because it must run on the system's Node 20: installs what
// is missing, then runs the real command on Node 24 (the caller's own, or the one that npm brought).
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [command = 'start', ...args] = process.argv.slice(2)

const commands = {
  start() {
    buildStudio()
    node(['src/cli/bin.ts', ...(args.length > 0 ? args : ['serve', '--sample'])])
  },
  build() {
    buildStudio()
    node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'])
  },
  check() {
    node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'])
    if (existsSync(join(root, 'studio/tsconfig.json')))
      node(['node_modules/typescript/bin/tsc', '-p', 'studio/tsconfig.json'])
    node(['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'])
  },
  fix() {
    node(['node_modules/@biomejs/biome/bin/biome', 'check', '--write', ...(args.length > 0 ? args : ['.'])])
  },
  test() {
    commands.check()
    commands.build()
    vitest(['run', '--project', 'unit', '--project', 'house', ...args])
  },
  'test:long'() {
    commands.build()
    vitest(['run', '--project', 'long', ...args])
  },
  vitest() {
    vitest(args)
  },
  simulate() {
    node(['src/testing/simulate.ts', ...args])
  },
  bench() {
    node(['bench/main.ts', ...args])
  },
}

if (!(command in commands)) fail(`Unknown command "${command}". There are: ${Object.keys(commands).join(', ')}.`)
install()
const nodePath = findNode()
commands[command]()

/** Runs `npm ci` unless node_modules was made from this very lock file. */
function install() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(root, 'node_modules/.surefoot-lock')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.error('Installing packages (first run, or the lock file changed) ...')
  run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    shell: process.platform === 'win32',
  })
  writeFileSync(stamp, lock)
}

/** The caller's Node when it is 24 or newer, else the binary that npm installed for this platform. */
function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  try {
    const manifest = createRequire(join(root, 'scripts/runtime/package.json')).resolve(`${name}/package.json`)
    return join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  } catch {
    return fail(
      `This needs Node 24 or newer; yours is ${process.version}, and npm offers no Node 24 package for ${process.platform}-${process.arch}. Install Node 24 and run the command again.`,
    )
  }
}

/** Builds the Studio page when one of its sources is newer than the build. */
function buildStudio() {
  const built = join(root, 'studio/dist/index.html')
  const newest = newestIn(join(root, 'studio'))
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return
  console.error('Building the Studio page ...')
  node(['node_modules/vite/bin/vite.js', 'build', 'studio', '--logLevel', 'warn'])
  mkdirSync(dirname(built), { recursive: true })
}

function newestIn(folder) {
  let newest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'dist' || entry.name === 'node_modules') continue
    const path = join(folder, entry.name)
    newest = Math.max(newest, entry.isDirectory() ? newestIn(path) : statSync(path).mtimeMs)
  }
  return newest
}

function vitest(list) {
  node(['node_modules/vitest/vitest.mjs', ...list])
}

/** Runs Node 24 with its folder first on PATH, so that children find the same one. */
function node(list) {
  const PATH = `${dirname(nodePath)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`
  run(nodePath, list, { env: { ...process.env, PATH, NODE_OPTIONS: process.env.NODE_OPTIONS ?? '' } })
}

function run(file, list, options) {
  const result = spawnSync(file, list, { cwd: root, stdio: 'inherit', ...options })
  if (result.error) fail(`Could not run ${file}: ${result.error.message}`)
  if (result.signal) process.kill(process.pid, result.signal)
  if (result.status !== 0) process.exit(result.status ?? 1)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
