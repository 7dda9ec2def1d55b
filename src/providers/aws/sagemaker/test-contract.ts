import { type NamedSuite, withoutWebhooks } from '../../../testing/test-cells.ts'
import { emulated, openAws, reportCells } from '../test-support.ts'
import { sagemaker } from './index.ts'

const noWebhooks = 'SageMaker tells a topic, where one is set up, not us; a kit says hello (sagemaker/start.test.ts)'
const noStatus = { skip: 'SageMaker has no status: what is not there in the bucket is not there yet' }
const booting = { skip: 'SageMaker does not tell a cold start from a queue: "poll: never a worker"' }

export const contracts: readonly NamedSuite[] = [
  {
    name: 'aws, sagemaker',
    open: faults =>
      openAws(faults, {
        provider: () => sagemaker({ ...emulated, bucket: 'predictions' }),
        target: { endpoint: 'sharp-async', kit: true, pricePerSecond: 0.00039 },
      }),
    cells: {
      ...reportCells,
      'start: rejected with 409': { skip: 'No start is refused with 409 there: one from in between proves nothing' },
      'start: rejected because an input cannot be uploaded': {
        skip: 'The bucket is another service than the one whose faults are switched here (sagemaker/start.test.ts)',
      },
      'poll: the vendor gives up booting': booting,
      'poll: ended by the vendor before it started': ['timed-out@queue'],
      'poll: 404 just after the start': noStatus,
      'poll: 404 for good': noStatus,
      'cancel: confirmed by polling': { skip: 'What runs on SageMaker cannot be stopped (lambda/observe.test.ts)' },
      'cancel: lost, then confirmed': { skip: 'What runs on SageMaker cannot be stopped' },
      ...withoutWebhooks(noWebhooks),
    },
  },
]
