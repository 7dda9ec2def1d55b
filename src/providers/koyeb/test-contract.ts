import { createKoyebEmulator } from '../../emulators/koyeb/index.ts'
import { openAdapter } from '../../testing/test-adapter.ts'
import { type NamedSuite, servedFiles } from '../../testing/test-cells.ts'
import { cells } from '../cog/test-support.ts'
import { koyeb } from './index.ts'

export const contracts: readonly NamedSuite[] = [
  {
    name: 'koyeb',
    open: faults =>
      openAdapter(faults, {
        emulator: parts =>
          createKoyebEmulator({ ...parts, awake: true, bootMs: 0, answers: servedFiles(faults) ? 'bucket' : 'inline' }),
        provider: () => koyeb({ baseUrl: 'https://koyeb.test' }),
        target: { hardware: 'gpu-nvidia-l4', inputs: { image: 'photo' } },
        costEstimated: true,
        tellsByWebhook: true,
      }),
    cells: {
      ...cells,
      'warm: a place that sleeps is not ready, and looking costs no run': [],
      'warm: a worker that works is known to be there': [],
      'warm: a call alone brings a worker': [],
      'poll: a burst of 503': { skip: 'a 503 of the edge is an answer: the service sleeps or wakes (index.test.ts)' },
    },
  },
]
