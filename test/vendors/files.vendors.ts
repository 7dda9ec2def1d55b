import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root, run } from '../support/gateway.ts'
import { assembleKit, vendorBinary } from './support.ts'

const kits = join(root, 'kits')
const list = (pattern: string) => globSync(pattern, { cwd: kits }).toSorted()

test.each(list('**/Dockerfile*'))('Hadolint finds nothing in kits/%s', async file => {
  await run(vendorBinary('hadolint'), ['--failure-threshold', 'info', join(kits, file)], { cwd: kits })
})

test('there are Dockerfiles and templates to be looked at', () => {
  expect(list('**/Dockerfile*')).not.toEqual([])
  expect(list('aws/*.yaml')).not.toEqual([])
})

test.each(list('aws/*.yaml'))('cfn-lint finds nothing in kits/%s', async file => {
  await run(
    vendorBinary('cfn-lint'),
    ['--include-checks', 'I', '--regions', 'us-east-1', '--template', join(kits, file)],
    {
      cwd: kits,
    },
  )
})

test("Truss's own schema takes config.yaml, for each model", async () => {
  const script =
    'import sys; from truss.base.truss_config import TrussConfig; from pathlib import Path; TrussConfig.from_yaml(Path(sys.argv[1]))'
  for (const model of ['sharp', 'dummy']) {
    const folder = await assembleKit('baseten', model)
    await run(vendorBinary('python'), ['-W', 'ignore', '-c', script, join(folder, 'config.yaml')], { cwd: folder })
  }
})

test('cog.yaml names the Cog that is tried here', () => {
  const [, wanted] = /^cog==(.+)$/m.exec(readFileSync(join(root, 'test/vendors/requirements-python.txt'), 'utf8')) ?? []
  expect(readFileSync(join(kits, 'cog/cog.yaml'), 'utf8')).toContain(`sdk_version: "${wanted}"`)
})
