import type { ProviderSuite } from './describe-provider.ts'
import type { Cell } from './provider-cells.ts'

/** A suite under the name that the table of adapters has for it. */
export interface NamedSuite extends ProviderSuite {
  readonly name: string
}

export interface Skip {
  readonly skip: string
}

/**
 * The fault that shows each cell at an emulator of a vendor that is spoken to by HTTP and can do everything. Spread it and
 * list what differs; cells for which every vendor has another fault are not here.
 */
export const usualCells = {
  'start: accepted': [],
  'start: accepted with an input too large to inline': [],
  'start: rejected with 401': ['create-401'],
  'start: rejected with 402': ['create-402'],
  'start: rejected with 403': ['create-403'],
  'start: rejected because the target is missing': ['create-404'],
  'start: rejected with 413': ['create-413'],
  'start: rejected with 429 and seconds': ['create-429@seconds'],
  'start: rejected with 429 and a fraction': ['create-429@float'],
  'start: rejected with 429 and a date': ['create-429@date'],
  'start: rejected with 429 and a hint in the body': ['create-429@body'],
  'start: rejected with a bare 429': ['create-429@bare'],
  'start: rejected because nobody listens': ['create-refused'],
  'start: unknown after a 409 from in between': [],
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
  'poll: the vendor cannot store the output': ['upload-error'],
  'poll: a word nobody knows': ['weird-status'],
  'poll: 404 just after the start': ['status-404-after-submit'],
  'poll: 404 for good': ['status-404-later'],
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
  'poll: the bytes come slowly': ['status-slow'],
  'poll: no byte comes and the signal ends it': ['status-hang'],
  'output: small': [],
  'output: large': [],
  'output: missing': ['empty-output'],
  'output: an empty object': ['empty-output@object'],
  'output: of the wrong type': [],
  'output: cut off': ['output-truncated'],
  'output: the bytes come slowly': ['output-slow'],
  'output: its link has expired': ['output-expired@60'],
  'output: purged by the vendor': [],
  'cancel: confirmed by polling': [],
  'cancel: before it runs': [],
  'cancel: ignored': ['cancel-ignored'],
  'cancel: too late': [],
  'cancel: lost, then confirmed': ['cancel-lost'],
  'webhook: good': [],
  'webhook: forged': ['webhook-forged'],
  'webhook: changed on its way': [],
  'webhook: played again later': [],
  'webhook: stamped by a wrong clock': ['webhook-skewed'],
  'webhook: late': ['webhook-late'],
  'webhook: several times': ['webhook-duplicate'],
  'webhook: out of order': ['webhook-reordered'],
  'warm: a place that sleeps is not ready, and looking costs no run': [],
  'warm: a worker that works is known to be there': [],
  'warm: a call alone brings a worker': { skip: 'The vendor brings a worker for a run only' },
} as const satisfies { readonly [cell in Cell]?: readonly string[] | Skip }

/** True for faults of a download: the run's files must then lie in a bucket of its own, not inside the answer. */
export function servedFiles(faults: readonly string[]): boolean {
  return faults.some(fault => fault.startsWith('output-'))
}

/** For a vendor whose outputs never travel inside an answer: how they do. */
export function withoutInlineOutputs(skip: string): { readonly 'output: larger than the answer may be': Skip } {
  return { 'output: larger than the answer may be': { skip } }
}

/** For a vendor that refuses no start with 409. */
export const without409 = {
  'start: rejected with 409': { skip: 'No start is refused with 409 there: one from in between proves nothing' },
} as const

/** For a vendor that cannot be searched for a run: why. */
export function withoutFind(skip: string): { readonly [cell in Extract<Cell, `find: ${string}`>]: Skip } {
  return {
    'find: a lost start by its webhook': { skip },
    'find: a lost start without a webhook': { skip },
    'find: a lost start without a webhook, with a large input': { skip },
    "find: never somebody else's run with the same input": { skip },
  }
}

type SignatureCell = Extract<Cell, `webhook: ${'forged' | 'changed on' | 'played again' | 'stamped by'}${string}`>

/** For a vendor that signs nothing: why it needs not. */
export function withoutSignatures(skip: string): { readonly [cell in SignatureCell]: Skip } {
  return {
    'webhook: forged': { skip },
    'webhook: changed on its way': { skip },
    'webhook: played again later': { skip },
    'webhook: stamped by a wrong clock': { skip },
  }
}

/** For a vendor that calls nobody: what there is instead. */
export function withoutWebhooks(skip: string): { readonly [cell in Extract<Cell, `webhook: ${string}`>]: Skip } {
  return {
    'webhook: good': { skip },
    ...withoutSignatures(skip),
    'webhook: late': { skip },
    'webhook: several times': { skip },
    'webhook: out of order': { skip },
  }
}

/** For a vendor that has nothing but runs to warm with, or nothing to warm: why. */
export function withoutWarming(skip: string): { readonly [cell in Extract<Cell, `warm: ${string}`>]: Skip } {
  return {
    'warm: a place that sleeps is not ready, and looking costs no run': { skip },
    'warm: a worker that works is known to be there': { skip },
    'warm: a call alone brings a worker': { skip },
  }
}
