import { asFetch } from '../emulators/contract.ts'
import type { HeardRequest } from '../providers/contract.ts'
import { createSimulatedClock } from './clock.ts'
import { createMemoryFiles } from './memory-files.ts'
import type { ProviderUnderTest } from './provider-under-test.ts'
import { createRandom } from './random.ts'
import { createSampleWork } from './sample-output.ts'
import type { Setting } from './test-prediction.ts'

type Traits = 'uploadUrl' | 'costEstimated' | 'tellsByWebhook' | 'webhookUrl'

interface Vendor
  extends Pick<Setting, 'emulator' | 'provider'>,
    Pick<ProviderUnderTest, 'target'>,
    Partial<Pick<ProviderUnderTest, Traits>> {}

/** An adapter and its emulator for `describeProvider`. `webhookUrl` is an address of ours by default; what is posted there is heard. */
export function openAdapter(faults: readonly string[], { emulator, provider, ...vendor }: Vendor): ProviderUnderTest {
  const clock = createSimulatedClock()
  const files = createMemoryFiles()
  const heard: HeardRequest[] = []
  const opened = emulator({
    clock,
    random: createRandom(1),
    work: createSampleWork({ clock }),
    faults,
    async send(url, init) {
      const request = new Request(url, { ...init, duplex: 'half' } as RequestInit)
      const body = await request.bytes()
      const upload = /^\/(uploads\/.+)$/.exec(new URL(request.url).pathname)?.[1]
      if (request.method === 'PUT' && upload !== undefined)
        await files.put(upload, new Blob([body]).stream(), { maxBytes: 100_000_000 })
      if (request.method === 'POST') heard.push({ headers: request.headers, body })
      return new Response(null, { status: 200 })
    },
  })
  const fetch = asFetch(opened)
  return {
    provider: provider(fetch),
    clock,
    fetch,
    files,
    webhookUrl: 'https://us.test/hooks',
    heard: () => heard,
    submits: () => opened.state().submits,
    close: () => opened.close(),
    ...vendor,
  }
}
