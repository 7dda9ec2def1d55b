import { emulated, warmUp } from '../../providers/aws/test-support.ts'
import type { Provider } from '../../providers/contract.ts'
import { type End, predict as predictAt, type Setting } from '../../testing/test-prediction.ts'
import { createAwsEmulator } from './index.ts'

await warmUp()

/** One prediction at AWS, under one fault plan, until nothing is open. */
export function predict(faults: readonly string[], setting: AwsSetting): Promise<End> {
  const { provider, ...rest } = setting
  return predictAt(faults, {
    emulator: parts => createAwsEmulator({ ...parts, credentials: emulated.credentials }),
    provider: () => provider,
    ...rest,
  })
}

interface AwsSetting extends Pick<Setting, 'target' | 'reachable'> {
  readonly provider: Provider
}
