import { asFetch } from '../../emulators/contract.ts'
import { createRunpodEmulator } from '../../emulators/runpod/index.ts'
import { createEchoWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { describeProvider } from '../../testing/describe-provider.ts'
import { createRandom } from '../../testing/random.ts'
import type { HeardRequest } from '../contract.ts'
import { runpod } from './index.ts'

const origin = 'https://runpod.test'
const noList = {
  skip: "RunPod has no list of jobs: lost starts are known by a kit's hello (emulators/runpod/engine.test.ts)",
}
const unsigned = { skip: 'RunPod signs nothing; the secret in the URL is checked before a webhook is heard (engine)' }

describeProvider('runpod', {
  open(faults) {
    const clock = createSimulatedClock()
    const heard: HeardRequest[] = []
    const emulator = createRunpodEmulator({
      clock,
      random: createRandom(1),
      work: createEchoWork({ clock }),
      faults,
      apiKey: 'rpa_good',
      answers: 'inline',
      async send(url, init) {
        const request = new Request(url, init)
        heard.push({ headers: request.headers, body: await request.bytes() })
        return new Response(null, { status: 200 })
      },
    })
    return {
      provider: runpod({ apiKey: 'rpa_good', baseUrl: `${origin}/v2` }),
      target: { endpoint: 'abc123', hardware: 'l40s', inputs: { image: 'photo' } },
      clock,
      fetch: asFetch(emulator),
      webhookUrl: 'https://us.test/hooks',
      costEstimated: true,
      heard: () => heard,
      submits: () => emulator.state().submits,
      close: () => emulator.close(),
    }
  },
  cells: {
    'start: accepted': [],
    'start: accepted with an input too large to inline': [],
    'start: rejected with 401': ['create-401'],
    'start: rejected with 402': ['create-402'],
    'start: rejected with 403': ['create-403'],
    'start: rejected because the target is missing': ['create-404'],
    'start: rejected because of a bad token that looks like a missing target': {
      skip: 'RunPod answers 401 for a bad key',
    },
    'start: rejected with 413': ['create-413'],
    // RunPod says 400 for what others answer with 422.
    'start: rejected with 422': ['create-400'],
    'start: rejected with 429 and seconds': ['create-429@seconds'],
    'start: rejected with 429 and a fraction': ['create-429@float'],
    'start: rejected with 429 and a date': ['create-429@date'],
    'start: rejected with 429 and a hint in the body': ['create-429@body'],
    'start: rejected with a bare 429': ['create-429@bare'],
    'start: rejected because nobody listens': ['create-refused'],
    'start: rejected because an input cannot be uploaded': { skip: 'RunPod takes no uploads' },
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
    'poll: never a worker': ['queue-forever'],
    'poll: never booted': ['boot-forever'],
    'poll: stalls, and nothing visible changes': ['stall@0.9'],
    'poll: progress begins again': ['progress-restart@0.8'],
    'poll: the model fails': ['model-error'],
    'poll: the GPU runs out of memory': ['cuda-oom'],
    'poll: the machine runs out of memory': ['oom'],
    'poll: the vendor gives up booting': {
      skip: 'RunPod counts a cold start as queue: its own end of that is "before it started"',
    },
    // A worker that is taken away is no end here: "progress begins again". A worker whose CUDA context broke is lost too.
    'poll: the worker is taken away': ['cuda-poisoned'],
    'poll: the vendor cannot store the output': ['upload-error'],
    'poll: ended by the vendor before it started': ['timed-out@queue'],
    'poll: a word nobody knows': ['weird-status'],
    'poll: a last word nobody knows': {
      skip: 'RunPod stamps no end: an unknown last word stays unclear until policy ends the attempt',
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
    'cancel: confirmed by polling': [],
    'cancel: before it runs': [],
    'cancel: ignored': ['cancel-ignored'],
    'cancel: too late': [],
    'cancel: lost, then confirmed': ['cancel-lost'],
    'webhook: good': [],
    'webhook: forged': unsigned,
    'webhook: changed on its way': unsigned,
    'webhook: played again later': unsigned,
    'webhook: stamped by a wrong clock': unsigned,
    'webhook: late': ['webhook-late'],
    'webhook: several times': ['webhook-duplicate'],
    'webhook: out of order': { skip: 'RunPod sends one webhook per job, at its end' },
  },
})
