import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { type Mutation, rules } from './mutations/index.ts'

/**
 * `npm run mutate -- [rule or part of a file's name ...]`: breaks each rule of the design on purpose, one change at a time,
 * in a copy of the tracked files, and runs the tests beside the change, then the engine's, then the simulation, until one
 * of them notices. Prints who noticed what, and the score. Fails when a mutation survives, when its text is not found
 * exactly once, or when a test fails without any mutation.
 */
const root = dirname(import.meta.dirname)
const simulation = 'src/testing/simulation.test.ts'
/** Broken code may also wait for ever: that is noticed, too. */
const limitMs = 240_000

const wanted = process.argv.slice(2)
const chosen = rules.flatMap(({ number, mutations }) =>
  mutations
    .filter(({ file }) => wanted.length === 0 || wanted.some(part => part === String(number) || file.includes(part)))
    .map(mutation => ({ rule: number, ...mutation })),
)
if (chosen.length === 0) throw new Error(`No mutation fits ${wanted.join(' ')}.`)
const folder = mkdtempSync(join(tmpdir(), 'surefoot-mutate-'))
try {
  copyTracked()
  for (const mutation of chosen) mutate(mutation)
  for (const stage of new Set(chosen.flatMap(stagesFor))) {
    const noticed = await runTests(stage)
    if (noticed !== null) throw new Error(`${stage} fails without any mutation: ${noticed}`)
  }
  const survivors: string[] = []
  for (const { rule, ...mutation } of chosen) {
    const noticed = await tryOut(mutation)
    console.log(`${noticed === null ? 'SURVIVED' : 'caught'}  rule ${rule}, ${mutation.file}: ${mutation.breaks}`)
    console.log(`          ${noticed === null ? mutation.find.trim() : `by ${noticed}`}`)
    if (noticed === null) survivors.push(mutation.breaks)
  }
  console.log(`\n${chosen.length - survivors.length} of ${chosen.length} mutations were noticed.`)
  if (survivors.length > 0) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** As they lie in the working tree, so that what is not committed yet is tried out, too. */
function copyTracked(): void {
  const { stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 })
  for (const path of stdout.split('\0'))
    if (path !== '' && existsSync(join(root, path))) cpSync(join(root, path), join(folder, path))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
}

/** The file with the mutation in it. */
function mutate({ file, find, replace }: Mutation): string {
  const parts = readFileSync(join(root, file), 'utf8').split(find)
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once: ${find}`)
  return parts.join(replace)
}

/** What notices it, or null. */
async function tryOut(mutation: Mutation): Promise<string | null> {
  const path = join(folder, mutation.file)
  const whole = readFileSync(path, 'utf8')
  writeFileSync(path, mutate(mutation))
  try {
    for (const stage of stagesFor(mutation)) {
      const noticed = await runTests(stage)
      if (noticed !== null) return noticed
    }
    return null
  } finally {
    writeFileSync(path, whole)
  }
}

/** Tests by what they cost: the folder's own, the engine's, everything together in virtual time. */
function stagesFor({ file }: Mutation): string[] {
  return [...new Set([dirname(file), 'src/engine', simulation])]
}

/** The first test that fails, or null. */
async function runTests(filter: string): Promise<string | null> {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const vitest = join(folder, 'node_modules/vitest/vitest.mjs')
  const flags = ['run', '--project', 'unit', '--bail', '1', '--reporter', 'json', '--outputFile', report, filter]
  const child = spawn(process.execPath, [vitest, ...flags], { cwd: folder, stdio: 'ignore', timeout: limitMs })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  if (code === 0) return null
  if (code === null) return `${filter}, which did not end`
  return firstFailure(existsSync(report) ? readFileSync(report, 'utf8') : '{}') ?? `${filter}, outside of any test`
}

interface Report {
  readonly testResults?: readonly {
    readonly name: string
    /** Why the file could not be run at all; else empty. */
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

function firstFailure(text: string): string | null {
  const { testResults = [] } = JSON.parse(text) as Report
  for (const { name, message, assertionResults } of testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed')?.fullName ?? message.split('\n')[0]
    if (failed !== undefined && failed !== '') return `${relative(folder, name)}: ${failed}`
  }
  return null
}
