/** A fault that emulators can be told to commit. */
export interface CatalogueEntry {
  /** What the caller sees. */
  readonly does: string
  /** Numbers of the fault collection in `docs/reliability.md`; empty: seen by nobody yet, but possible. */
  readonly numbers: readonly number[]
  /** What `@parameter` means, and its default. */
  readonly parameter?: readonly [means: string, byDefault: string]
  /** Kinds at which it can happen; absent: at every one. */
  readonly at?: readonly string[]
}

/** The names, spelled out for declarations; the catalogue below must have exactly these. */
export type FaultName =
  | 'create-refused'
  | 'create-400'
  | 'create-401'
  | 'create-402'
  | 'create-403'
  | 'create-404'
  | 'create-409'
  | 'create-413'
  | 'create-422'
  | 'create-429'
  | 'placement-failed'
  | 'upload-503'
  | 'accept-then-reset'
  | 'create-500'
  | 'create-502'
  | 'create-503'
  | 'create-504'
  | 'create-524'
  | 'create-html-200'
  | 'create-error-object-200'
  | 'create-hang'
  | 'queue-forever'
  | 'boot-forever'
  | 'boot-slow'
  | 'boot-timeout'
  | 'image-missing'
  | 'crash-loop'
  | 'scaled-down'
  | 'setup-failed'
  | 'timed-out'
  | 'not-ready'
  | 'deactivated'
  | 'aborted'
  | 'status-404-after-submit'
  | 'status-404-later'
  | 'status-401'
  | 'status-402'
  | 'status-403'
  | 'status-409'
  | 'edge-404'
  | 'status-422'
  | 'status-429'
  | 'status-503'
  | 'status-slow'
  | 'status-hang'
  | 'status-reset'
  | 'html-200'
  | 'error-object-200'
  | 'weird-status'
  | 'stall'
  | 'progress-restart'
  | 'progress-back'
  | 'progress-late'
  | 'worker-killed'
  | 'worker-crash'
  | 'run-twice'
  | 'oom'
  | 'cuda-oom'
  | 'cuda-poisoned'
  | 'model-error'
  | 'input-lost'
  | 'interrupted'
  | 'host-vanished'
  | 'sleeps-while-working'
  | 'upload-error'
  | 'cancel-ignored'
  | 'cancel-lost'
  | 'empty-output'
  | 'data-removed'
  | 'output-expired'
  | 'output-truncated'
  | 'output-short'
  | 'output-slow'
  | 'output-hang'
  | 'output-corrupt'
  | 'output-path'
  | 'webhook-duplicate'
  | 'webhook-late'
  | 'webhook-reordered'
  | 'webhook-lost'
  | 'webhook-forged'
  | 'webhook-skewed'
  | 'webhook-swallowed'
  | 'hello-lost'

/** What the parameter means of faults that hit part of the way: 0 to 1. */
export const fraction = 'at this fraction'
const polls = 'how many answers'
const form = 'where the wait is told: seconds, float, date, body or bare'

/** The closed list of faults. `emulate` prints it, fault plans are checked against it. */
export const faultCatalogue: { readonly [name in FaultName]: CatalogueEntry } = {
  // Before anything was started.
  'create-refused': {
    does: 'No connection comes about at all (in real time: it is cut before anything is read).',
    numbers: [],
  },
  'create-400': {
    does: 'The start is refused: bad request.',
    numbers: [],
    at: ['runpod', 'baseten', 'ecs', 'lambda', 'sagemaker'],
  },
  'create-401': { does: 'The start is refused: bad token.', numbers: [14] },
  'create-402': { does: 'The start is refused: payment needed.', numbers: [12] },
  'create-403': { does: 'The start is refused: account locked.', numbers: [11] },
  'create-404': { does: 'The start is refused: no such model or deployment.', numbers: [15] },
  'create-409': {
    does: "The start is refused: somebody else's run has the only place.",
    numbers: [10],
    at: ['cog', 'koyeb'],
  },
  'create-413': { does: 'The start is refused: payload too large.', numbers: [19] },
  'create-422': {
    does: 'The start is refused as unprocessable.',
    numbers: [13],
    parameter: ['why: version, token or input', 'version'],
    at: ['replicate', 'cog', 'koyeb'],
  },
  'create-429': {
    does: 'The start is refused: too many requests.',
    numbers: [10, 16, 17, 18],
    parameter: [form, 'seconds'],
  },
  'placement-failed': {
    does: 'The start is answered with 200 and a list of failures: nothing runs.',
    numbers: [10],
    parameter: ['reason', 'RESOURCE-GPU'],
    at: ['ecs'],
  },
  'upload-503': { does: 'Input files cannot be uploaded.', numbers: [], at: ['replicate'] },

  // The start happened, its answer did not.
  'accept-then-reset': { does: 'The run is started, then the connection is cut.', numbers: [20] },
  'create-500': {
    does: 'The start is answered with 500.',
    numbers: [20],
    parameter: ['accepted or refused', 'accepted'],
  },
  'create-502': {
    does: 'The start is answered with 502 and an HTML page.',
    numbers: [20],
    parameter: ['accepted or refused', 'accepted'],
  },
  'create-503': {
    does: 'The start is answered with 503.',
    numbers: [5],
    parameter: ['accepted or refused', 'refused'],
  },
  'create-504': {
    does: 'The start is answered with 504 while the run lives.',
    numbers: [4],
    parameter: ['accepted or refused', 'accepted'],
  },
  'create-524': {
    does: 'The start is answered with 524 while the run lives.',
    numbers: [4],
    parameter: ['accepted or refused', 'accepted'],
  },
  'create-html-200': { does: 'The run is started, the answer is an HTML page with 200.', numbers: [41] },
  'create-error-object-200': { does: 'The run is started, the answer is {"error"} with 200.', numbers: [42] },
  'create-hang': { does: 'The run is started, no byte of an answer ever comes.', numbers: [43] },

  // Waiting for a worker.
  'queue-forever': {
    does: 'Stays queued without end.',
    numbers: [1, 2, 6],
    at: ['replicate', 'runpod', 'baseten', 'modal', 'ecs', 'lambda', 'sagemaker'],
  },
  'boot-forever': { does: 'Stays booting without end.', numbers: [3, 30] },
  'boot-slow': { does: 'A very slow cold start.', numbers: [3, 4], parameter: ['seconds', '360'] },
  'boot-timeout': {
    does: 'The vendor gives up starting.',
    numbers: [3],
    parameter: ['after seconds', '600'],
    at: ['replicate', 'ecs', 'modal'],
  },
  'image-missing': { does: 'The image cannot be pulled.', numbers: [15], at: ['ecs'] },
  aborted: {
    does: 'The vendor aborts the run before it starts.',
    numbers: [37],
    parameter: ['after seconds', '5'],
    at: ['replicate'],
  },
  'crash-loop': { does: 'Workers die as they start; the status says queued.', numbers: [2], at: ['runpod', 'modal'] },
  'scaled-down': {
    does: 'The endpoint allows no workers any more; the status says queued.',
    numbers: [1],
    at: ['runpod'],
  },
  'setup-failed': {
    does: "The model's setup fails as the server starts anew; it takes no run any more.",
    numbers: [2, 35],
    at: ['cog', 'koyeb'],
  },
  'timed-out': {
    does: 'The vendor ends the run as timed out.',
    numbers: [37],
    parameter: ['queue: before a worker took it, run: on the worker', 'queue'],
    at: ['runpod', 'baseten', 'sagemaker'],
  },
  'not-ready': {
    does: 'A worker takes the run before its model is loaded, and fails it.',
    numbers: [5],
    at: ['baseten'],
  },
  deactivated: {
    does: 'The deployment is switched off while it runs: everything about it answers 404 for a while.',
    numbers: [15],
    parameter: ['seconds', '60'],
    at: ['baseten'],
  },

  // Asking for the status.
  'status-404-after-submit': {
    does: 'The first status answers are 404 although the run exists.',
    numbers: [23],
    parameter: [polls, '3'],
    at: ['replicate', 'runpod', 'cog', 'koyeb', 'baseten', 'modal', 'ecs'],
  },
  'status-404-later': { does: 'A running run is forgotten by the vendor for good.', numbers: [23] },
  'status-401': { does: 'Status answers turn 401 while it runs.', numbers: [14], parameter: [polls, '5'] },
  'status-402': { does: 'Status answers are 402.', numbers: [12], parameter: [polls, '3'] },
  'status-403': { does: 'Status answers are 403.', numbers: [11], parameter: [polls, '3'] },
  'status-409': { does: 'Status answers are 409.', numbers: [], parameter: [polls, '3'] },
  'edge-404': {
    does: 'The edge finds no healthy instance and answers everything with 404 for a while.',
    numbers: [5, 23],
    parameter: ['seconds', '20'],
    at: ['koyeb'],
  },
  'status-422': { does: 'Status answers are 422.', numbers: [], parameter: [polls, '3'] },
  'status-429': { does: 'Status answers are 429 three times.', numbers: [16, 17, 18], parameter: [form, 'seconds'] },
  'status-503': { does: 'A burst of 503 while it runs on.', numbers: [21, 22], parameter: [polls, '5'] },
  'status-slow': { does: 'Each of three status answers takes long.', numbers: [38], parameter: ['seconds', '15'] },
  'status-hang': { does: 'Status requests get no byte.', numbers: [43], parameter: [polls, '2'] },
  'status-reset': { does: 'Status answers break off in the middle.', numbers: [], parameter: [polls, '3'] },
  'html-200': { does: 'Status answers are HTML pages with 200.', numbers: [41], parameter: [polls, '3'] },
  'error-object-200': { does: 'Status answers are {"error"} with 200.', numbers: [42], parameter: [polls, '3'] },
  'weird-status': {
    does: 'A status word nobody has heard of.',
    numbers: [37],
    parameter: ['live: while it runs, end: as its last word', 'live'],
    at: ['replicate', 'runpod', 'cog', 'koyeb', 'baseten', 'modal', 'ecs'],
  },

  // While it runs.
  stall: {
    does: 'Progress stops and never goes on, billed until the vendor ends it.',
    numbers: [28, 29],
    parameter: [fraction, '0.9'],
  },
  'progress-restart': {
    does: 'The worker is replaced and begins again.',
    numbers: [32],
    parameter: [fraction, '0.8'],
    at: ['replicate', 'runpod', 'baseten', 'modal', 'ecs'],
  },
  'progress-back': {
    does: 'Progress falls back once, then goes on.',
    numbers: [32],
    parameter: [fraction, '0.6'],
    at: ['replicate', 'runpod', 'cog', 'koyeb', 'ecs', 'lambda', 'sagemaker'],
  },
  'progress-late': {
    does: 'A late progress update overwrites the result: it runs for ever.',
    numbers: [45, 55],
    at: ['runpod'],
  },
  'worker-killed': {
    does: 'Worker after worker is killed; the vendor queues the same run again each time.',
    numbers: [33],
    parameter: [fraction, '0.3'],
    at: ['runpod', 'modal'],
  },
  'worker-crash': {
    does: 'The worker process dies: its run fails, and the server takes none any more.',
    numbers: [33, 35],
    parameter: [fraction, '0.3'],
    at: ['cog', 'koyeb'],
  },
  'run-twice': { does: 'Two workers run the same run at the same time.', numbers: [24], at: ['runpod', 'lambda'] },
  oom: { does: 'The machine runs out of memory.', numbers: [33], parameter: [fraction, '0.3'] },
  'cuda-oom': { does: 'The GPU runs out of memory.', numbers: [33], parameter: [fraction, '0.3'] },
  'cuda-poisoned': {
    does: 'CUDA fails with an illegal memory access.',
    numbers: [34],
    parameter: [fraction, '0.1'],
  },
  'model-error': { does: 'The model raises an exception.', numbers: [35], parameter: [fraction, '0'] },
  'input-lost': {
    does: 'The vendor loses the run and says so as a fault of its own.',
    numbers: [],
    parameter: [fraction, '0.5'],
    at: ['modal'],
  },
  interrupted: {
    does: 'The worker is taken away.',
    numbers: [32],
    parameter: [fraction, '0.5'],
    at: ['replicate', 'ecs', 'modal'],
  },
  'host-vanished': {
    does: 'The machine is gone, and the container with it: no exit code.',
    numbers: [8, 33],
    parameter: [fraction, '0.5'],
    at: ['ecs'],
  },
  'sleeps-while-working': {
    does: 'The instance is put to sleep in the middle of the run, and nobody is told.',
    numbers: [7],
    parameter: ['after seconds', '5'],
    at: ['koyeb'],
  },
  'upload-error': {
    does: 'The run is good, the vendor cannot store its output.',
    numbers: [45],
    parameter: [fraction, '1'],
  },

  // The end of a run by cancel.
  'cancel-ignored': {
    does: 'Cancel is answered with 200 and changes nothing.',
    numbers: [59],
    at: ['replicate', 'runpod', 'cog', 'koyeb', 'baseten', 'modal', 'ecs'],
  },
  'cancel-lost': { does: 'Cancels are answered with 503.', numbers: [59], parameter: [polls, '2'] },

  // The result.
  'empty-output': {
    does: 'Succeeds without an output.',
    numbers: [45, 47],
    parameter: ['null, object or list', 'null'],
  },
  'data-removed': { does: 'Succeeds, and the data is removed at once.', numbers: [48], at: ['replicate', 'modal'] },
  'output-expired': { does: 'The output URL answers 404.', numbers: [48], parameter: ['after seconds', '0'] },
  'output-truncated': { does: 'Downloads break off.', numbers: [50], parameter: [fraction, '0.6'] },
  'output-short': {
    does: 'The stored file is cut, with a fitting Content-Length.',
    numbers: [50],
    parameter: [fraction, '0.6'],
  },
  'output-slow': { does: 'Downloads crawl.', numbers: [50], parameter: ['bytes per second', '50000'] },
  'output-hang': { does: 'Downloads stop and stay open.', numbers: [50], parameter: [fraction, '0.5'] },
  'output-corrupt': {
    does: 'The file is whole, its content is broken.',
    numbers: [53],
    parameter: ['zero: no vertices, nan: not a number', 'nan'],
  },
  'output-path': {
    does: "The answer is a path on the worker's own disk.",
    numbers: [45],
    at: ['runpod', 'cog', 'koyeb'],
  },

  // Webhooks.
  'webhook-duplicate': {
    does: 'Every webhook comes several times.',
    numbers: [54],
    parameter: ['times', '3'],
    at: ['replicate', 'runpod', 'cog', 'koyeb', 'baseten'],
  },
  'webhook-late': {
    does: 'Webhooks come late.',
    numbers: [55],
    parameter: ['seconds', '30'],
    at: ['replicate', 'runpod', 'cog', 'koyeb', 'baseten'],
  },
  'webhook-reordered': {
    does: 'The first webhook comes after the last.',
    numbers: [55],
    at: ['replicate', 'cog', 'koyeb'],
  },
  'webhook-lost': { does: 'No webhook comes.', numbers: [56], at: ['replicate', 'runpod', 'cog', 'koyeb', 'baseten'] },
  'webhook-forged': {
    does: 'Somebody else posts a webhook that says "succeeded".',
    numbers: [58],
    at: ['replicate', 'baseten'],
  },
  'webhook-skewed': {
    does: 'Webhooks are stamped by a wrong clock.',
    numbers: [58],
    parameter: ['seconds behind', '600'],
    at: ['replicate', 'baseten'],
  },
  'webhook-swallowed': {
    does: 'Something in between takes the webhook with 200; nobody else hears of it.',
    numbers: [49, 56],
    at: ['baseten'],
  },
  'hello-lost': {
    does: "A kit's first call does not arrive.",
    numbers: [56],
    at: ['runpod', 'baseten', 'cog', 'koyeb', 'ecs', 'modal', 'lambda', 'sagemaker'],
  },
}

export const faultNames = Object.keys(faultCatalogue) as readonly FaultName[]

/** The faults that a kind's emulator can commit, in the catalogue's order. */
export function faultsAt(kind: string): readonly FaultName[] {
  return faultNames.filter(name => {
    const { at }: CatalogueEntry = faultCatalogue[name]
    return at === undefined || at.includes(kind)
  })
}
