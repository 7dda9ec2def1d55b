import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { explainOldNode } from './node-version.ts'

test.each(['v22.18.0', 'v22.20.1', 'v23.0.0', 'v24.1.0'])('%s will do', version => {
  expect(explainOldNode(version)).toBe(null)
})

test.each(['v18.20.0', 'v20.20.2', 'v22.17.9'])(
  '%s is told what is needed, which is what the package states',
  version => {
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
    const { engines } = JSON.parse(manifest) as { engines: { node: string } }
    const needed = engines.node.replace('>=', '')
    expect(explainOldNode(version)).toBe(`Surefoot needs Node ${needed} or newer; this is ${version}.`)
  },
)
