import { describeProvider } from '../../../testing/describe-provider.ts'
import { warmUp } from '../test-support.ts'
import { contracts } from './test-contract.ts'

await warmUp()

for (const suite of contracts) describeProvider(suite.name, suite)
