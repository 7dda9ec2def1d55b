import { asFetch } from '../../emulators/contract.ts'
import { createKoyebEmulator } from '../../emulators/koyeb/index.ts'
import { createEchoWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { describeProvider } from '../../testing/describe-provider.ts'
import { createRandom } from '../../testing/random.ts'
import { cells } from '../cog/test-support.ts'
import type { HeardRequest } from '../contract.ts'
import { koyeb } from './index.ts'

describeProvider('koyeb', {
  open(faults) {
    const clock = createSimulatedClock()
    const heard: HeardRequest[] = []
    const emulator = createKoyebEmulator({
      clock,
      random: createRandom(1),
      work: createEchoWork({ clock }),
      faults,
      awake: true,
      bootMs: 0,
      answers: 'inline',
      async send(url, init) {
        const request = new Request(url, init)
        heard.push({ headers: request.headers, body: await request.bytes() })
        return new Response(null, { status: 200 })
      },
    })
    return {
      provider: koyeb({ baseUrl: 'https://koyeb.test' }),
      target: { hardware: 'gpu-nvidia-l4', inputs: { image: 'photo' } },
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
  cells: {
    ...cells,
    'poll: a burst of 503': { skip: 'a 503 of the edge is an answer: the service sleeps or wakes (index.test.ts)' },
  },
})
