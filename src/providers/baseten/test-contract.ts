import { createBasetenEmulator } from '../../emulators/baseten/index.ts'
import { openAdapter } from '../../testing/test-adapter.ts'
import { type NamedSuite, usualCells, without409, withoutFind, withoutInlineOutputs } from '../../testing/test-cells.ts'
import { baseten } from './index.ts'

const noList =
  "Baseten has no list of requests: lost starts are known by a kit's hello (emulators/baseten/engine.test.ts)"
const noProgress = { skip: 'Baseten tells no progress' }
const notRunning = {
  skip: 'Baseten cannot stop what runs, only what is queued ("cancel: before it runs", index.test.ts)',
}
const uploaded = { skip: "A kit's success names its upload; whether it is there, the engine sees when it collects it" }
const noDownload = { skip: "A kit's output is uploaded to our own store: there is no link that could expire or crawl" }

/** A kit, in the queue's mode, in a workspace that is just changing its webhook secret. */
export const contracts: readonly NamedSuite[] = [
  {
    name: 'baseten',
    open: faults =>
      openAdapter(faults, {
        emulator: parts =>
          createBasetenEmulator({ ...parts, apiKey: 'good', webhookSecrets: ['whsec_new', 'whsec_old'] }),
        provider: () => baseten({ apiKey: 'good', baseUrl: 'https://baseten.test', webhookSecrets: ['whsec_old'] }),
        target: { model: 'abcd1234', hardware: 'l4', inputs: { image: 'photo' }, kit: true },
        uploadUrl: 'https://us.test/uploads',
        costEstimated: true,
      }),
    cells: {
      ...usualCells,
      ...without409,
      ...withoutInlineOutputs("A kit's output goes by upload; the limit of other models' webhooks is in hear.test.ts"),
      'start: accepted with an input too large to inline': {
        skip: 'Baseten takes 256 KiB and no uploads: larger inputs need our signed links (start.test.ts)',
      },
      'start: rejected because of a bad token that looks like a missing target': {
        skip: 'Baseten answers 401 for a bad key',
      },
      // Baseten says 400 for what others answer with 422.
      'start: rejected with 422': ['create-400'],
      'start: rejected because an input cannot be uploaded': { skip: 'Baseten takes no uploads' },
      ...withoutFind(noList),
      'poll: every stage to success, with progress': noProgress,
      'poll: stalls, and nothing visible changes': noProgress,
      'poll: progress begins again': noProgress,
      'poll: the machine runs out of memory': {
        skip: 'Baseten tells no reason for a container that died: 502 "Error making prediction" (observe.test.ts)',
      },
      'poll: the vendor gives up booting': ['not-ready'],
      // A replica that is taken away is replaced without a word; one whose CUDA context broke is lost.
      'poll: the worker is taken away': ['cuda-poisoned'],
      'poll: ended by the vendor before it started': ['timed-out@queue'],
      'poll: a last word nobody knows': {
        skip: 'Baseten stamps no end: an unknown last word stays unclear until policy ends the attempt',
      },
      'output: cut off': ['output-short'],
      'output: the bytes come slowly': noDownload,
      'output: its link has expired': noDownload,
      'output: missing': uploaded,
      'output: an empty object': uploaded,
      'cancel: confirmed by polling': notRunning,
      'cancel: ignored': [],
      'cancel: lost, then confirmed': notRunning,
      'warm: a call alone brings a worker': [],
      'webhook: out of order': { skip: 'Baseten sends one webhook per request, at its end' },
    },
  },
]
