import { type FaultName, faultsAt } from '../../src/emulators/index.ts'

/** One row of the scoreboard: what the vendor does wrong to one job. */
export interface Case {
  /** The catalogue's name, with its parameter: `stall@0.9`. */
  readonly name: string
  /** For the emulator. */
  readonly faults: readonly string[]
  /** The faults end so long after the first start was asked for; absent: they strike the job's first run only, or last. */
  readonly faultsForMs?: number
  /** Every status request gets 503 for so long after the first one. */
  readonly outageMs?: number
  /**
   * Whether the struck run can still deliver. Then one paid run is enough, and a second one is money for nothing. Where it
   * cannot, an error is as right an ending as an output of another run.
   */
  readonly delivers: boolean
  /** The vendor lets nobody end the struck run, so that it goes on is held against nobody. Default false. */
  readonly unstoppable?: boolean
}

/** How the catalogue's faults are thrown; a fault is named here or below, and `createCases` sees to that. */
interface Throw {
  /** Parameters that make rows of their own; default: the catalogue's own one. Short ones, because time here is real. */
  readonly with?: readonly string[]
  readonly delivers: boolean
  readonly unstoppable?: boolean
  /** Faults that have to be there for this one to show. */
  readonly beside?: readonly string[]
  readonly forMs?: number
  readonly outageMs?: number
  /** Strikes every run of the job: an account's or a model's fault, which no second try heals. */
  readonly lasts?: boolean
}

const refusedForGood = { delivers: false, lasts: true }
/** The emulator's answer asks for two seconds. */
const refusedForAWhile = { delivers: true, forMs: 2_000 }
const answerLost = { delivers: true }
const spoiled = { delivers: false }

const thrown: { readonly [name in FaultName]?: Throw } = {
  'create-refused': refusedForAWhile,
  'create-401': refusedForGood,
  'create-402': refusedForGood,
  'create-403': refusedForGood,
  'create-404': refusedForGood,
  'create-413': refusedForGood,
  'create-422': { ...refusedForGood, with: ['version', 'token', 'input'] },
  'create-429': { ...refusedForAWhile, with: ['seconds', 'float', 'date', 'body', 'bare'] },
  'accept-then-reset': answerLost,
  'create-500': answerLost,
  'create-502': answerLost,
  'create-503': { ...refusedForAWhile, with: ['refused'] },
  'create-504': answerLost,
  'create-524': answerLost,
  'create-html-200': answerLost,
  'create-error-object-200': answerLost,
  'create-hang': answerLost,

  'queue-forever': spoiled,
  'boot-forever': spoiled,
  'boot-slow': { delivers: true, with: ['3'] },
  'boot-timeout': { ...spoiled, with: ['2'] },
  aborted: { ...spoiled, with: ['2'] },

  'status-404-after-submit': { delivers: true },
  'status-404-later': { ...spoiled, unstoppable: true },
  'status-401': { delivers: true, with: ['2'] },
  'status-402': { delivers: true, with: ['2'] },
  'status-403': { delivers: true, with: ['2'] },
  'status-409': { delivers: true, with: ['2'] },
  'status-422': { delivers: true, with: ['2'] },
  'status-429': { delivers: true },
  // The catalogue counts answers; a real outage lasts a time, however often somebody asks.
  'status-503': { delivers: true, outageMs: 3_000 },
  'status-slow': { delivers: true, with: ['2'] },
  'status-hang': { delivers: true, with: ['1'] },
  'status-reset': { delivers: true, with: ['1'] },
  'html-200': { delivers: true, with: ['1'] },
  'error-object-200': { delivers: true, with: ['1'] },
  'weird-status': { delivers: true, with: ['live', 'end'] },

  stall: { ...spoiled, with: ['0.3', '0.9', '1'] },
  'progress-restart': { delivers: true },
  'progress-back': { delivers: true },
  oom: spoiled,
  'cuda-oom': spoiled,
  'cuda-poisoned': spoiled,
  'model-error': spoiled,
  interrupted: spoiled,
  'upload-error': spoiled,

  'cancel-ignored': { ...spoiled, unstoppable: true, beside: ['stall@0.9'] },
  'cancel-lost': { ...spoiled, beside: ['stall@0.9'] },

  'empty-output': { ...spoiled, with: ['null', 'object', 'list'] },
  'data-removed': spoiled,
  'output-expired': spoiled,
  'output-truncated': spoiled,
  'output-short': spoiled,
  'output-slow': { delivers: true },
  'output-hang': spoiled,
  'output-corrupt': { ...spoiled, with: ['zero', 'nan'] },
}

/** What is not thrown, and why. */
export const leftOut: { readonly [name in FaultName]?: string } = {
  'upload-503': 'only Surefoot and `replicate` upload files, each where it wants to',
  'webhook-duplicate': 'nobody here listens for webhooks',
  'webhook-late': 'as above',
  'webhook-reordered': 'as above',
  'webhook-lost': 'as above',
  'webhook-forged': 'as above',
  'webhook-skewed': 'as above',
}

/** No fault at all, then every fault of the catalogue that Replicate can commit. Throws where one is forgotten. */
export function createCases(): Case[] {
  const faults = faultsAt('replicate')
  const forgotten = faults.filter(name => thrown[name] === undefined && leftOut[name] === undefined)
  if (forgotten.length > 0) throw new Error(`The scoreboard forgets ${forgotten.join(', ')}.`)
  return [{ name: 'no fault', faults: [], delivers: true }, ...faults.flatMap(casesOf)]
}

function casesOf(name: FaultName): Case[] {
  const how = thrown[name]
  if (how === undefined) return []
  return (how.with ?? ['']).map(parameter => {
    const fault = parameter === '' ? name : `${name}@${parameter}`
    const limited = how.lasts || how.forMs !== undefined ? fault : `${fault}*1`
    return {
      name:
        how.outageMs === undefined
          ? [fault, ...(how.beside ?? [])].join(' + ')
          : `${name} for ${how.outageMs / 1000} s`,
      faults: how.outageMs === undefined ? [limited, ...(how.beside ?? []).map(other => `${other}*1`)] : [],
      delivers: how.delivers,
      ...(how.unstoppable === undefined ? {} : { unstoppable: how.unstoppable }),
      ...(how.forMs === undefined ? {} : { faultsForMs: how.forMs }),
      ...(how.outageMs === undefined ? {} : { outageMs: how.outageMs }),
    }
  })
}
