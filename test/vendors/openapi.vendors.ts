import { expect, test } from 'vitest'
import { makeFolder, run, startGateway } from '../support/gateway.ts'
import { vendorBinary } from './support.ts'

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
]

test('Schemathesis finds no request that is answered with 500, or otherwise than the document says', async () => {
  const cwd = makeFolder()
  const { url } = await startGateway({ cwd })
  const list = ['run', `${url}/openapi.json`, '--checks', checks.join(','), '--max-examples', '10', '--no-color']
  const told = await run(vendorBinary('schemathesis'), [...list, '--generation-deterministic'], { cwd })
  const [, tested, generated] = /Tested: (\d+)[\s\S]*?(\d+) generated/.exec(told) ?? []
  console.info(`Schemathesis: ${generated} requests to ${tested} operations.`)
  expect(Number(tested)).toBeGreaterThan(30)
})
