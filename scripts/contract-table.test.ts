import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { renderPage, suites, target } from './contract-table.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

test('the committed table is what the adapters run; else renew it: npm run script -- scripts/contract-table.ts', () => {
  const page = readFileSync(target, 'utf8')
  expect(page).toBe(renderPage(page))
})

test('every adapter has a contract test that runs its row of the table and nothing else', async () => {
  const tests = globSync('src/providers/**/contract.test.ts', { cwd: root }).sort()
  const listed = globSync('src/providers/**/test-contract.ts', { cwd: root }).sort()
  expect(tests.map(path => path.replace('contract.test.ts', 'test-contract.ts'))).toEqual(listed)
  for (const path of tests)
    expect(readFileSync(`${root}/${path}`, 'utf8')).toMatch(
      /import \{ contracts \} from '\.\/test-contract\.ts'\n\s*(?:await warmUp\(\)\s*)?for \(const suite of contracts\) describeProvider\(suite\.name, suite\)\n$/,
    )
  const modules = listed.map(path => import(`${root}/${path}`) as Promise<{ contracts: typeof suites }>)
  const names = (await Promise.all(modules)).flatMap(({ contracts }) => contracts.map(({ name }) => name))
  expect(suites.map(({ name }) => name).sort()).toEqual(names.sort())
})

test('every kind of provider is in the table, and every page of this folder in its index', () => {
  const kinds = globSync('src/providers/*/index.ts', { cwd: root }).map(path => path.split('/')[2] ?? '')
  const places = suites.map(({ name }) => name.split(',')[0])
  expect(kinds.filter(kind => !places.includes(kind))).toEqual([])
  expect(places.filter(place => place !== 'aws' && !kinds.includes(place ?? ''))).toEqual([])
  const page = readFileSync(target, 'utf8')
  const pages = globSync('docs/providers/*.md', { cwd: root }).map(path => path.split('/').at(-1) ?? '')
  expect(pages.filter(name => name !== 'README.md' && !page.includes(`](${name})`))).toEqual([])
})

test('a reason is a reason, not a shrug', () => {
  for (const { name, cells } of suites)
    for (const [cell, setting] of Object.entries(cells))
      if ('skip' in setting) expect(setting.skip.length, `${name}: ${cell}`).toBeGreaterThan(15)
})
