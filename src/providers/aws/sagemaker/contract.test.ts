import { createAwsEmulator } from '../../../emulators/aws/index.ts'
import { asFetch } from '../../../emulators/contract.ts'
import { createEchoWork } from '../../../emulators/works.ts'
import { createSimulatedClock } from '../../../testing/clock.ts'
import { describeProvider } from '../../../testing/describe-provider.ts'
import { createRandom } from '../../../testing/random.ts'
import { warmUp } from '../test-support.ts'
import { sagemaker } from './index.ts'

await warmUp()

const noWebhooks = {
  skip: 'SageMaker tells a topic, where one is set up, not us; a kit says hello (sagemaker/start.test.ts)',
}
const notYet = { skip: 'A lost start is found as soon as its kit has reported, not before (lambda/observe.test.ts)' }
const noStatus = { skip: 'SageMaker has no status: what is not there in the bucket is not there yet' }
const noWord = { skip: "A kit's words are a closed list: another one is no report (lambda/observe.test.ts)" }
const booting = { skip: 'SageMaker does not tell a cold start from a queue: "poll: never a worker"' }

describeProvider('sagemaker', {
  open(faults) {
    const clock = createSimulatedClock()
    const emulator = createAwsEmulator({
      clock,
      random: createRandom(1),
      work: createEchoWork({ clock }),
      faults,
      credentials: { accessKeyId: 'AKIAGOOD', secretAccessKey: 'secret' },
      send: async () => new Response(null, { status: 204 }),
    })
    return {
      provider: sagemaker({
        region: 'us-east-1',
        credentials: { accessKeyId: 'AKIAGOOD', secretAccessKey: 'secret' },
        endpoint: 'https://aws.test',
        bucket: 'predictions',
      }),
      target: { endpoint: 'sharp-async', kit: true, pricePerSecond: 0.00039 },
      clock,
      fetch: asFetch(emulator),
      webhookUrl: 'https://us.test/hooks',
      costEstimated: true,
      heard: () => [],
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
      skip: 'AWS names a bad key as what it is',
    },
    'start: rejected with 413': ['create-413'],
    // AWS says 400 for what others answer with 422.
    'start: rejected with 422': ['create-400'],
    'start: rejected with 429 and seconds': ['create-429@seconds'],
    'start: rejected with 429 and a fraction': ['create-429@float'],
    'start: rejected with 429 and a date': ['create-429@date'],
    'start: rejected with 429 and a hint in the body': ['create-429@body'],
    'start: rejected with a bare 429': ['create-429@bare'],
    'start: rejected because nobody listens': ['create-refused'],
    'start: rejected because an input cannot be uploaded': {
      skip: 'The bucket is another service than the one whose faults are switched here (sagemaker/start.test.ts)',
    },
    'start: unknown after 500': ['create-500'],
    'start: unknown after 502': ['create-502'],
    'start: unknown after 503': ['create-503@accepted'],
    'start: unknown after 504': ['create-504'],
    'start: unknown after 524': ['create-524'],
    'start: unknown after an HTML page with 200': ['create-html-200'],
    'start: unknown after an error object with 200': ['create-error-object-200'],
    'start: unknown after a cut connection': ['accept-then-reset'],
    'start: unknown when no byte comes and the signal ends it': ['create-hang'],
    'find: a lost start by its webhook': notYet,
    'find: a lost start without a webhook': notYet,
    'find: a lost start without a webhook, with a large input': notYet,
    "find: never somebody else's run with the same input": [],
    'poll: every stage to success, with progress': [],
    'poll: never a worker': ['queue-forever'],
    'poll: never booted': ['boot-forever'],
    'poll: stalls, and nothing visible changes': ['stall@0.9'],
    'poll: progress begins again': {
      skip: "An attempt's claim lets it begin only once (emulators/aws/lambda-life.test.ts)",
    },
    'poll: the model fails': ['model-error'],
    'poll: the GPU runs out of memory': ['cuda-oom'],
    'poll: the machine runs out of memory': ['oom'],
    'poll: the vendor gives up booting': booting,
    'poll: the worker is taken away': ['cuda-poisoned'],
    'poll: the vendor cannot store the output': ['upload-error'],
    'poll: ended by the vendor before it started': ['timed-out@queue'],
    'poll: a word nobody knows': noWord,
    'poll: a last word nobody knows': noWord,
    'poll: 404 just after the start': noStatus,
    'poll: 404 for good': noStatus,
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
    'output: purged by the vendor': { skip: "The bucket is its owner's: what is in it stays" },
    'cancel: confirmed by polling': { skip: 'What runs on SageMaker cannot be stopped (lambda/observe.test.ts)' },
    'cancel: before it runs': [],
    'cancel: ignored': { skip: 'A cancel is a claim in the bucket; nobody can ignore it' },
    'cancel: too late': { skip: 'A cancel that comes too late is impossible, and says so (lambda/observe.test.ts)' },
    'cancel: lost, then confirmed': { skip: 'What runs on SageMaker cannot be stopped' },
    'webhook: good': noWebhooks,
    'webhook: forged': noWebhooks,
    'webhook: changed on its way': noWebhooks,
    'webhook: played again later': noWebhooks,
    'webhook: stamped by a wrong clock': noWebhooks,
    'webhook: late': noWebhooks,
    'webhook: several times': noWebhooks,
    'webhook: out of order': noWebhooks,
  },
})
