import { asFetch, type Emulator } from '../../emulators/contract.ts'
import { createModalEmulator, grpcOverFetch } from '../../emulators/modal/index.ts'
import { createEchoWork } from '../../emulators/works.ts'
import { createSimulatedClock, type SimulatedClock } from '../../testing/clock.ts'
import { type Cells, describeProvider } from '../../testing/describe-provider.ts'
import { createRandom } from '../../testing/random.ts'
import { modal } from './index.ts'

function openEmulator(faults: readonly string[], exchangeMs = 150_000): { clock: SimulatedClock; emulator: Emulator } {
  const clock = createSimulatedClock()
  const work = createEchoWork({ clock })
  const options = { clock, work, faults, exchangeMs, answers: 'inline', idleMs: 5000 } as const
  return { clock, emulator: createModalEmulator({ ...options, random: createRandom(1) }) }
}

const noList = {
  skip: "Modal's calls carry no label that could be searched: lost starts are known by a kit's hello (emulators/modal/engine.test.ts)",
}
const noProgress = { skip: 'Modal shows no progress of a call' }
const noWebhook = { skip: "Modal calls nobody; what is heard is our kit's hello (hear.test.ts)" }
const noLiveWord = { skip: 'Modal has no words for a call that has not ended, except that it has not' }

const noDate = { skip: 'in gRPC a wait is told in seconds' }

/** What holds for functions and for web endpoints alike. */
const both = {
  'start: accepted': [],
  'start: accepted with an input too large to inline': [],
  'start: rejected with 401': ['create-401'],
  'start: rejected with 402': ['create-402'],
  'start: rejected with 403': ['create-403'],
  'start: rejected because the target is missing': ['create-404'],
  'start: rejected because of a bad token that looks like a missing target': {
    skip: 'Modal says 401, or UNAUTHENTICATED, for a bad token',
  },
  'start: rejected with 413': ['create-413'],
  'start: rejected with 429 and seconds': ['create-429@seconds'],
  'start: rejected with 429 and a fraction': ['create-429@float'],
  'start: rejected with 429 and a date': ['create-429@date'],
  'start: rejected with 429 and a hint in the body': ['create-429@body'],
  'start: rejected with a bare 429': ['create-429@bare'],
  'start: rejected because nobody listens': ['create-refused'],
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
  'poll: every stage to success, with progress': noProgress,
  'poll: stalls, and nothing visible changes': noProgress,
  'poll: progress begins again': noProgress,
  'poll: a word nobody knows': noLiveWord,
  'poll: ended by the vendor before it started': {
    skip: 'Modal ends nothing before it started, except by INIT_FAILURE: "the vendor gives up booting"',
  },
  'poll: 404 just after the start': ['status-404-after-submit'],
  'poll: 404 for good': ['status-404-later'],
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
  'output: purged by the vendor': [],
  'webhook: good': noWebhook,
  'webhook: forged': noWebhook,
  'webhook: changed on its way': noWebhook,
  'webhook: played again later': noWebhook,
  'webhook: stamped by a wrong clock': noWebhook,
  'webhook: late': noWebhook,
  'webhook: several times': noWebhook,
  'webhook: out of order': noWebhook,
} satisfies Partial<Cells>

describeProvider('modal, functions', {
  open(faults) {
    const { clock, emulator } = openEmulator(faults)
    const fetch = asFetch(emulator)
    return {
      provider: modal({
        tokenId: 'ak-1',
        tokenSecret: 'as-1',
        baseUrl: 'http://127.0.0.1:1',
        grpcMiddleware: [grpcOverFetch(fetch, 'http://127.0.0.1:1')],
      }),
      target: { app: 'sharp', function: 'predict', hardware: 'l40s', inputs: { image: 'photo' } },
      clock,
      fetch,
      webhookUrl: null,
      costEstimated: true,
      heard: () => [],
      submits: () => emulator.state().submits,
      close: () => emulator.close(),
    }
  },
  cells: {
    ...both,
    'start: rejected with 429 and a date': noDate,
    'poll: 429 and a date': noDate,
    'start: rejected with 422': {
      skip: 'what a function thinks of its input comes as the end of its call, not as the answer to the start',
    },
    'start: rejected because an input cannot be uploaded': {
      skip: 'the emulator cannot be told to refuse blobs: start.test.ts refuses them one by one',
    },
    'poll: never a worker': ['queue-forever'],
    'poll: never booted': ['boot-forever'],
    'poll: the model fails': ['model-error'],
    'poll: the GPU runs out of memory': ['cuda-oom'],
    'poll: the machine runs out of memory': ['oom'],
    'poll: the vendor gives up booting': ['boot-timeout'],
    'poll: the worker is taken away': ['interrupted'],
    'poll: the vendor cannot store the output': ['upload-error'],
    'poll: a last word nobody knows': ['weird-status'],
    'cancel: confirmed by polling': [],
    'cancel: before it runs': [],
    'cancel: ignored': ['cancel-ignored'],
    'cancel: too late': [],
    'cancel: lost, then confirmed': ['cancel-lost'],
  },
})

const noCancel = { skip: 'a web endpoint has no address for cancelling a call' }
const noReason = { skip: 'a web framework answers an exception with 500 and no word of it: "the model fails"' }
const holdsOn = { skip: 'a web endpoint says 303 for waiting, starting and working alike' }

// With a redirect at once, so that nothing has to be waited for inside a start; web.test.ts holds connections.
describeProvider('modal, web endpoints', {
  open(faults) {
    const { clock, emulator } = openEmulator(faults, 0)
    return {
      provider: modal({ mode: 'web' }),
      target: { url: 'http://127.0.0.1:1/web/sharp' },
      clock,
      fetch: asFetch(emulator),
      webhookUrl: null,
      heard: () => [],
      submits: () => emulator.state().submits,
      close: () => emulator.close(),
    }
  },
  cells: {
    ...both,
    'start: rejected with 422': { skip: "the function's own 422 is JSON with a detail: web.test.ts" },
    'start: rejected because an input cannot be uploaded': { skip: 'web endpoints take no uploads' },
    'poll: never a worker': holdsOn,
    'poll: never booted': holdsOn,
    'poll: the model fails': ['model-error'],
    'poll: the GPU runs out of memory': noReason,
    'poll: the machine runs out of memory': noReason,
    'poll: the vendor gives up booting': { skip: 'how a web endpoint tells of it is not known' },
    'poll: the worker is taken away': ['interrupted'],
    'poll: the vendor cannot store the output': noReason,
    'poll: a last word nobody knows': { skip: 'a web endpoint tells no status but that of HTTP' },
    'cancel: confirmed by polling': noCancel,
    'cancel: before it runs': noCancel,
    'cancel: ignored': noCancel,
    'cancel: too late': noCancel,
    'cancel: lost, then confirmed': noCancel,
  },
})
