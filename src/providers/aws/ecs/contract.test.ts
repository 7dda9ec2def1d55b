import { createAwsEmulator } from '../../../emulators/aws/index.ts'
import { asFetch } from '../../../emulators/contract.ts'
import { createEchoWork } from '../../../emulators/works.ts'
import { createSimulatedClock } from '../../../testing/clock.ts'
import { describeProvider } from '../../../testing/describe-provider.ts'
import { createRandom } from '../../../testing/random.ts'
import { warmUp } from '../test-support.ts'
import { ecs } from './index.ts'

await warmUp()

const noWebhooks = { skip: 'ECS calls nobody; its events would need a queue. A kit says hello (ecs/start.test.ts)' }

describeProvider('ecs', {
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
      provider: ecs({
        region: 'us-east-1',
        credentials: { accessKeyId: 'AKIAGOOD', secretAccessKey: 'secret' },
        endpoint: 'https://aws.test',
        cluster: 'gpu',
        bucket: 'predictions',
      }),
      target: { taskDefinition: 'sharp:3', capacityProvider: 'gpu-asg', gpus: 1, hardware: 'g6e.xlarge' },
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
      skip: 'The bucket is another service than the one whose faults are switched here (ecs/start.test.ts)',
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
    'find: a lost start by its webhook': ['accept-then-reset'],
    'find: a lost start without a webhook': ['accept-then-reset'],
    'find: a lost start without a webhook, with a large input': ['accept-then-reset'],
    "find: never somebody else's run with the same input": [],
    'poll: every stage to success, with progress': [],
    'poll: never a worker': ['queue-forever'],
    'poll: never booted': ['boot-forever'],
    'poll: stalls, and nothing visible changes': ['stall@0.9'],
    'poll: progress begins again': ['progress-restart@0.8'],
    'poll: the model fails': ['model-error'],
    'poll: the GPU runs out of memory': ['cuda-oom'],
    'poll: the machine runs out of memory': ['oom'],
    'poll: the vendor gives up booting': ['boot-timeout'],
    'poll: the worker is taken away': ['interrupted'],
    'poll: the vendor cannot store the output': ['upload-error'],
    'poll: ended by the vendor before it started': {
      skip: 'What ECS ends before it started is "the vendor gives up booting"',
    },
    'poll: a word nobody knows': ['weird-status'],
    'poll: a last word nobody knows': ['weird-status@end'],
    'poll: 404 just after the start': ['status-404-after-submit'],
    'poll: 404 for good': {
      skip: 'A kit whose task ECS forgot is still seen to end by its report in the bucket (ecs/observe.test.ts)',
    },
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
    'output: purged by the vendor': { skip: "The bucket is its owner's: what is in it stays (ecs/observe.test.ts)" },
    'cancel: confirmed by polling': [],
    'cancel: before it runs': [],
    'cancel: ignored': ['cancel-ignored'],
    'cancel: too late': [],
    'cancel: lost, then confirmed': ['cancel-lost'],
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
