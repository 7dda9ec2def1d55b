import { describe } from 'vitest'
import { createCogEmulator } from '../../emulators/cog/index.ts'
import { describeProvider } from '../../testing/describe-provider.ts'
import { openAdapter } from '../../testing/test-adapter.ts'
import { cog } from './index.ts'
import { cells } from './test-support.ts'

describe.each(['coglet', 'python'] as const)('%s', version => {
  describeProvider('cog', {
    open: faults =>
      openAdapter(faults, {
        emulator: parts =>
          createCogEmulator({
            ...parts,
            version,
            bootMs: 0,
            // Python's server has nowhere to leave an output of an asynchronous run but in an upload.
            answers: version === 'coglet' ? 'inline' : 'bucket',
            webhookToken: 'of-the-server',
          }),
        provider: () => cog({ baseUrl: 'https://cog.test', webhookToken: 'of-the-server' }),
        target: { pricePerSecond: 0.0002, inputs: { image: 'photo' } },
        costEstimated: true,
        tellsByWebhook: true,
      }),
    cells,
  })
})
