import { describe } from 'vitest'
import { createCogEmulator } from '../../emulators/cog/index.ts'
import { asFetch } from '../../emulators/contract.ts'
import { createEchoWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { describeProvider } from '../../testing/describe-provider.ts'
import { createRandom } from '../../testing/random.ts'
import type { HeardRequest } from '../contract.ts'
import { cog } from './index.ts'
import { cells } from './test-support.ts'

describe.each(['coglet', 'python'] as const)('%s', version => {
  describeProvider('cog', {
    open(faults) {
      const clock = createSimulatedClock()
      const heard: HeardRequest[] = []
      const emulator = createCogEmulator({
        clock,
        random: createRandom(1),
        work: createEchoWork({ clock }),
        faults,
        version,
        bootMs: 0,
        // Python's server has nowhere to leave an output of an asynchronous run but in an upload.
        answers: version === 'coglet' ? 'inline' : 'bucket',
        webhookToken: 'of-the-server',
        async send(url, init) {
          const request = new Request(url, init)
          heard.push({ headers: request.headers, body: await request.bytes() })
          return new Response(null, { status: 200 })
        },
      })
      return {
        provider: cog({ baseUrl: 'https://cog.test', webhookToken: 'of-the-server' }),
        target: { pricePerSecond: 0.0002, inputs: { image: 'photo' } },
        clock,
        fetch: asFetch(emulator),
        webhookUrl: 'https://us.test/hooks',
        costEstimated: true,
        tellsByWebhook: true,
        heard: () => heard,
        submits: () => emulator.state().submits,
        close: () => emulator.close(),
      }
    },
    cells,
  })
})
