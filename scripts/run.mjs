// The bootstrap behind every npm script. Plain JavaScript, because it must run on the system's Node 20: installs what
// is missing, then runs the real command on Node 24 (the caller's own, or the one that npm brought).
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isWindows = process.platform === 'win32'
const [command = 'start', ...args] = process.argv.slice(2)

const commands = {
  async start() {
    await buildStudio()
    await node(['src/cli/bin.ts', ...(args.length > 0 ? args : ['serve', '--sample'])])
  },
  async build() {
    await buildStudio()
    // Modules that no longer have a source must not be published.
    for (const made of ['dist', 'browser/dist']) rmSync(join(root, made), { recursive: true, force: true })
    await node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'])
    await node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.browser.json'])
  },
  async check() {
    await node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'])
    // What is published must also have declarations that stand alone.
    await node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noEmit'])
    await node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.browser.json', '--noEmit'])
    await node(['node_modules/typescript/bin/tsc', '-p', 'studio/tsconfig.json'])
    await node(['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'])
  },
  async fix() {
    await node(['node_modules/@biomejs/biome/bin/biome', 'check', '--write', ...(args.length > 0 ? args : ['.'])])
  },
  async test() {
    await commands.check()
    await commands.build()
    // One after the other: house tests start real processes, which unit tests on all processors would starve.
    await vitest(['run', '--project', 'unit', ...args])
    await vitest(['run', '--project', 'house', ...args])
  },
  async 'test:long'() {
    await commands.build()
    await vitest(['run', '--project', 'long', ...args])
  },
  async 'test:vendors'() {
    await node(['scripts/test-vendors.ts', ...args])
  },
  async vitest() {
    await vitest(args)
  },
  async simulate() {
    await node(['src/testing/simulate.ts', ...args])
  },
  async bench() {
    await node(['bench/main.ts', ...args])
  },
  async mutate() {
    await node(['scripts/mutate.ts', ...args])
  },
  async script() {
    const [path = fail('Name the script: npm run script -- scripts/stills.ts')] = args
    await node([path, ...args.slice(1)])
  },
}

if (!Object.hasOwn(commands, command))
  fail(`Unknown command "${command}". There are: ${Object.keys(commands).join(', ')}.`)
await install()
const nodePath = findNode()
await commands[command]()

/** Runs `npm ci` unless node_modules was made from this very lock file: two of them delete what the other one unpacks. */
async function install() {
  const lock = hash([readFileSync(join(root, 'package-lock.json'))])
  const stamp = join(root, 'node_modules/.surefoot-lock')
  await once(
    'installs packages',
    () => readOrNull(stamp) === lock,
    async () => {
      console.error('Installing packages (first run, or the lock file changed) ...')
      // Named, because a caller's NODE_ENV or npm configuration may leave out what builds the page or brings Node 24.
      const list = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']
      await run(isWindows ? 'npm.cmd' : 'npm', list, { shell: isWindows })
      writeFileSync(stamp, lock)
    },
  )
}

/** Does work that is not done yet; of several processes that find it so one does it, and the others wait. */
async function once(words, isDone, work) {
  const turn = join(root, '.installing')
  for (let isFirst = true; !isDone(); isFirst = false) {
    if (takeTurn(turn)) {
      if (!isDone()) await work()
      rmSync(turn, { force: true })
      return
    }
    if (isFirst) console.error(`Waiting for another process that ${words} ...`)
    await new Promise(resolve => setTimeout(resolve, 300))
  }
}

/** Whether this process is the one; a file of a process that is gone says nothing. */
function takeTurn(path) {
  try {
    writeFileSync(path, `${process.pid}`, { flag: 'wx' })
    process.once('exit', () => readOrNull(path) === `${process.pid}` && rmSync(path, { force: true }))
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (!isTaken(path)) rmSync(path, { force: true })
    return false
  }
}

function isTaken(path) {
  const pid = Number(readOrNull(path))
  // Just made, and not written yet; or just removed.
  if (pid === 0) return existsSync(path) && Date.now() - statSync(path).mtimeMs < 5_000
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** The caller's Node when it is 24 or newer, else the binary that npm installed for this platform. */
function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const name = `node-${isWindows ? 'win' : process.platform}-${process.arch}`
  try {
    const manifest = createRequire(join(root, 'scripts/runtime/package.json')).resolve(`${name}/package.json`)
    return join(dirname(manifest), 'bin', isWindows ? 'node.exe' : 'node')
  } catch {
    return fail(
      `This needs Node 24 or newer; yours is ${process.version}, and npm offers no Node 24 package for ${process.platform}-${process.arch}. Install Node 24 and run the command again.`,
    )
  }
}

/**
 * Builds the Studio page unless it was built of these very sources. By content: a clone or a checkout gives files new
 * dates, and a file that was taken away has none. The stamp lies in the build, so that any other build removes it.
 */
async function buildStudio() {
  const folder = join(root, 'studio')
  const stamp = join(folder, 'dist/.sources')
  const paths = listFiles(folder, ['dist', 'node_modules'])
  const sources = hash([...paths.flatMap(path => [path, readFileSync(join(folder, path))]), lockStamp()])
  const isBuilt = () => existsSync(join(folder, 'dist/index.html')) && readOrNull(stamp) === sources
  await once('builds the Studio page', isBuilt, async () => {
    console.error('Building the Studio page ...')
    // Any other NODE_ENV of the caller's would build React's development version.
    const env = { NODE_ENV: 'production' }
    await node(['node_modules/vite/bin/vite.js', 'build', 'studio', '--logLevel', 'warn'], env)
    writeFileSync(stamp, sources)
  })
}

function lockStamp() {
  return readOrNull(join(root, 'node_modules/.surefoot-lock')) ?? ''
}

/** Paths below a folder, sorted, without the named folders. */
function listFiles(folder, without, prefix = '') {
  const entries = readdirSync(join(folder, prefix), { withFileTypes: true })
  return entries
    .filter(({ name }) => !without.includes(name))
    .flatMap(entry => {
      const path = prefix + entry.name
      return entry.isDirectory() ? listFiles(folder, without, `${path}/`) : [path]
    })
    .sort()
}

function hash(parts) {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(`${part.length}\n`).update(part)
  return digest.digest('hex')
}

function readOrNull(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

async function vitest(list) {
  await node(['node_modules/vitest/vitest.mjs', ...list])
}

/** Runs Node 24 with its folder first on PATH, so that children find the same one. */
async function node(list, env = {}) {
  const PATH = `${dirname(nodePath)}${isWindows ? ';' : ':'}${process.env.PATH ?? ''}`
  await run(nodePath, list, { env: { ...process.env, PATH, ...env } })
}

/**
 * Runs a program to its end; ends this process as the program did unless that was well. A terminal sends Ctrl-C to the
 * program itself, so we only stay until it has stopped; what is sent to us alone, we pass on.
 */
async function run(file, list, options) {
  const child = spawn(file, list, { cwd: root, stdio: 'inherit', ...options })
  const pass = signal => {
    if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal)
  }
  process.on('SIGINT', pass)
  process.on('SIGTERM', pass)
  // A signal to npm alone ends npm and its shell, and nobody tells us: the gateway would stay behind, with its port.
  const parent = process.ppid
  const orphaned = setInterval(() => {
    if (process.env.npm_lifecycle_event !== undefined && process.ppid !== parent) child.kill('SIGTERM')
  }, 500)
  const { code, signal } = await new Promise(resolve => {
    child.once('error', error => fail(`Could not run ${file}: ${error.message}`))
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  clearInterval(orphaned)
  process.off('SIGINT', pass)
  process.off('SIGTERM', pass)
  if (signal !== null) process.kill(process.pid, signal)
  if (code !== 0) process.exit(code ?? 1)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
