import { createRunpodEmulator } from '../../emulators/runpod/index.ts'
import { openAdapter } from '../../testing/test-adapter.ts'
import {
  type NamedSuite,
  servedFiles,
  usualCells,
  without409,
  withoutFind,
  withoutSignatures,
} from '../../testing/test-cells.ts'
import { runpod } from './index.ts'

const noList = "RunPod has no list of jobs: lost starts are known by a kit's hello (emulators/runpod/engine.test.ts)"
const unsigned = 'RunPod signs nothing; the secret in the URL is checked before a webhook is heard (engine)'

export const contracts: readonly NamedSuite[] = [
  {
    name: 'runpod',
    open: faults =>
      openAdapter(faults, {
        emulator: parts =>
          createRunpodEmulator({ ...parts, apiKey: 'rpa_good', answers: servedFiles(faults) ? 'bucket' : 'inline' }),
        provider: () => runpod({ apiKey: 'rpa_good', baseUrl: 'https://runpod.test/v2' }),
        target: { endpoint: 'abc123', hardware: 'l40s', inputs: { image: 'photo' } },
        costEstimated: true,
      }),
    cells: {
      ...usualCells,
      ...without409,
      'output: larger than the answer may be': [],
      'start: rejected because of a bad token that looks like a missing target': {
        skip: 'RunPod answers 401 for a bad key',
      },
      // RunPod says 400 for what others answer with 422.
      'start: rejected with 422': ['create-400'],
      'start: rejected because an input cannot be uploaded': { skip: 'RunPod takes no uploads' },
      ...withoutFind(noList),
      'poll: the vendor gives up booting': {
        skip: 'RunPod counts a cold start as queue: its own end of that is "before it started"',
      },
      // A worker that is taken away is no end here: "progress begins again". A worker whose CUDA context broke is lost too.
      'poll: the worker is taken away': ['cuda-poisoned'],
      'poll: ended by the vendor before it started': ['timed-out@queue'],
      'poll: a last word nobody knows': {
        skip: 'RunPod stamps no end: an unknown last word stays unclear until policy ends the attempt',
      },
      ...withoutSignatures(unsigned),
      'webhook: out of order': { skip: 'RunPod sends one webhook per job, at its end' },
    },
  },
]
