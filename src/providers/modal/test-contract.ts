import { createModalEmulator, grpcOverFetch } from '../../emulators/modal/index.ts'
import type { Cells } from '../../testing/describe-provider.ts'
import { openAdapter } from '../../testing/test-adapter.ts'
import {
  type NamedSuite,
  servedFiles,
  usualCells,
  without409,
  withoutFind,
  withoutWarming,
  withoutWebhooks,
} from '../../testing/test-cells.ts'
import { modal } from './index.ts'

const origin = 'http://127.0.0.1:1'
const settings = (faults: readonly string[]) =>
  ({ answers: servedFiles(faults) ? 'bucket' : 'inline', idleMs: 5000 }) as const

const noList =
  "Modal's calls carry no label that could be searched: lost starts are known by a kit's hello (emulators/modal/engine.test.ts)"
const noProgress = { skip: 'Modal shows no progress of a call' }
const noWebhook = "Modal calls nobody; what is heard is our kit's hello (hear.test.ts)"
const noLiveWord = { skip: 'Modal has no words for a call that has not ended, except that it has not' }

const noDate = { skip: 'in gRPC a wait is told in seconds' }

/** What holds for functions and for web endpoints alike. */
const both = {
  ...usualCells,
  ...without409,
  'output: larger than the answer may be': [],
  'start: rejected because of a bad token that looks like a missing target': {
    skip: 'Modal says 401, or UNAUTHENTICATED, for a bad token',
  },
  ...withoutFind(noList),
  'poll: every stage to success, with progress': noProgress,
  'poll: stalls, and nothing visible changes': noProgress,
  'poll: progress begins again': noProgress,
  'poll: a word nobody knows': noLiveWord,
  'poll: ended by the vendor before it started': {
    skip: 'Modal ends nothing before it started, except by INIT_FAILURE: "the vendor gives up booting"',
  },
  ...withoutWebhooks(noWebhook),
} satisfies Partial<Cells>

const functions: NamedSuite = {
  name: 'modal, functions',
  open: faults =>
    openAdapter(faults, {
      emulator: parts => createModalEmulator({ ...parts, ...settings(faults) }),
      provider: fetch =>
        modal({
          tokenId: 'ak-1',
          tokenSecret: 'as-1',
          baseUrl: origin,
          grpcMiddleware: [grpcOverFetch(fetch, origin)],
        }),
      target: { app: 'sharp', function: 'predict', hardware: 'l40s', inputs: { image: 'photo' } },
      webhookUrl: null,
      costEstimated: true,
    }),
  cells: {
    ...both,
    'start: unknown after a 409 from in between': {
      skip: 'gRPC has no 409; a status that is no refusal is unknown (start.test.ts)',
    },
    'start: rejected with 429 and a date': noDate,
    'poll: 429 and a date': noDate,
    'start: rejected with 422': {
      skip: 'what a function thinks of its input comes as the end of its call, not as the answer to the start',
    },
    'start: rejected because an input cannot be uploaded': {
      skip: 'the emulator cannot be told to refuse blobs: start.test.ts refuses them one by one',
    },
    'poll: the vendor gives up booting': ['boot-timeout'],
    'poll: the worker is taken away': ['interrupted'],
    'poll: a last word nobody knows': ['weird-status'],
  },
}

const noCancel = { skip: 'a web endpoint has no address for cancelling a call' }
const noReason = { skip: 'a web framework answers an exception with 500 and no word of it: "the model fails"' }
const holdsOn = { skip: 'a web endpoint says 303 for waiting, starting and working alike' }

// With a redirect at once, so that nothing has to be waited for inside a start; web.test.ts holds connections.
const webEndpoints: NamedSuite = {
  name: 'modal, web endpoints',
  open: faults =>
    openAdapter(faults, {
      emulator: parts => createModalEmulator({ ...parts, ...settings(faults), exchangeMs: 0 }),
      provider: () => modal({ mode: 'web' }),
      target: { url: `${origin}/web/sharp` },
      webhookUrl: null,
    }),
  cells: {
    ...both,
    'output: larger than the answer may be': {
      skip: 'an answer may be as large as the model allows: its file is kept as it comes (inline-files.test.ts)',
    },
    'start: rejected with 422': { skip: "the function's own 422 is JSON with a detail: web.test.ts" },
    'start: rejected because an input cannot be uploaded': { skip: 'web endpoints take no uploads' },
    'poll: never a worker': holdsOn,
    'poll: never booted': holdsOn,
    'poll: the GPU runs out of memory': noReason,
    'poll: the machine runs out of memory': noReason,
    'poll: the vendor gives up booting': { skip: 'how a web endpoint tells of it is not known' },
    'poll: the worker is taken away': ['interrupted'],
    'poll: the vendor cannot store the output': noReason,
    'poll: a last word nobody knows': { skip: 'a web endpoint tells no status but that of HTTP' },
    'output: of the wrong type': {
      skip: 'A page is taken for that of a gateway, never for an answer: the run goes on (web.test.ts)',
    },
    'cancel: confirmed by polling': noCancel,
    'cancel: before it runs': noCancel,
    'cancel: ignored': noCancel,
    'cancel: too late': noCancel,
    'cancel: lost, then confirmed': noCancel,
    ...withoutWarming('A web endpoint is known by its URL only: any request to it is a run'),
  },
}

export const contracts: readonly NamedSuite[] = [functions, webEndpoints]
