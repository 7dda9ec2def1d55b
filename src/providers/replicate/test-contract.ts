import { createReplicateEmulator } from '../../emulators/replicate/index.ts'
import { openAdapter } from '../../testing/test-adapter.ts'
import {
  type NamedSuite,
  usualCells,
  without409,
  withoutInlineOutputs,
  withoutWarming,
} from '../../testing/test-cells.ts'
import { replicate } from './index.ts'

export const contracts: readonly NamedSuite[] = [
  {
    name: 'replicate',
    open: faults =>
      openAdapter(faults, {
        emulator: parts => createReplicateEmulator({ ...parts, token: 'r8_good' }),
        provider: () => replicate({ token: 'r8_good', baseUrl: 'https://replicate.test/v1' }),
        target: { model: 'surefoot/sharp', hardware: 'gpu-l40s', inputs: { image: 'photo' } },
      }),
    cells: {
      ...usualCells,
      ...without409,
      ...withoutInlineOutputs('Replicate gives links to files of any size'),
      'start: rejected because of a bad token that looks like a missing target': ['create-422@token'],
      'start: rejected with 422': ['create-422@input'],
      'start: rejected because an input cannot be uploaded': ['upload-503'],
      'poll: the vendor gives up booting': ['boot-timeout'],
      'poll: the worker is taken away': ['interrupted'],
      'poll: ended by the vendor before it started': ['aborted'],
      'poll: a last word nobody knows': ['weird-status@end'],
      ...withoutWarming('Replicate has nothing but runs to warm with, and tells of no instance'),
      ...withoutWarming('Replicate has nothing but runs to warm with, and tells of no instance'),
    },
  },
]
