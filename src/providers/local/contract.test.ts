import { describeProvider } from '../../testing/describe-provider.ts'
import { contracts } from './test-contract.ts'

for (const suite of contracts) describeProvider(suite.name, suite)
