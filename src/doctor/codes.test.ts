import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { failureCodes } from '../core/failure.ts'

const root = new URL('../../', import.meta.url).pathname
const page = readFileSync(`${root}docs/doctor.md`, 'utf8')

const failures: readonly string[] = failureCodes

/** Every call that makes a finding names its code first. */
const making = /\b(?:ok|warning|problem|level|judgeRunLimit|judgeInput|judgeKit)\(\s*'([a-z0-9-]+)'/g

function codesInProgram(): string[] {
  const files = globSync(
    ['src/doctor/*.ts', 'src/providers/**/*.ts', 'src/files/check-*.ts', 'src/cli/{doctor,probe}.ts'],
    { cwd: root },
  )
  const sources = files.filter(file => !/test/.test(file)).map(file => readFileSync(`${root}${file}`, 'utf8'))
  return [...new Set(sources.flatMap(text => [...text.matchAll(making)].map(([, code = '']) => code)))].sort()
}

/** What stands in code type in the tables of traps and is no failure of a run, nor something that people write. */
function codesOnPage(): string[] {
  const tables = page.slice(page.indexOf('## Every known trap'))
  const written = /^(--|find$|onUnknown$|restarts$|processing$|starting$|aborted$|error$|errors$|type$|gone$|code$)/
  const names = [...tables.matchAll(/`([a-z][a-z0-9-]+)`/g)].map(([, name = '']) => name)
  return [...new Set(names)].filter(name => !written.test(name) && !failures.includes(name)).sort()
}

test('the page lists every check that doctor has, and none that it has not', () => {
  expect(codesOnPage()).toEqual(codesInProgram())
})

test('failures that a probe may end with are named as they are', () => {
  const named = [...page.matchAll(/`([a-z]+_[a-z_]+)`/g)].map(([, name = '']) => name)
  expect(named.filter(name => !failures.includes(name))).toEqual([])
})
