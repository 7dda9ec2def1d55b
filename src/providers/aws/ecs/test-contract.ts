import { type NamedSuite, withoutWarming, withoutWebhooks } from '../../../testing/test-cells.ts'
import { awsCells, emulated, openAws } from '../test-support.ts'
import { ecs } from './index.ts'

const noWebhooks = 'ECS calls nobody; its events would need a queue. A kit says hello (ecs/start.test.ts)'

export const contracts: readonly NamedSuite[] = [
  {
    name: 'aws, ecs',
    open: faults =>
      openAws(faults, {
        provider: () => ecs({ ...emulated, cluster: 'gpu', bucket: 'predictions' }),
        target: { taskDefinition: 'sharp:3', capacityProvider: 'gpu-asg', gpus: 1, hardware: 'g6e.xlarge' },
      }),
    cells: {
      ...awsCells,
      'start: rejected with 409': {
        skip: "ECS's only conflict names the task that the same start has made, which is adopted (ecs/start.test.ts)",
      },
      'start: rejected because an input cannot be uploaded': {
        skip: 'The bucket is another service than the one whose faults are switched here (ecs/start.test.ts)',
      },
      'poll: the vendor gives up booting': ['boot-timeout'],
      'poll: the worker is taken away': ['interrupted'],
      'poll: ended by the vendor before it started': {
        skip: 'What ECS ends before it started is "the vendor gives up booting"',
      },
      'poll: a last word nobody knows': ['weird-status@end'],
      'poll: 404 for good': {
        skip: 'A kit whose task ECS forgot is still seen to end by its report in the bucket (ecs/observe.test.ts)',
      },
      'output: purged by the vendor': { skip: "The bucket is its owner's: what is in it stays (ecs/observe.test.ts)" },
      ...withoutWarming('Every run on ECS is a task of its own: nothing stays warm'),
      ...withoutWarming('Every run on ECS is a task of its own: nothing stays warm'),
      ...withoutWebhooks(noWebhooks),
    },
  },
]
