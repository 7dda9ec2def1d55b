import type { Health } from '../contract.ts'
import { vendorWords } from '../http.ts'
import type { WireHealth } from './wire.ts'

/** What a server's health means for whoever waits. It has neither a queue nor workers to count. */
export function judgeHealth({ status, user_healthcheck_error: why }: WireHealth, server: string): Health {
  const [state, words] = meaningOf(status)
  const more = why === undefined ? '' : `: ${vendorWords(why)}`
  return { state, message: `${server}: ${words} (${status})${more}.`, queued: null, workers: {} }
}

function meaningOf(status: string): readonly [Health['state'], string] {
  switch (status) {
    case 'READY':
      return ['ok', 'a place is free']
    case 'BUSY':
      return ['queueing', 'every place is taken']
    case 'STARTING':
      return ['queueing', 'the model is setting up']
    case 'SETUP_FAILED':
      return ['crash-loop', "the model's setup failed; read the container's logs"]
    case 'DEFUNCT':
      return ['no-workers', 'the worker died; restart the container']
    case 'UNHEALTHY':
      return ['no-workers', 'the model is unwell, or its worker died and does not come back; restart the container']
    default:
      return ['unknown', 'its health says too little']
  }
}
