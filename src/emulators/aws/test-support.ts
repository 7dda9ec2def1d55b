import { warmUp } from '../../providers/aws/test-support.ts'
import type { Provider } from '../../providers/contract.ts'
import { type End, predict as predictAt, type Setting } from '../../testing/test-prediction.ts'
import { createAwsEmulator } from './index.ts'

await warmUp()

/** Where and as whom the adapters of these tests call. */
export const access = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIAGOOD', secretAccessKey: 'secret' },
  endpoint: 'https://aws.test',
} as const

/** One prediction at AWS, under one fault plan, until nothing is open. */
export function predict(faults: readonly string[], setting: AwsSetting): Promise<End> {
  const { provider, ...rest } = setting
  return predictAt(faults, {
    emulator: parts => createAwsEmulator({ ...parts, credentials: access.credentials }),
    provider: () => provider,
    ...rest,
  })
}

interface AwsSetting extends Pick<Setting, 'target' | 'reachable'> {
  readonly provider: Provider
}
