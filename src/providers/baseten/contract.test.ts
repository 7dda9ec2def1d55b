import { createBasetenEmulator } from '../../emulators/baseten/index.ts'
import { asFetch } from '../../emulators/contract.ts'
import { createEchoWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { describeProvider } from '../../testing/describe-provider.ts'
import { createRandom } from '../../testing/random.ts'
import type { HeardRequest } from '../contract.ts'
import { baseten } from './index.ts'

const webhookSecrets = ['whsec_new', 'whsec_old']
const noList = {
  skip: "Baseten has no list of requests: lost starts are known by a kit's hello (emulators/baseten/engine.test.ts)",
}
const noProgress = { skip: 'Baseten tells no progress' }
const notRunning = {
  skip: 'Baseten cannot stop what runs, only what is queued ("cancel: before it runs", index.test.ts)',
}
const uploaded = {
  skip: "a kit's output lies in our own store, not at Baseten; results by webhook are in hear.test.ts",
}

/** A kit, in the queue's mode, in a workspace that is just changing its webhook secret. */
describeProvider('baseten', {
  open(faults) {
    const clock = createSimulatedClock()
    const heard: HeardRequest[] = []
    const emulator = createBasetenEmulator({
      clock,
      random: createRandom(1),
      work: createEchoWork({ clock }),
      faults,
      apiKey: 'good',
      webhookSecrets,
      async send(url, init) {
        const request = new Request(url, { ...init, duplex: 'half' } as RequestInit)
        const body = await request.bytes()
        if (request.method === 'POST') heard.push({ headers: request.headers, body })
        return new Response(null, { status: 200 })
      },
    })
    return {
      provider: baseten({ apiKey: 'good', baseUrl: 'https://baseten.test', webhookSecrets: ['whsec_old'] }),
      target: { model: 'abcd1234', hardware: 'l4', inputs: { image: 'photo' }, kit: true },
      clock,
      fetch: asFetch(emulator),
      webhookUrl: 'https://us.test/hooks',
      uploadUrl: 'https://us.test/uploads',
      costEstimated: true,
      heard: () => heard,
      submits: () => emulator.state().submits,
      close: () => emulator.close(),
    }
  },
  cells: {
    'start: accepted': [],
    'start: accepted with an input too large to inline': {
      skip: 'Baseten takes 256 KiB and no uploads: larger inputs need our signed links (start.test.ts)',
    },
    'start: rejected with 401': ['create-401'],
    'start: rejected with 402': ['create-402'],
    'start: rejected with 403': ['create-403'],
    'start: rejected because the target is missing': ['create-404'],
    'start: rejected because of a bad token that looks like a missing target': {
      skip: 'Baseten answers 401 for a bad key',
    },
    'start: rejected with 413': ['create-413'],
    // Baseten says 400 for what others answer with 422.
    'start: rejected with 422': ['create-400'],
    'start: rejected with 429 and seconds': ['create-429@seconds'],
    'start: rejected with 429 and a fraction': ['create-429@float'],
    'start: rejected with 429 and a date': ['create-429@date'],
    'start: rejected with 429 and a hint in the body': ['create-429@body'],
    'start: rejected with a bare 429': ['create-429@bare'],
    'start: rejected because nobody listens': ['create-refused'],
    'start: rejected because an input cannot be uploaded': { skip: 'Baseten takes no uploads' },
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
    'poll: never a worker': ['queue-forever'],
    'poll: never booted': ['boot-forever'],
    'poll: stalls, and nothing visible changes': noProgress,
    'poll: progress begins again': noProgress,
    'poll: the model fails': ['model-error'],
    'poll: the GPU runs out of memory': ['cuda-oom'],
    'poll: the machine runs out of memory': {
      skip: 'Baseten tells no reason for a container that died: 502 "Error making prediction" (observe.test.ts)',
    },
    'poll: the vendor gives up booting': ['not-ready'],
    // A replica that is taken away is replaced without a word; one whose CUDA context broke is lost.
    'poll: the worker is taken away': ['cuda-poisoned'],
    'poll: the vendor cannot store the output': ['upload-error'],
    'poll: ended by the vendor before it started': ['timed-out@queue'],
    'poll: a word nobody knows': ['weird-status'],
    'poll: a last word nobody knows': {
      skip: 'Baseten stamps no end: an unknown last word stays unclear until policy ends the attempt',
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
    'output: the bytes arrive': uploaded,
    'output: missing': uploaded,
    'output: an empty object': uploaded,
    'output: purged by the vendor': [],
    'cancel: confirmed by polling': notRunning,
    'cancel: before it runs': [],
    'cancel: ignored': [],
    'cancel: too late': [],
    'cancel: lost, then confirmed': notRunning,
    'webhook: good': [],
    'webhook: forged': ['webhook-forged'],
    'webhook: changed on its way': [],
    'webhook: played again later': [],
    'webhook: stamped by a wrong clock': ['webhook-skewed'],
    'webhook: late': ['webhook-late'],
    'webhook: several times': ['webhook-duplicate'],
    'webhook: out of order': { skip: 'Baseten sends one webhook per request, at its end' },
  },
})
