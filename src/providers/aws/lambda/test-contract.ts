import { type NamedSuite, withoutWarming, withoutWebhooks } from '../../../testing/test-cells.ts'
import { emulated, openAws, reportCells } from '../test-support.ts'
import { lambda } from './index.ts'

const noWebhooks = 'Lambda calls nobody; a kit says hello (lambda/start.test.ts)'
const noStatus = { skip: 'Lambda has no status: what is not there in the bucket is not there yet' }
const booting = { skip: 'Lambda does not tell a cold start from a queue: "poll: never a worker"' }

export const contracts: readonly NamedSuite[] = [
  {
    name: 'aws, lambda',
    open: faults =>
      openAws(faults, {
        provider: () => lambda({ ...emulated, bucket: 'predictions' }),
        target: { function: 'relief:live', memoryMb: 4096 },
      }),
    cells: {
      ...reportCells,
      'start: rejected with 409': {
        skip: "Lambda's conflict, a function that is being changed, is in lambda/start.test.ts",
      },
      'start: rejected because an input cannot be uploaded': {
        skip: 'The bucket is another service than the one whose faults are switched here (lambda/start.test.ts)',
      },
      'poll: the machine runs out of memory': {
        skip: 'A runtime that is killed reports nothing; only the stall watch ends it (lambda-engine.test.ts)',
      },
      'poll: the vendor gives up booting': booting,
      'poll: ended by the vendor before it started': noStatus,
      'poll: 404 just after the start': noStatus,
      'poll: 404 for good': noStatus,
      'cancel: confirmed by polling': { skip: 'What runs on Lambda cannot be stopped (lambda/observe.test.ts)' },
      'cancel: lost, then confirmed': { skip: 'What runs on Lambda cannot be stopped' },
      ...withoutWarming('Lambda has nothing but events to warm with, and tells of no environment'),
      ...withoutWarming('Lambda has nothing but events to warm with, and tells of no environment'),
      ...withoutWebhooks(noWebhooks),
    },
  },
]
