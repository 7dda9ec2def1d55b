import { type End, good, refusals } from '../../testing/test-prediction.ts'
import type { FaultName } from '../catalogue.ts'

/** What the caller, the configuration or the machine's owner must change first. */
const final = new Map<FaultName, string>([
  ...refusals,
  ['create-422', 'input_invalid'],
  ['boot-forever', 'rate_limited'],
  ['setup-failed', 'boot_timeout'],
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
  ['worker-crash', 'no_capacity'],
])
/** Of these, what fails a run that was started and is paid. */
const paid: readonly FaultName[] = ['oom', 'cuda-oom', 'worker-crash']
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  'status-404-later',
  'stall',
  'cuda-poisoned',
  'model-error',
  'sleeps-while-working',
  'upload-error',
  'output-short',
  'output-corrupt',
]
/** What costs the output of a stranger's model, which nobody but its last webhook names. */
const twiceWithout: readonly FaultName[] = [
  'webhook-lost',
  'empty-output',
  'output-path',
  'output-expired',
  'output-truncated',
  'output-hang',
]

/** How a prediction ends, with one server and nothing else, that meets this fault once. */
export function endAfter(name: FaultName, kit: boolean): End {
  const code = final.get(name)
  if (code !== undefined) return { ...good, status: 'failed', code, submits: paid.includes(name) ? 1 : 0 }
  return { ...good, submits: twice.includes(name) || (!kit && twiceWithout.includes(name)) ? 2 : 1 }
}
