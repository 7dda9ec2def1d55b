import { describe } from 'vitest'
import { createCogEmulator } from '../../emulators/cog/index.ts'
import { asFetch } from '../../emulators/contract.ts'
import { createEchoWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { describeProvider, type ProviderSuite } from '../../testing/describe-provider.ts'
import { createRandom } from '../../testing/random.ts'
import type { HeardRequest } from '../contract.ts'
import { cog } from './index.ts'

const noList = { skip: "Cog has no list of runs: lost starts are known by a webhook or a kit's hello (emulators/cog)" }
const noQueue = { skip: 'Cog has no queue: it takes a run at once or refuses it' }
const noAsking = { skip: 'Cog cannot be asked for a run: a 404 says nothing of it' }
const unsigned = { skip: 'Cog signs nothing; the secret in the URL is checked before a webhook is heard (engine)' }

const cells: ProviderSuite['cells'] = {
  'start: accepted': [],
  'start: accepted with an input too large to inline': [],
  'start: rejected with 401': ['create-401'],
  'start: rejected with 402': ['create-402'],
  'start: rejected with 403': ['create-403'],
  'start: rejected because the target is missing': ['create-404'],
  'start: rejected because of a bad token that looks like a missing target': { skip: 'proxies answer 401 for one' },
  'start: rejected with 413': ['create-413'],
  'start: rejected with 422': ['create-422'],
  'start: rejected with 429 and seconds': ['create-429@seconds'],
  'start: rejected with 429 and a fraction': ['create-429@float'],
  'start: rejected with 429 and a date': ['create-429@date'],
  'start: rejected with 429 and a hint in the body': ['create-429@body'],
  'start: rejected with a bare 429': ['create-429@bare'],
  'start: rejected because nobody listens': ['create-refused'],
  'start: rejected because an input cannot be uploaded': { skip: 'Cog takes no uploads' },
  'start: unknown after 500': ['create-500'],
  'start: unknown after 502': ['create-502'],
  'start: unknown after 503': ['create-503@accepted'],
  'start: unknown after 504': ['create-504'],
  'start: unknown after 524': ['create-524'],
  'start: unknown after an HTML page with 200': ['create-html-200'],
  'start: unknown after an error object with 200': ['create-error-object-200'],
  'start: unknown after a cut connection': ['accept-then-reset'],
  'start: unknown when no byte comes and the signal ends it': ['create-hang'],
  'find: a lost start by its webhook': noList,
  'find: a lost start without a webhook': noList,
  'find: a lost start without a webhook, with a large input': noList,
  "find: never somebody else's run with the same input": noList,
  'poll: every stage to success, with progress': [],
  'poll: never a worker': noQueue,
  'poll: never booted': noQueue,
  'poll: stalls, and nothing visible changes': ['stall@0.9'],
  'poll: progress begins again': { skip: 'Cog begins no run again, and its webhooks skip a fall that does not last' },
  'poll: the model fails': ['model-error'],
  'poll: the GPU runs out of memory': ['cuda-oom'],
  'poll: the machine runs out of memory': ['oom'],
  'poll: the vendor gives up booting': noQueue,
  'poll: the worker is taken away': ['worker-crash'],
  'poll: the vendor cannot store the output': ['upload-error'],
  'poll: ended by the vendor before it started': noQueue,
  'poll: a word nobody knows': ['weird-status'],
  'poll: a last word nobody knows': { skip: 'Cog stamps no end: an unknown last word stays unclear' },
  'poll: 404 just after the start': noAsking,
  'poll: 404 for good': noAsking,
  'poll: 401 while it runs': ['status-401'],
  'poll: 402': ['status-402'],
  'poll: 403': ['status-403'],
  'poll: 409': ['status-409'],
  'poll: 422': ['status-422'],
  'poll: 429 and seconds': ['status-429@seconds'],
  'poll: 429 and a fraction': ['status-429@float'],
  'poll: 429 and a date': ['status-429@date'],
  'poll: 429 and a hint in the body': ['status-429@body'],
  'poll: a bare 429': ['status-429@bare'],
  'poll: a burst of 503': ['status-503'],
  'poll: HTML pages with 200': ['html-200'],
  'poll: error objects with 200': ['error-object-200'],
  'poll: cut in the middle of the body': ['status-reset'],
  'poll: no byte comes and the signal ends it': ['status-hang'],
  'output: the bytes arrive': [],
  'output: missing': ['empty-output'],
  'output: an empty object': ['empty-output@object'],
  'output: purged by the vendor': { skip: 'Cog keeps no result: what the webhook told is ours' },
  'cancel: confirmed by polling': [],
  'cancel: before it runs': [],
  'cancel: ignored': ['cancel-ignored'],
  'cancel: too late': { skip: 'Cog says that it is over ("ended"), and polling could never tell more (index.test.ts)' },
  'cancel: lost, then confirmed': ['cancel-lost'],
  'webhook: good': [],
  'webhook: forged': unsigned,
  'webhook: changed on its way': unsigned,
  'webhook: played again later': unsigned,
  'webhook: stamped by a wrong clock': unsigned,
  'webhook: late': ['webhook-late'],
  'webhook: several times': ['webhook-duplicate'],
  'webhook: out of order': ['webhook-reordered'],
}

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
        answers: version === 'coglet' ? 'data' : 'upload',
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
