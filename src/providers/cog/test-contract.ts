import { createCogEmulator } from '../../emulators/cog/index.ts'
import { openAdapter } from '../../testing/test-adapter.ts'
import { type NamedSuite, servedFiles } from '../../testing/test-cells.ts'
import { cog } from './index.ts'
import { cells } from './test-support.ts'

/** Both servers that there are: the Rust one, and the Python one before it. */
export const contracts: readonly NamedSuite[] = (['coglet', 'python'] as const).map(version => ({
  name: `cog, ${version}`,
  open: faults =>
    openAdapter(faults, {
      emulator: parts =>
        createCogEmulator({
          ...parts,
          version,
          bootMs: 0,
          // Python's server has nowhere to leave an output of an asynchronous run but in an upload.
          answers: version === 'python' || servedFiles(faults) ? 'bucket' : 'inline',
          webhookToken: 'of-the-server',
        }),
      provider: () => cog({ baseUrl: 'https://cog.test', webhookToken: 'of-the-server' }),
      target: { pricePerSecond: 0.0002, inputs: { image: 'photo' } },
      costEstimated: true,
      tellsByWebhook: true,
    }),
  cells,
}))
